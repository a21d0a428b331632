using System.Collections.Concurrent;
using System.Net.ServerSentEvents;
using System.Text.Json.Nodes;
using Xunit;

namespace Proxy.Integration;

/// <summary>
/// A user reads a work list from the top in the real viewer. While they view the first study, the proxy prefetches the next
/// ones from the archives that hold them.
/// <code>
///                    east             west
/// Adler   2024-03    CT, 40 slices
/// Yamada  2024-02                     CT, 40 slices
/// Becker  2023-06    s1, s2           s2, s3
/// </code>
/// </summary>
public sealed class OhifPrefetchTests(Lab lab) : IAsyncLifetime
{
    private static readonly Series Second = new(
        new("second", Archives.Yamada, "20240205", "Chest CT"), "axial", 1, "Axial 2.5 mm", new CtSlice(512), 40);

    private static readonly Series[] East = [
        Archives.Axial, Archives.OnlyEast, Archives.OnBoth], West = [Second, Archives.OnBoth, Archives.OnlyWest];

    private readonly ConcurrentQueue<(string Name, JsonNode Data)> _heard = [];
    private readonly List<IAsyncDisposable> _parts = [];
    private Chromium _chromium = null!;
    private CountingRelay _east = null!, _west = null!;
    private ProxyProcess _proxy = null!;
    private Task _listening = Task.CompletedTask;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await Real.RequireViewerAsync(Cancel);
        (_east, _west) = (await StartArchiveAsync("prefetch-east", East), await StartArchiveAsync("prefetch-west", West));
        _proxy = Keep(await ProxyProcess.StartAsync(
            [.. ProxyProcess.Backend("east", _east.Address), .. ProxyProcess.Backend("west", _west.Address), .. ProxyProcess.Lasting],
            Cancel));
        _listening = ListenAsync(await _proxy.Http.GetStreamAsync(new Uri("events", UriKind.Relative), Cancel));
        _chromium = await lab.GetChromiumAsync();
    }

    public async ValueTask DisposeAsync()
    {
        // A proxy that is stopped ends the events in good order.
        if (_proxy is not null)
            await _proxy.StopAsync();
        await _listening;
        foreach (var part in Enumerable.Reverse(_parts))
            await part.DisposeAsync();
    }

    [Fact]
    public async Task ShowsTheNextStudies_WithoutAskingAnArchiveForMetadataOrPixels()
    {
        await using var site = await OhifSite.ForProxyAsync(_proxy, Cancel);
        await _chromium.SeeAsync(site, "prefetched", async viewer =>
        {
            await viewer.OpenWorkListAsync("Adler, Berta");
            Report("the first study", await viewer.OpenAsync(Archives.Axial));
            await Until.PassesAsync(AssertNextIsDoneAsync, Cancel);
            Assert.Empty(GetEvents(Second.Study));
            Assert.All(await MarksAsync(Second.Study), Assert.True);
            // The work list had the series of a study on both archives counted, which raised events; its instances raised none.
            Assert.DoesNotContain(GetEvents(Archives.Shared), line => line.Contains(" of ", StringComparison.Ordinal));

            foreach (var series in new[] { Second, Archives.OnlyWest })
            {
                await AssertIsShownAsync(viewer, series);
                Assert.All(await MarksAsync(series.Study), Assert.False);
            }

            foreach (var study in new[] { Second.Study, Archives.Shared })
                await Until.PassesAsync(() => Task.Run(() => Assert.Equal(GetExpectedEvents(study), GetEvents(study))), Cancel);
        });
    }

    /// <summary>The viewer shows the series from prefetched entries; the proxy sends searches at most to an archive.</summary>
    private async Task AssertIsShownAsync(Viewer viewer, Series series)
    {
        var watch = new Watch(_east, _west);
        Report(series.Study.Description, await viewer.OpenAsync(series));
        Phantom.AssertIsShown(await viewer.CaptureAsync());
        var answers = viewer.Answers.Where(answer => answer.Url.Contains(series.Study.Uid + "/series/", StringComparison.Ordinal));
        Assert.All(answers, answer => Assert.Equal((answer.Url, "Proxy; hit; detail=prefetched"), answer));
        Assert.All(watch.Asked, target => Assert.Matches("/(studies|series)$", target.Split('?')[0]));
    }

    /// <summary>The next studies are prefetched, no job is running, and the test has received all events.</summary>
    private async Task AssertNextIsDoneAsync()
    {
        var jobs = JsonNode.Parse(await _proxy.Http.GetStringAsync(new Uri("prefetch", UriKind.Relative), Cancel))!.AsArray();
        Assert.DoesNotContain(jobs, job => $"{job!["state"]}" is "queued" or "running");
        Assert.Contains(
            _heard,
            heard => heard.Name == "PREFETCH_PROGRESS" && $"{heard.Data["job"]!["why"]} {heard.Data["job"]!["state"]}" == "next done");
    }

    private async Task<IEnumerable<bool>> MarksAsync(Study study)
    {
        var known = JsonNode.Parse(await _proxy.Http.GetStringAsync(new Uri($"store/studies/{study.Uid}", UriKind.Relative), Cancel))!;
        return known["seriesLists"]!.AsArray().SelectMany(list => list!["series"]!.AsArray().Append(list))
            .Select(mark => (bool)mark!["madeInClient"]!);
    }

    /// <summary>The events of a study: each series of each archive, and the instances of each series.</summary>
    private IEnumerable<string> GetEvents(Study study) =>
        _heard.Where(heard => $"{heard.Data["StudyInstanceUID"]}" == study.Uid).SelectMany(heard => heard.Name switch
    {
        "SERIES_ADDED" => heard.Data["SeriesInstanceUIDs"]!.AsArray().Select(uid => $"{heard.Data["backend"]} has {uid}"),
        "INSTANCES_ADDED" => [$"{heard.Data["instances"]} of {heard.Data["SeriesInstanceUID"]}"],
        _ => [],
    }).Order(StringComparer.Ordinal);

    private static IEnumerable<string> GetExpectedEvents(Study study) =>
        East.Where(s => s.Study == study).Select(s => $"east has {s.Uid}")
            .Concat(West.Where(s => s.Study == study).Select(s => $"west has {s.Uid}"))
            .Concat(East.Union(West).Where(s => s.Study == study).Select(s => $"{s.Count} of {s.Uid}"))
            .Order(StringComparer.Ordinal);

    private async Task ListenAsync(Stream events)
    {
        await foreach (var line in SseParser.Create(events).EnumerateAsync(CancellationToken.None))
            _heard.Enqueue((line.EventType, JsonNode.Parse(line.Data)!));
    }

    private async Task<CountingRelay> StartArchiveAsync(string name, IEnumerable<Series> held)
    {
        var orthanc = Keep(await OrthancServer.StartAsync(name, null, Cancel));
        await orthanc.StoreAsync(held.SelectMany(series => series.Instances), Cancel);
        return Keep(new CountingRelay(orthanc.Port));
    }

    private T Keep<T>(T part) where T : IAsyncDisposable
    {
        _parts.Add(part);
        return part;
    }

    private static void Report(string what, TimeSpan elapsed) =>
        TestContext.Current.TestOutputHelper!.WriteLine($"{what}: a picture after {elapsed.TotalSeconds:F1} s");
}
