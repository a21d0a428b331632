using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A prefetched study raises no event until a client requests it; then it raises the events of a fresh fetch.</summary>
public sealed class MadeInClientWalks : IAsyncDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 3).With("1.2.1.2", "CT", 2));

    private readonly ProxyHost _proxy;

    public MadeInClientWalks() => _proxy = new(("east", _east.Address));

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Fact]
    public async Task RaisesNoEventAndMarksTheStudy_AfterAPrefetch()
    {
        using var listener = await Listener.OpenAsync(_proxy, "?event=SERIES_ADDED,INSTANCES_ADDED");
        await PrefetchAsync();
        Assert.Equal("True: True True", await MarksAsync());
        await _proxy.GetAsync(Study + "/series");
        await Until.TrueAsync(() => listener.Events.Count > 0);
        Assert.Equal(["SERIES_ADDED"], listener.Names);
        Assert.Equal("False: False False", await MarksAsync());
    }

    [Fact]
    public async Task RaisesTheEventsOfOneSeriesOnce_WhenAClientRequestsIt()
    {
        using var listener = await Listener.OpenAsync(_proxy, "?event=SERIES_ADDED,INSTANCES_ADDED");
        await PrefetchAsync();
        var first = await _proxy.GetAsync(Study + "/series/1.2.1.1/metadata");
        var second = await _proxy.GetAsync(Study + "/series/1.2.1.1/metadata");
        await _proxy.GetAsync(Study + "/series");
        await _proxy.GetAsync(Study + "/series/1.2.1.2/metadata");

        await Until.TrueAsync(() => listener.Events.Count == 4);
        Assert.Equal(("Proxy; hit; detail=prefetched", "Proxy; hit"), (first.CacheStatus, second.CacheStatus));
        Assert.Equal(
            [
                """SERIES_ADDED {"StudyInstanceUID":"1.2.1","SeriesInstanceUIDs":["1.2.1.1"],"backend":"east","madeInClient":false}""",
                "INSTANCES_ADDED " +
                """{"StudyInstanceUID":"1.2.1","SeriesInstanceUID":"1.2.1.1","instances":3,"backend":"east","madeInClient":false}""",
                """SERIES_ADDED {"StudyInstanceUID":"1.2.1","SeriesInstanceUIDs":["1.2.1.2"],"backend":"east","madeInClient":false}""",
                "INSTANCES_ADDED " +
                """{"StudyInstanceUID":"1.2.1","SeriesInstanceUID":"1.2.1.2","instances":2,"backend":"east","madeInClient":false}""",
            ],
            listener.Events.Select(e => $"{e.Name} {e.Data.ToJsonString()}"));
    }

    [Fact]
    public async Task ClearsTheMark_WhenAClientRequestsAFrame()
    {
        await PrefetchAsync();
        await _proxy.GetAsync(
            Study + "/series/1.2.1.2/instances/1.2.1.2.1/frames/1",
            ("Accept", "multipart/related; type=application/octet-stream; transfer-syntax=*"));
        Assert.Equal("False: True False", await MarksAsync());
    }

    [Fact]
    public async Task KeepsTheMark_WhenASearchListsAndCountsTheStudy()
    {
        using var west = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.3", "MR", 2));
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address))
        { ["Cache:Metadata:Freshness"] = "00:00:00" };
        using var listener = await Listener.OpenAsync(proxy, "?event=SERIES_ADDED,INSTANCES_ADDED");
        await proxy.SendAsync(HttpMethod.Post, "/prefetch", [], """{"studies":["1.2.1"]}""");
        await Until.TrueAsync(async () => (string)(await proxy.GetAsync("/prefetch")).Json[0]!["state"]! == "done");
        _east.Hold(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 4).With("1.2.1.2", "CT", 2));

        Assert.Equal(["8"], (await proxy.GetAsync("/dicomweb/studies")).Values("00201208"));

        Assert.All(
            (await proxy.GetAsync("/store/studies/1.2.1")).Json["seriesLists"]!.AsArray(),
            list => Assert.True((bool)list!["madeInClient"]!));
        await proxy.GetAsync(Study + "/series/1.2.1.3/metadata");
        await Until.TrueAsync(() => listener.Events.Count == 3);
        Assert.Equal(["SERIES_ADDED", "SERIES_ADDED", "INSTANCES_ADDED"], listener.Names);
    }

    [Fact]
    public async Task DoesNotMoveASeriesToAnotherPacs_UntilAClientReadsIt()
    {
        using var west = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 3));
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address))
        { ["Cache:Metadata:Freshness"] = "00:00:00" };
        await proxy.GetAsync(Study + "/series/1.2.1.1/metadata");
        west.Hold(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 5));
        using var listener = await Listener.OpenAsync(proxy);

        await proxy.SendAsync(HttpMethod.Post, "/prefetch", [], """{"studies":["1.2.1"]}""");
        await Until.TrueAsync(
            () => listener.Events.Any(e => e.Name == "PREFETCH_PROGRESS" && (string)e.Data["job"]!["state"]! == "done"));

        Assert.Equal(5, west.Count("/frames/1"));
        Assert.All(listener.Names, name => Assert.Equal("PREFETCH_PROGRESS", name));
        Assert.Equal(5, (await proxy.GetAsync(Study + "/series/1.2.1.1/metadata")).Rows.Count);
        await Until.TrueAsync(() => listener.Names.Contains("SERIES_MOVED"));
    }

    private async Task PrefetchAsync()
    {
        await _proxy.SendAsync(HttpMethod.Post, "/prefetch", [], """{"studies":["1.2.1"]}""");
        await Until.TrueAsync(async () => (string)(await _proxy.GetAsync("/prefetch")).Json[0]!["state"]! == "done");
    }

    private async Task<string> MarksAsync()
    {
        var list = (await _proxy.GetAsync("/store/studies/1.2.1")).Json["seriesLists"]![0]!;
        var series = list["series"]!.AsArray().Select(s => s!["madeInClient"]!.GetValue<bool>());
        return $"{list["madeInClient"]!.GetValue<bool>()}: {string.Join(' ', series)}";
    }
}
