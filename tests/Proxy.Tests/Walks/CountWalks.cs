using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>
/// Studies on two PACS are counted over the union of their series: the number of requests, and the result when a list is missing.
/// </summary>
public sealed class CountWalks : IAsyncDisposable
{
    private const string Studies = "/dicomweb/studies";

    private readonly WireMockPacs _east = new(Held(30, extra: 1));

    private readonly WireMockPacs _west = new(Held(30, extra: 2));

    private readonly ProxyHost _proxy;

    public CountWalks() => _proxy = new(("east", _east.Address), ("west", _west.Address)) { ["Search:Freshness"] = "00:00:00" };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
        _west.Dispose();
    }

    [Fact]
    public async Task CountsAllStudiesOfAPage_WithOneSearch()
    {
        AssertCounted(await _proxy.GetAsync(Studies));
        Assert.Equal(1, CountSearches(_east));
        Assert.Equal(0, _east.Count("/series"));
    }

    [Fact]
    public async Task CountsOnlyTheStudiesOfThePage()
    {
        Assert.Equal(2, (await _proxy.GetAsync(Studies + "?limit=2")).Rows.Count);
        Assert.Equal(2, _east.Requests.Single(r => r.Path == "series").Query.Split("StudyInstanceUID=")[1].Split('&')[0].Split(',').Length);
    }

    [Fact]
    public async Task ReusesSeriesLists_WhenTheyAgreeWithTheNewRows()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address)) { Time = time };
        AssertCounted(await proxy.GetAsync(Studies));
        time.Advance(TimeSpan.FromHours(1));
        AssertCounted(await proxy.GetAsync(Studies));
        Assert.Equal(1, CountSearches(_east));

        _east.Hold(new HeldStudy("1.2.7").With("1.2.7.9", "CT", 4).With("1.2.7.8", "CT", 5));
        time.Advance(TimeSpan.FromHours(1));
        var grown = (await proxy.GetAsync(Studies)).Rows.Single(r => (string)r!["0020000D"]!["Value"]![0]! == "1.2.7")!;
        Assert.Equal(4, (int)grown["00201206"]!["Value"]![0]!);
        Assert.Equal(4 + 5 + 3 + 2, (int)grown["00201208"]!["Value"]![0]!);
    }

    [Fact]
    public async Task AsksForEachStudy_WhenThePacsIgnoresTheStudiesOfASeriesSearch()
    {
        _east.Archive.IgnoresStudiesInSeriesSearch = true;
        _east.Hold(new HeldStudy("1.9") { PatientId = "P2" }.With("1.9.1"));

        AssertCounted(await _proxy.GetAsync(Studies + "?PatientID=P1"));
        Assert.Equal(30, _east.Count("/series"));
    }

    [Fact]
    public async Task AsksForEachStudy_WhenThePacsRefusesRelationalSeriesSearches()
    {
        _west.Archive.RefusesRelationalSeries = true;

        AssertCounted(await _proxy.GetAsync(Studies));
        Assert.Equal(30, _west.Count("/series"));
    }

    [Fact]
    public async Task ReturnsTheLargestKnownCountAndWarns_WhenAListIsLate()
    {
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address)) { ["Search:Deadline"] = "00:00:05" };
        _west.Hang("series");

        var reply = await proxy.GetAsync(Studies);

        Assert.Equal(30, reply.Rows.Count);
        Assert.All(reply.Rows, row => Assert.InRange((int)row!["00201208"]!["Value"]![0]!, 5, 10));
        Assert.Contains(reply.Warnings, w => w.Contains("west did not list its series of these studies", StringComparison.Ordinal));
        Assert.Equal("no-store", reply["Cache-Control"]);
    }

    /// <summary>The time stands still after the deadline, and so does the time in which the studies are counted.</summary>
    [Fact]
    public async Task CountsTheStudiesOfOtherPacs_WhenOnePacsHangs()
    {
        using var north = new WireMockPacs();
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address), ("north", north.Address))
        { Time = time, ["Search:Freshness"] = "01:00:00" };
        var gate = north.Hang();

        Reply reply;
        do
        {
            var asked = gate.Arrived;
            var searching = proxy.GetAsync(Studies);
            await Until.TrueAsync(
                () => searching.IsCompleted || gate.Arrived > asked && _east.Count("studies") > 0 && _west.Count("studies") > 0,
                "all PACS are asked");
            // An answer of the others that has not been read yet is late as well: the next search finds what was read.
            time.Advance(Until.Patience);
            reply = await searching;
        }
        while (reply["X-Failed-Backends"] != "north");

        Assert.All(reply.Rows, row => Assert.Equal((3, 6), ((int)row!["00201206"]!["Value"]![0]!, (int)row["00201208"]!["Value"]![0]!)));
    }

    /// <summary>Results stay fresh, so a search that reaches the cache after the answer sends no request either.</summary>
    [Fact]
    public async Task AsksOnce_WhenTwentySearchesArriveAtOnce()
    {
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address)) { ["Search:Freshness"] = "01:00:00" };
        var gate = _east.Hang("series");
        var searches = Enumerable.Range(0, 20).Select(_ => proxy.GetAsync(Studies)).ToArray();
        await Until.TrueAsync(() => proxy.Arrived == 20 && gate.Arrived > 0, "all searches have arrived");
        gate.Open();

        foreach (var reply in await Task.WhenAll(searches)) AssertCounted(reply);
        Assert.InRange(CountSearches(_east), 1, 2);
    }

    [Fact]
    public async Task JoinsARunningRequest_ForSomeOfItsStudies()
    {
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address)) { ["Search:Freshness"] = "01:00:00" };
        var gate = _east.Hang("series");
        var all = proxy.GetAsync(Studies);
        await Until.TrueAsync(() => gate.Arrived > 0, "the lists of all studies are requested");
        var some = proxy.GetAsync(Studies + "?limit=10");
        await Until.TrueAsync(() => proxy.Arrived == 2, "the second search has arrived");
        gate.Open();

        AssertCounted(await all);
        Assert.Equal(10, (await some).Rows.Count);
        Assert.Equal(1, CountSearches(_east));
    }

    [Fact]
    public async Task WarnsOnceWithoutNames_WhenTwoPatientsShareAStudyUid()
    {
        _west.Hold(new HeldStudy("1.2.3") { PatientName = "ROE^RICHARD", PatientId = "P9" }.With("1.2.3.1"));
        await _proxy.GetAsync(Studies);
        await _proxy.GetAsync(Studies);

        Assert.Equal(1, (int)(await _proxy.GetAsync("/health/ready")).Json["search"]!["identityConflicts"]!);
        var line = Assert.Single(_proxy.Log.All, l => l.Contains("different patients", StringComparison.Ordinal));
        Assert.DoesNotContain("1.2.3", line);
        Assert.DoesNotContain(
            _proxy.Log.All, l => l.Contains("ROE", StringComparison.Ordinal) || l.Contains("DOE", StringComparison.Ordinal));
    }

    /// <summary>Searches for series without a study in the path; further pages of a search do not count.</summary>
    private static int CountSearches(WireMockPacs pacs) =>
        pacs.Requests.Count(r => r.Path == "series" && !r.Query.Contains("offset=", StringComparison.Ordinal));

    /// <summary>Each study has one series on both PACS and one on this PACS only.</summary>
    private static IEnumerable<HeldStudy> Held(int studies, int extra) =>
        Enumerable.Range(1, studies)
            .Select(n => new HeldStudy($"1.2.{n}").With($"1.2.{n}.1", "CT", 3).With($"1.2.{n}.{extra + 1}", "MR", extra));

    private static void AssertCounted(Reply reply)
    {
        Assert.Equal(30, reply.Rows.Count);
        Assert.Empty(reply.Warnings);
        Assert.All(reply.Rows, row => Assert.Equal((3, 6), ((int)row!["00201206"]!["Value"]![0]!, (int)row["00201208"]!["Value"]![0]!)));
    }
}
