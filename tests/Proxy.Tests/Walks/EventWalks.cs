using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;
using Proxy.Dicom;
using Proxy.Events;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The events that a client receives: about studies it opened and about those of other clients.</summary>
public sealed class EventWalks : IAsyncDisposable
{
    private const string Series = "/dicomweb/studies/1.2.1/series";

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(56));

    private readonly WireMockPacs _east = new(
        new HeldStudy("1.2.1") { PatientName = "ZZCANARY" }.With("1.2.1.1", "CT", 3).With("1.2.1.2", "SR", 1),
        new HeldStudy("1.2.2").With("1.2.2.1"));

    private readonly ProxyHost _proxy;

    public EventWalks() => _proxy = new(("east", _east.Address)) { Time = _time, ["Search:Freshness"] = "00:00:00" };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    private EventLog Log => _proxy.Services.GetRequiredService<EventLog>();

    [Fact]
    public async Task SendsSeriesThenInstances_WhenAStudyIsOpened()
    {
        using var listener = await Listener.OpenAsync(_proxy);

        await _proxy.GetAsync(Series);
        await _proxy.GetAsync(Series);
        await _proxy.GetAsync(Series + "/1.2.1.1/metadata");
        await _proxy.GetAsync(Series + "/1.2.1.1/metadata");

        await Until.TrueAsync(() => listener.Events.Count == 2);
        Assert.Equal(["SERIES_ADDED", "INSTANCES_ADDED"], listener.Names);
        Assert.Equal(
            """{"StudyInstanceUID":"1.2.1","SeriesInstanceUIDs":["1.2.1.1","1.2.1.2"],"backend":"east","madeInClient":false}""",
            listener.Events.First().Data.ToJsonString());
        Assert.Equal(
            """{"StudyInstanceUID":"1.2.1","SeriesInstanceUID":"1.2.1.1","instances":3,"backend":"east","madeInClient":false}""",
            listener.Events.Last().Data.ToJsonString());
    }

    [Fact]
    public async Task SendsAnEventStream_ThatProxiesDoNotCacheOrBuffer()
    {
        using var response = await _proxy.OpenAsync("/events", ("Origin", "http://localhost:3000"));

        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.ToString());
        Assert.Equal("no-store", response.Headers.CacheControl!.ToString());
        Assert.Equal(["no"], response.Headers.GetValues("X-Accel-Buffering"));
        Assert.Equal(["http://localhost:3000"], response.Headers.GetValues("Access-Control-Allow-Origin"));
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
        Assert.Equal("retry: 2000", await lines.ReadLineAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task ReportsABackendDownAndUp_WhenItFailsAndRecovers()
    {
        using var listener = await Listener.OpenAsync(_proxy, "?event=BACKEND_UP,BACKEND_DOWN");

        await _proxy.GetAsync("/dicomweb/studies");
        _east.Fail(500);
        await _proxy.GetAsync("/dicomweb/studies");
        await _proxy.GetAsync("/dicomweb/studies");
        _east.Recover();
        await _proxy.GetAsync("/dicomweb/studies");

        await Until.TrueAsync(() => listener.Events.Count == 2);
        Assert.Equal(["BACKEND_DOWN", "BACKEND_UP"], listener.Names);
        Assert.Equal("""{"backend":"east"}""", listener.Events.First().Data.ToJsonString());
    }

    [Fact]
    public async Task ReplaysMissedEvents_WhenAClientReconnects()
    {
        using (var first = await Listener.OpenAsync(_proxy))
        {
            await Until.TrueAsync(() => first.LastId.Length > 0);
            var beginning = first.LastId;
            await _proxy.GetAsync(Series);
            await Until.TrueAsync(() => first.Events.Count == 1);
            var last = first.LastId;
            first.Dispose();
            await _proxy.GetAsync(Series + "/1.2.1.1/metadata");

            using var second = await Listener.OpenAsync(_proxy, lastId: last);
            using var third = await Listener.OpenAsync(_proxy, lastId: beginning);

            await Until.TrueAsync(() => second.Events.Count == 1 && third.Events.Count == 2);
            Assert.Equal(["INSTANCES_ADDED"], second.Names);
            Assert.Equal(["SERIES_ADDED", "INSTANCES_ADDED"], third.Names);
        }
    }

    [Fact]
    public async Task SendsAGapWithAnyFilter_WhenTheLastIdIsOfAnEarlierProcess()
    {
        await _proxy.GetAsync(Series);

        using var listener = await Listener.OpenAsync(_proxy, "?event=SERIES_ADDED&study=1.2.1", lastId: "0123456789ab-17");

        await Until.TrueAsync(() => listener.Events.Count == 2);
        Assert.Equal(["gap", "SERIES_ADDED"], listener.Names);
        Assert.Equal("{}", listener.Events.First().Data.ToJsonString());
    }

    [Fact]
    public async Task SendsOnlyEventsThatMatchTheFilter()
    {
        using var all = await Listener.OpenAsync(_proxy);
        using var series = await Listener.OpenAsync(_proxy, "?event=SERIES_ADDED,BACKEND_UP");
        using var study = await Listener.OpenAsync(_proxy, "?study=1.2.2");
        using var east = await Listener.OpenAsync(_proxy, "?backend=EAST&event=INSTANCES_ADDED&event=SERIES_ADDED");
        using var west = await Listener.OpenAsync(_proxy, "?backend=west");

        await _proxy.GetAsync(Series + "/1.2.1.1/metadata");
        await _proxy.GetAsync("/dicomweb/studies/1.2.2/series/1.2.2.1/metadata");

        await Until.TrueAsync(() => all.Events.Count == 4 && series.Events.Count == 2 && study.Events.Count == 2 && east.Events.Count == 4);
        Assert.All(study.Events, h => Assert.Equal("1.2.2", (string)h.Data["StudyInstanceUID"]!));
        Assert.Equal(["SERIES_ADDED", "SERIES_ADDED"], series.Names);
        Assert.Empty(west.Events);
    }

    [Theory]
    [InlineData(
        "?event=SERIES_ADDED,NONE",
        "event: any of SERIES_ADDED, INSTANCES_ADDED, STUDY_REMOVED, SERIES_REMOVED, SERIES_MOVED, " +
        "BACKEND_UP, BACKEND_DOWN, PREFETCH_PROGRESS")]
    [InlineData("?event=series_added", "event: any of")]
    [InlineData("?study=x", "study: a UID")]
    [InlineData("?study=", "study: a UID")]
    [InlineData("?study=1.2&study=1.3", "study: a UID")]
    public async Task Refuses_WhenTheFilterIsInvalid(string query, string names) =>
        (await _proxy.GetAsync("/events" + query)).IsProblem(400, names);

    [Fact]
    public async Task SendsHeartbeatsWithANewLastId_WhenNoEventMatches()
    {
        using var listener = await Listener.OpenAsync(_proxy, "?event=BACKEND_UP");
        await Until.TrueAsync(() => listener.LastId.Length > 0);
        var beginning = listener.LastId;
        await _proxy.GetAsync(Series);

        _time.Advance(EventStreams.HeartbeatInterval);
        await Until.TrueAsync(() => listener.Beats == 1);
        Assert.NotEqual(beginning, listener.LastId);
        _time.Advance(EventStreams.HeartbeatInterval);
        await Until.TrueAsync(() => listener.Beats == 2);
        Assert.Empty(listener.Events);
    }

    [Fact]
    public async Task ReportsLostEventsToASlowClient_AndSendsAllEventsToOthers()
    {
        const int Events = 40, UidsEach = 10_000;
        using var quick = await Listener.OpenAsync(_proxy);
        using var slow = await _proxy.OpenAsync("/events");
        var added = Enumerable.Range(0, UidsEach).Select(n => Uid.Parse($"1.9.{n}"));
        var filling = new string('x', 1 << 19);

        for (var n = 1; n <= Events; n++)
        {
            Log.Publish(new ProxyEvent(ProxyEvent.InstancesAdded) { Backend = $"{n}", Added = [.. added] }.With("filling", filling));
            await Until.TrueAsync(() => quick.Events.Count == n);
        }

        Assert.Equal(Enumerable.Range(1, Events).Select(n => $"{n}"), quick.Events.Select(h => (string)h.Data["backend"]!));
        using var lines = new StreamReader(await slow.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
        var (before, lost, after) = (0, 0, 0);
        while (before + lost + after < Events && await lines.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            if (line == "event: gap")
                lost = int.Parse(
                    (await lines.ReadLineAsync(TestContext.Current.CancellationToken))!["data: {\"lost\":".Length..^1],
                    System.Globalization.CultureInfo.InvariantCulture);
            else if (line == "event: INSTANCES_ADDED" && lost == 0) before++;
            else if (line == "event: INSTANCES_ADDED") after++;
        }
        Assert.InRange(lost, 1, Events - 1);
        Assert.Equal(Events, before + lost + after);
        Assert.InRange(after, 1, 10);
    }

    [Fact]
    public async Task SendsTheSameEventsToAThousandClients()
    {
        var listeners = await Task.WhenAll(Enumerable.Range(0, 1000).Select(_ => Listener.OpenAsync(_proxy)));

        await _proxy.GetAsync(Series + "/1.2.1.1/metadata");

        await Until.TrueAsync(() => listeners.All(l => l.Events.Count == 2));
        Assert.Single(listeners.Select(l => string.Join(' ', l.Events.Select(h => $"{h.Id} {h.Name} {h.Data.ToJsonString()}"))).Distinct());
        var streams = _proxy.Services.GetRequiredService<EventStreams>();
        Assert.Equal(1000, streams.Open);
        foreach (var listener in listeners) listener.Dispose();
        await Until.TrueAsync(() => streams.Open == 0);
    }

    [Fact]
    public async Task Returns429_WhenOneAddressOpensTooManyStreams()
    {
        await using var proxy = new ProxyHost(("east", _east.Address)) { ["Security:KnownProxies:0"] = "127.0.0.1" };
        var listeners = await Task.WhenAll(
            Enumerable.Range(0, EventStreams.MaxStreamsPerAddress)
                .Select(_ => proxy.OpenAsync("/events", ("X-Forwarded-For", "192.0.2.1"))));
        Assert.All(listeners, l => Assert.Equal(200, (int)l.StatusCode));

        var refused = await proxy.GetAsync("/events", ("X-Forwarded-For", "192.0.2.1"));
        using var other = await proxy.OpenAsync("/events", ("X-Forwarded-For", "192.0.2.2"));

        refused.IsProblem(429, names: "per address");
        Assert.NotEqual("", refused["Retry-After"]);
        Assert.Equal(200, (int)other.StatusCode);
        foreach (var listener in listeners) listener.Dispose();
    }

    [Fact]
    public async Task EndsEveryStream_WhenTheProxyStops()
    {
        var proxy = new ProxyHost(("east", _east.Address));
        using var listener = await Listener.OpenAsync(proxy);
        using var stuck = new TcpClient(AddressFamily.InterNetwork);
        await stuck.ConnectAsync("127.0.0.1", new Uri(proxy.Address).Port, TestContext.Current.CancellationToken);
        await stuck.GetStream()
            .WriteAsync(Encoding.ASCII.GetBytes("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"), TestContext.Current.CancellationToken);
        var log = proxy.Services.GetRequiredService<EventLog>();
        var streams = proxy.Services.GetRequiredService<EventStreams>();
        await Until.TrueAsync(() => streams.Open == 2);
        for (var n = 0; n < 40; n++) log.Publish(new ProxyEvent(ProxyEvent.PrefetchProgress).With("filling", new string('x', 1 << 20)));
        await Until.TrueAsync(() => listener.Events.Count == 40);

        proxy.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();

        await listener.Ended;
        await Until.TrueAsync(() => streams.Open == 0);
        await proxy.DisposeAsync().AsTask().WaitAsync(Until.Patience, TimeProvider.System, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task NamesNoPatient()
    {
        using var listener = await Listener.OpenAsync(_proxy);
        await _proxy.GetAsync("/dicomweb/studies");
        await _proxy.GetAsync(Series + "/1.2.1.1/metadata");
        await Until.TrueAsync(() => listener.Events.Count == 2);
        Assert.All(listener.Events, h => Assert.DoesNotContain("ZZCANARY", h.Data.ToJsonString(), StringComparison.Ordinal));
    }
}
