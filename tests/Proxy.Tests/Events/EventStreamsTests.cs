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
    public async Task ThereIsRoomForSoMany_AndForOneMoreWhenOneLeft()
    {
        using var streams = new EventStreams(new(NullLogger<EventLog>.Instance), new Lifetime(), new FakeTimeProvider());
        using var leave = new CancellationTokenSource();
        var writing = Enumerable.Range(0, EventStreams.MaxStreams).Select(_ => streams.TryWriteAsync(new DefaultHttpContext { RequestAborted = leave.Token }, All)).ToList();
        Assert.Equal(EventStreams.MaxStreams, streams.Open);

        var refused = new DefaultHttpContext();
        Assert.False(await streams.TryWriteAsync(refused, All));
        Assert.Empty(refused.Response.Headers);

        await leave.CancelAsync();
        Assert.All(await Task.WhenAll(writing), Assert.True);
        Assert.Equal(0, streams.Open);
        using var last = new CancellationTokenSource();
        var one = streams.TryWriteAsync(new DefaultHttpContext { RequestAborted = last.Token }, All);
        await Until.TrueAsync(() => streams.Open == 1);
        await last.CancelAsync();
        Assert.True(await one);
    }

    [Fact]
    public async Task ASlowClientIsNotCutOffByTheServer()
    {
        using var streams = new EventStreams(new(NullLogger<EventLog>.Instance), new Lifetime(), new FakeTimeProvider());
        using var leave = new CancellationTokenSource();
        var context = new DefaultHttpContext { RequestAborted = leave.Token };
        var rate = new Rate { MinDataRate = new(240, TimeSpan.FromSeconds(5)) };
        context.Features.Set<IHttpMinResponseDataRateFeature>(rate);

        var writing = streams.TryWriteAsync(context, All);

        Assert.Null(rate.MinDataRate);
        await leave.CancelAsync();
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
