using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Proxy.Events;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Events;

public sealed class EventStreamsTests
{
    private static readonly EventFilter All = new([], null, null);

    [Fact]
    public async Task RefusesListenersAboveTheLimit_UntilOneLeaves()
    {
        using var streams = new EventStreams(new(NullLogger<EventLog>.Instance), new Lifetime(), new FakeTimeProvider());
        using var disconnected = new CancellationTokenSource();
        var writing = Enumerable.Range(0, EventStreams.MaxStreams)
            .Select(_ => streams.WriteAsync(new DefaultHttpContext { RequestAborted = disconnected.Token }, All)).ToList();
        Assert.Equal(EventStreams.MaxStreams, streams.Open);

        var refused = new DefaultHttpContext();
        Assert.Equal(ListenOutcome.Full, await streams.WriteAsync(refused, All));
        Assert.Empty(refused.Response.Headers);

        await disconnected.CancelAsync();
        Assert.All(await Task.WhenAll(writing), outcome => Assert.Equal(ListenOutcome.Ended, outcome));
        Assert.Equal(0, streams.Open);
        using var last = new CancellationTokenSource();
        var next = streams.WriteAsync(new DefaultHttpContext { RequestAborted = last.Token }, All);
        await Until.TrueAsync(() => streams.Open == 1);
        await last.CancelAsync();
        Assert.Equal(ListenOutcome.Ended, await next);
    }

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2")]
    [InlineData("2001:db8::1", "2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1")]
    public async Task RefusesListenersAboveTheLimitPerAddress(string first, string same, string alsoSame, string other)
    {
        using var streams = new EventStreams(new(NullLogger<EventLog>.Instance), new Lifetime(), new FakeTimeProvider());
        using var disconnected = new CancellationTokenSource();
        var writing = Enumerable.Range(0, EventStreams.MaxStreamsPerAddress).Select(_ => streams.WriteAsync(From(first), All)).ToList();

        Assert.Equal(ListenOutcome.FullForAddress, await streams.WriteAsync(From(same), All));
        Assert.Equal(ListenOutcome.FullForAddress, await streams.WriteAsync(From(alsoSame), All));
        writing.Add(streams.WriteAsync(From(other), All));
        Assert.Equal(EventStreams.MaxStreamsPerAddress + 1, streams.Open);

        await disconnected.CancelAsync();
        await Task.WhenAll(writing);
        Assert.Equal(0, streams.Open);
        using var last = new CancellationTokenSource();
        var next = streams.WriteAsync(From(first, last.Token), All);
        await Until.TrueAsync(() => streams.Open == 1);
        await last.CancelAsync();
        Assert.Equal(ListenOutcome.Ended, await next);

        DefaultHttpContext From(string address, CancellationToken? ended = null)
        {
            var context = new DefaultHttpContext { RequestAborted = ended ?? disconnected.Token };
            context.Connection.RemoteIpAddress = System.Net.IPAddress.Parse(address);
            return context;
        }
    }

    [Fact]
    public async Task DisablesTheMinimumDataRate_SoThatSlowClientsStayConnected()
    {
        using var streams = new EventStreams(new(NullLogger<EventLog>.Instance), new Lifetime(), new FakeTimeProvider());
        using var disconnected = new CancellationTokenSource();
        var context = new DefaultHttpContext { RequestAborted = disconnected.Token };
        var rate = new Rate { MinDataRate = new(240, TimeSpan.FromSeconds(5)) };
        context.Features.Set<IHttpMinResponseDataRateFeature>(rate);

        var writing = streams.WriteAsync(context, All);

        Assert.Null(rate.MinDataRate);
        await disconnected.CancelAsync();
        await writing;
    }

    private sealed class Rate : IHttpMinResponseDataRateFeature
    {
        public MinDataRate? MinDataRate { get; set; }
    }

    private sealed class Lifetime : IHostApplicationLifetime
    {
        public CancellationToken ApplicationStarted => default;

        public CancellationToken ApplicationStopping => default;

        public CancellationToken ApplicationStopped => default;

        public void StopApplication()
        {
        }
    }
}
