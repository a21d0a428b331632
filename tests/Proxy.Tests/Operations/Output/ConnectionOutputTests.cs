using System.Buffers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Proxy.Operations;
using Proxy.Operations.Output;
using Xunit;

namespace Proxy.Tests.Operations.Output;

/// <summary>Bodies leave from their own memory, and nothing else does.</summary>
public class ConnectionOutputTests
{
    private const int Length = 3_000_000;

    private static readonly byte[] Body = NewBody();

    private readonly TaskCompletionSource _began = new(), _ended = new();

    private static CancellationToken Stopped => TestContext.Current.CancellationToken;

    [Fact]
    public async Task SendsABodyInParts_AndItsEnd()
    {
        await using var host = await OutputHost.StartAsync(context => SendAsync(context, Body, "end"u8.ToArray()));
        using var client = await host.AskAsync();
        var received = await client.ReadBodyAsync();
        byte[] expected = [.. Body, .. "end"u8];
        Assert.Equal(expected, received);
    }

    [Fact]
    public async Task KeepsTheOrder_WhenCopiedAndLentBytesAlternate()
    {
        await using var host = await OutputHost.StartAsync(async context =>
        {
            context.Response.ContentLength = 6 + 2 * 100_000;
            await context.Response.StartAsync();
            var (writer, output) = (context.Response.BodyWriter, context.Features.Get<ConnectionOutput>()!);
            writer.Write("ab"u8);
            Assert.True(output.TryLend(writer, Body.AsMemory(0, 100_000)));
            writer.Write("cd"u8);
            Assert.True(output.TryLend(writer, Body.AsMemory(100_000, 100_000)));
            writer.Write("ef"u8);
            await writer.FlushAsync();
            await output.ReclaimAsync();
        });
        using var client = await host.AskAsync();
        var received = await client.ReadBodyAsync();
        byte[] expected = [.. "ab"u8, .. Body.AsSpan(0, 100_000), .. "cd"u8, .. Body.AsSpan(100_000, 100_000), .. "ef"u8];
        Assert.Equal(expected, received);
    }

    [Fact]
    public async Task CopiesABody_WhoseLengthIsNotDeclared()
    {
        var before = Body.ToArray();
        await using var host = await OutputHost.StartAsync(async context =>
        {
            await context.Response.StartAsync();
            Assert.Null(ResponseSteps.FindLender(context));
            await context.RequestServices.GetRequiredService<ResponseSteps>().WriteAsync(context, Body, default);
        });
        using var client = await host.AskAsync();
        var chunks = await client.ReadBodyAsync();
        Assert.True(chunks.Length > Length);
        Assert.Equal(before, Body);
    }

    [Fact]
    public async Task ServesOthers_WhileFiftyClientsDoNotRead()
    {
        await using var host = await OutputHost.StartAsync(context => SendAsync(context, Body, default));
        var stalled = new List<OutputClient>();
        for (var i = 0; i < 50; i++) stalled.Add(await host.AskAsync());
        foreach (var client in stalled) await client.ReadAsync(bytes: 1);

        using var other = await host.AskAsync();
        Assert.Equal(Body, await other.ReadBodyAsync());
        // What waits for the fifty is the body itself, once.
        Assert.Equal(0, host.Steps.Bytes);
        stalled.ForEach(static client => client.Reset());
    }

    [Fact]
    public async Task ReturnsLentMemory_OnlyWhenNothingOfItIsSentAnyMore()
    {
        var lent = Body.ToArray();
        await using var host = await OutputHost.StartAsync(async context =>
        {
            _began.SetResult();
            try
            {
                await SendAsync(context, lent, default);
            }
            catch (OperationCanceledException)
            {
                // The client will read what was sent before.
            }
            lent.AsSpan().Clear();
            _ended.SetResult();
        });
        using var client = await host.AskAsync();
        await client.ReadAsync(bytes: 100_000);
        client.EndSending();
        await _ended.Task.WaitAsync(Stopped);
        var received = await client.ReadBodyAsync();
        Assert.InRange(received.Length, 1, Length - 1);
        Assert.Equal(Body[..received.Length], received);
    }

    [Fact]
    public async Task EndsTheAnswer_WhenTheClientResetsTheConnection()
    {
        await using var host = await OutputHost.StartAsync(async context =>
        {
            try
            {
                await SendAsync(context, Body, default);
            }
            finally
            {
                _ended.SetResult();
            }
        });
        using var client = await host.AskAsync();
        await client.ReadAsync(bytes: 1000);
        client.Reset();
        await _ended.Task.WaitAsync(Stopped);
    }

    [Fact]
    public async Task SendsEverything_WhenFlushesOverlapOrAreCancelled()
    {
        await using var host = await OutputHost.StartAsync(async context =>
        {
            context.Response.ContentLength = Length + 6;
            await context.Response.StartAsync();
            var (writer, output) = (context.Response.BodyWriter, context.Features.Get<ConnectionOutput>()!);
            output.TryLend(writer, Body);
            var first = writer.FlushAsync();
            // While it waits for the client: a write, a second flush, a cancellation.
            writer.Write("abc"u8);
            var second = writer.FlushAsync();
            writer.CancelPendingFlush();
            Assert.False(first.IsCompleted);
            _began.SetResult();
            await first;
            await second;
            writer.Write("def"u8);
            await writer.FlushAsync();
            await output.ReclaimAsync();
        });
        using var client = await host.AskAsync();
        await _began.Task.WaitAsync(Stopped);
        var received = await client.ReadBodyAsync();
        byte[] expected = [.. Body, .. "abcdef"u8];
        Assert.Equal(expected, received);
    }

    [Fact]
    public async Task SendsTheRest_WhenTheServerStopsMeanwhile()
    {
        await using var host = await OutputHost.StartAsync(context => SendAsync(context, Body, default));
        using var client = await host.AskAsync();
        await client.ReadAsync(bytes: 1000);
        var stopping = host.StopAsync();
        Assert.Equal(Body, await client.ReadBodyAsync());
        await stopping;
    }

    [Fact]
    public async Task ClosesTheConnection_OfAClientBelowTheMinimumRate()
    {
        await using var host = await OutputHost.StartAsync(
            async context =>
            {
                try
                {
                    await SendAsync(context, Body, default);
                }
                finally
                {
                    _ended.SetResult();
                }
            },
            kestrel => kestrel.Limits.MinResponseDataRate = new MinDataRate(1e9, TimeSpan.FromSeconds(1.01)));
        using var client = await host.AskAsync();
        await _ended.Task.WaitAsync(Stopped);
        Assert.InRange((await client.ReadBodyAsync()).Length, 0, Length - 1);
    }

    [Fact]
    public async Task AbortsTheConnection_WhenLentBytesAreNotFlushed()
    {
        await using var host = await OutputHost.StartAsync(async context =>
        {
            context.Response.ContentLength = Length;
            await context.Response.StartAsync();
            var output = context.Features.Get<ConnectionOutput>()!;
            Assert.True(output.TryLend(context.Response.BodyWriter, Body));
            await output.ReclaimAsync();
        });
        using var client = await host.AskAsync();
        Assert.Empty(await client.ReadBodyAsync());
    }

    private static async Task SendAsync(HttpContext context, ReadOnlyMemory<byte> body, ReadOnlyMemory<byte> end)
    {
        context.Response.ContentLength = body.Length + end.Length;
        await context.Response.StartAsync();
        Assert.NotNull(ResponseSteps.FindLender(context));
        await context.RequestServices.GetRequiredService<ResponseSteps>().WriteAsync(context, body, end);
    }

    private static byte[] NewBody()
    {
        var body = new byte[Length];
        new Random(1).NextBytes(body);
        return body;
    }
}
