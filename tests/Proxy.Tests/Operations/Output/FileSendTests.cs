using Microsoft.AspNetCore.Http;
using Proxy.Cache;
using Proxy.Cache.OnDisk;
using Proxy.Retrieve;
using Proxy.Tests.Cache;
using Xunit;

namespace Proxy.Tests.Operations.Output;

/// <summary>A verified body goes from its file to the socket.</summary>
public sealed class FileSendTests : IAsyncDisposable
{
    private readonly DiskLab _disk = new();
    private readonly EntryKey _key = DiskLab.Key(1, 1);

    public ValueTask DisposeAsync() => _disk.DisposeAsync();

    public static TheoryData<int> Lengths => [100_000, 5_000_000];

    [Theory]
    [MemberData(nameof(Lengths))]
    public async Task SendsABody_AfterItWasVerifiedOnce(int length)
    {
        using var body = await FindVerifiedAsync(length);
        await using var host = await OutputHost.StartAsync(context => SendAsync(context, body));
        using var client = await host.AskAsync();
        var received = await client.ReadBodyAsync();
        byte[] expected = [.. DiskLab.GetBody(_key, length), .. "end"u8];
        Assert.Equal(expected, received);
        Assert.Equal(0, body.Left);
    }

    [Fact]
    public async Task SendsARangeAcrossParts_OfABodyThatIsCut()
    {
        var whole = await FindVerifiedAsync(2_000_000);
        using var body = (FileBody)whole.Cut(whole.Head, [(10, 900_000), (1_500_000, 400_000)]);
        await using var host = await OutputHost.StartAsync(async context =>
        {
            await body.MoveToAsync(5, context.RequestAborted);
            await SendAsync(context, body);
        });
        using var client = await host.AskAsync();
        var bytes = DiskLab.GetBody(_key, 2_000_000);
        var received = await client.ReadBodyAsync();
        byte[] expected = [.. bytes[15..900_010], .. bytes[1_500_000..1_900_000], .. "end"u8];
        Assert.Equal(expected, received);
    }

    [Fact]
    public async Task SendsTheRest_WhenTheEntryIsRemovedMeanwhile()
    {
        using var body = await FindVerifiedAsync(3_000_000);
        await using var host = await OutputHost.StartAsync(context => SendAsync(context, body));
        using var client = await host.AskAsync();
        await client.ReadAsync(bytes: 1000);
        File.Delete(_disk.Files.Single());
        var received = await client.ReadBodyAsync();
        byte[] expected = [.. DiskLab.GetBody(_key, 3_000_000), .. "end"u8];
        Assert.Equal(expected, received);
    }

    [Fact]
    public async Task CutsTheConnection_WhenTheFileIsTruncated()
    {
        using var body = await FindVerifiedAsync(3_000_000);
        await using (var file = new FileStream(_disk.Files.Single(), FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.SetLength(1_000_000);
        await using var host = await OutputHost.StartAsync(context => SendAsync(context, body));
        using var client = await host.AskAsync();
        Assert.InRange((await client.ReadBodyAsync()).Length, 0, 1_000_000);
        Assert.True(body.IsTruncated);
    }

    private async Task<FileBody> FindVerifiedAsync(int length)
    {
        _disk.Add(_key, length);
        await _disk.SettleAsync();
        Assert.NotNull(await _disk.ReadAsync(_key));
        var (_, body) = (await _disk.Tier.FindAsync([new(_key)], TestContext.Current.CancellationToken))!.Value;
        var file = Assert.IsType<FileBody>(body);
        Assert.True(file.CanSend);
        return file;
    }

    private static async Task SendAsync(HttpContext context, FileBody body)
    {
        context.Response.ContentLength = body.Left + 3;
        await context.Response.StartAsync();
        await BodyCopy.ToClientAsync(context, body, "end"u8.ToArray());
    }
}
