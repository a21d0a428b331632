using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A PACS returns rows in pages of its own size; the proxy reads further pages with as few requests as possible.</summary>
public sealed class PagingWalks : IAsyncDisposable
{
    private const string Studies = "/dicomweb/studies";

    private readonly WireMockPacs _east = new(
        Enumerable.Range(1, 45).Select(n => new HeldStudy($"1.3.{n}") { PatientId = n <= 15 ? "P1" : "P2" }.With($"1.3.{n}.1")));

    private readonly ProxyHost _proxy;

    public PagingWalks() => _proxy = new(("east", _east.Address)) { ["Search:Freshness"] = "00:00:00" };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Fact]
    public async Task ReadsFurtherPages_WhenThePacsReportsRemainingRows()
    {
        (_east.Archive.PageCap, _east.Archive.ReportsRemaining) = (20, true);

        await AssertAllRowsAsync();
        Assert.Equal(3, _east.Requests.Count);
    }

    [Fact]
    public async Task DetectsAndRemembersACap_WhenThePacsDoesNotReportIt()
    {
        _east.Archive.PageCap = 20;

        await AssertAllRowsAsync();
        Assert.Equal(["0", "20", "40"], _east.Requests.Select(GetOffset));

        // Fifteen rows are fewer than the cap, so the list is complete.
        Assert.Equal(15, (await _proxy.GetAsync(Studies + "?PatientID=P1")).Rows.Count);
        Assert.Equal(4, _east.Requests.Count);
    }

    [Fact]
    public async Task ProbesTheNextPageOnce_WhenAPageMayBeCapped()
    {
        await AssertAllRowsAsync();
        Assert.Equal(["0", "45"], _east.Requests.Select(GetOffset));

        await AssertAllRowsAsync();
        Assert.Equal(15, (await _proxy.GetAsync(Studies + "?PatientID=P1")).Rows.Count);
        Assert.Equal(4, _east.Requests.Count);
    }

    [Fact]
    public async Task SendsNoProbe_WhenTheListIsShort()
    {
        using var west = new WireMockPacs(Enumerable.Range(1, 9).Select(n => new HeldStudy($"1.3.{n}").With($"1.3.{n}.1")));
        await using var proxy = new ProxyHost(("west", west.Address));

        Assert.Equal(9, (await proxy.GetAsync(Studies)).Rows.Count);
        Assert.Single(west.Requests);
    }

    [Theory]
    [InlineData(200)]
    [InlineData(150)]
    public async Task RetriesWithASmallerLimitAndRemembersIt_WhenThePacsRefusesALimit(int max)
    {
        _east.Archive.MaxLimit = max;

        await AssertAllRowsAsync();
        var asked = _east.Requests.Count;
        Assert.InRange(asked, 2, 4);

        await AssertAllRowsAsync();
        Assert.Equal(asked + 1, _east.Requests.Count);
        Assert.Contains($"limit={(max == 200 ? 200 : 100)}&", _east.Requests[^1].Query);
    }

    [Fact]
    public async Task RemembersNoLimit_WhenTheSearchItselfIsWrong()
    {
        _east.Fail(400, "studies");
        (await _proxy.GetAsync(Studies)).IsProblem(400);
        _east.Recover();

        var before = _east.Requests.Count;

        await AssertAllRowsAsync();
        Assert.Contains("limit=1001&", _east.Requests[before].Query);
    }

    [Fact]
    public async Task StopsReading_WhenThePacsIgnoresOffsets()
    {
        (_east.Archive.PageCap, _east.Archive.IgnoresOffset, _east.Archive.ReportsRemaining) = (20, true, true);

        Assert.Equal(20, (await _proxy.GetAsync(Studies)).Rows.Count);
        Assert.Equal(2, _east.Requests.Count);
    }

    [Fact]
    public async Task StopsReading_WhenPagesHaveNoValidRows()
    {
        _east.Respond(PacsAnswer.Json("""[{"0020000D":{"vr":"UI","Value":["1.2.3"]}},{"00080020":{"vr":"DA"}}]""") with
        {
            Headers = [("Warning", "299 pacs: There are 7 additional results that can be requested")],
        });

        var reply = await _proxy.GetAsync(Studies);

        Assert.Equal(["1.2.3"], reply.Values("0020000D"));
        Assert.Equal(2, _east.Requests.Count);
    }

    [Fact]
    public async Task EndsTheList_WhenThePacsRefusesAnOffset()
    {
        _east.Archive.RefusesOffsetPastEnd = true;

        var reply = await AssertAllRowsAsync();
        Assert.Empty(reply.Warnings);
    }

    [Fact]
    public async Task FillsThePage_WhenTwoPacsHoldTheSameStudies()
    {
        using var west = new WireMockPacs(Enumerable.Range(1, 45).Select(
            n => new HeldStudy($"1.3.{n}").With($"1.3.{n}.1")).Append(new HeldStudy("1.4") { Date = "20200101" }.With("1.4.1")));
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address));

        var first = await proxy.GetAsync(Studies + "?limit=44&offset=0");
        var second = await proxy.GetAsync(Studies + "?limit=44&offset=44");

        Assert.Equal(44, first.Rows.Count);
        Assert.Contains("There are 2 additional results that can be requested", Assert.Single(first.Warnings));
        Assert.Equal(46, first.Values("0020000D").Concat(second.Values("0020000D")).Distinct().Count());
    }

    [Fact]
    public async Task ReturnsMaxResultsRowsAndReportsMore_WhenTheSearchHasNoLimit()
    {
        await using var proxy = new ProxyHost(("east", _east.Address)) { ["Search:MaxResults"] = "30" };

        var reply = await proxy.GetAsync(Studies);
        Assert.Equal(30, reply.Rows.Count);
        Assert.Contains(reply.Warnings, w => w.Contains("There are 1 additional results that can be requested", StringComparison.Ordinal));
        Assert.Contains(reply.Warnings, w => w.Contains("east has more results than were read", StringComparison.Ordinal));
        Assert.Contains("limit=31&", Assert.Single(_east.Requests).Query);

        var rest = await proxy.GetAsync(Studies + "?offset=30");
        Assert.Equal(45, reply.Values("0020000D").Concat(rest.Values("0020000D")).Distinct().Count());
        Assert.Empty(rest.Warnings);
    }

    [Fact]
    public async Task AppliesMaxResults_ToTheMergedList()
    {
        using var west = new WireMockPacs(Enumerable.Range(1, 45).Select(n => new HeldStudy($"1.4.{n}").With($"1.4.{n}.1")));
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address)) { ["Search:MaxResults"] = "50" };

        var reply = await proxy.GetAsync(Studies);

        Assert.Equal(50, reply.Rows.Count);
        Assert.Contains("There are 40 additional results that can be requested", Assert.Single(reply.Warnings));
    }

    [Theory]
    [InlineData(7, null)]
    [InlineData(10, 4)]
    [InlineData(33, 20)]
    public async Task ReadsPagesPastMaxResults_WithEachRowOnce(int limit, int? cap)
    {
        using var west = new WireMockPacs(
            Enumerable.Range(20, 45).Select(n => new HeldStudy($"1.3.{n}") { Date = $"202401{n % 28 + 1:00}" }.With($"1.3.{n}.1")));
        west.Archive.Order = studies => studies.Reverse();
        (west.Archive.PageCap, west.Archive.ReportsRemaining) = (cap, cap is not null);
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address)) { ["Search:MaxResults"] = "10" };
        var found = new List<string?>();

        for (var isMore = true; isMore;)
        {
            var page = await proxy.GetAsync($"{Studies}?limit={limit}&offset={found.Count}");
            isMore = page.Warnings.Any(w => w.Contains("additional results", StringComparison.Ordinal));
            if (isMore) Assert.Equal(limit, page.Rows.Count);
            found.AddRange(page.Values("0020000D"));
        }

        Assert.Equal(64, found.Count);
        Assert.Equal(64, found.Distinct().Count());
        Assert.Equal(found.Take(limit), (await proxy.GetAsync($"{Studies}?limit={limit}")).Values("0020000D"));
    }

    [Fact]
    public async Task ReturnsAllSeriesOfAStudy_WhenTheyExceedMaxResults()
    {
        using var west = new WireMockPacs(
            Enumerable.Range(1, 12).Aggregate(new HeldStudy("1.7"), (study, n) => study.With($"1.7.{n}", instances: n == 1 ? 45 : 1)));
        await using var proxy = new ProxyHost(("west", west.Address)) { ["Search:MaxResults"] = "10" };

        foreach (var (path, count) in ((string, int)[])[
            ("/1.7/series", 12), ("/1.7/instances", 56), ("/1.7/series/1.7.1/instances", 45), ("/1.7/series?Modality=CT", 12)])
        {
            var reply = await proxy.GetAsync(Studies + path);
            Assert.Equal(count, reply.Rows.Count);
            Assert.Empty(reply.Warnings);
        }
        Assert.Equal(12, (await proxy.GetAsync("/dicomweb/series?StudyInstanceUID=1.7")).Rows.Count);
        Assert.Equal(5, (await proxy.GetAsync(Studies + "/1.7/instances?limit=5&offset=50")).Rows.Count);
    }

    [Fact]
    public async Task Returns413_WhenThePageIsPastTheReadLimit()
    {
        var rows = Enumerable.Range(1, 100_002).Select(n => $$$"""{"0020000D":{"vr":"UI","Value":["1.8.{{{n}}}"]}}""");
        _east.Respond(PacsAnswer.Json($"[{string.Join(',', rows)}]"));

        (await _proxy.GetAsync(Studies + "?limit=10&offset=100000")).IsProblem(413, names: "100000");
        (await _proxy.GetAsync(Studies + "?limit=2147483647")).IsProblem(413);
        (await _proxy.GetAsync(Studies + "?limit=10&offset=99995")).IsProblem(413);
        Assert.Equal(10, (await _proxy.GetAsync(Studies + "?limit=10&offset=99990")).Rows.Count);
    }

    [Fact]
    public async Task ReturnsAnEmptyPage_WhenTheOffsetIsPastTheLastRow()
    {
        var reply = await _proxy.GetAsync(Studies + "?limit=10&offset=2000000000");
        Assert.Empty(reply.Rows);
        Assert.Empty(reply.Warnings);
    }

    [Fact]
    public async Task StopsReading_WhenThePageHasEnoughRows()
    {
        using var west = new RawPacs();
        await using var proxy = new ProxyHost(("west", west.Address));
        west.On("studies", async connection =>
        {
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nConnection: close\r\n\r\n[");
            var rows = Enumerable.Range(1, 20_000).Select(n => $$$"""{"0020000D":{"vr":"UI","Value":["1.8.{{{n}}}"]}}""");
            await connection.SendAsync(string.Join(',', rows));
            // The list never ends.
            await connection.WaitForDisconnectAsync();
        });

        var reply = await proxy.GetAsync(Studies);

        Assert.Equal(1000, reply.Rows.Count);
        Assert.Equal("", reply["X-Failed-Backends"]);
        Assert.Single(west.Requests);
    }

    [Fact]
    public async Task ReturnsTheRowsAndNamesThePacs_WhenAListIsTruncated()
    {
        using var west = new RawPacs(Enumerable.Range(1, 25).Select(n => new HeldStudy($"1.5.{n}").With($"1.5.{n}.1")));
        (west.Archive.PageCap, west.Archive.ReportsRemaining) = (20, true);
        await using var proxy = new ProxyHost(("west", west.Address));
        var asked = 0;
        west.On("studies", async connection =>
        {
            if (Interlocked.Increment(ref asked) == 1) await west.AnswerAsync(connection);
            else connection.Reset();
        });

        var reply = await proxy.GetAsync(Studies);

        Assert.Equal(20, reply.Rows.Count);
        Assert.Equal("west", reply["X-Failed-Backends"]);
        Assert.Equal("no-store", reply["Cache-Control"]);
    }

    [Fact]
    public async Task DoesNotAskHealthyPacsAgainForFurtherPages_WhileAnotherIsDead()
    {
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", PartialFailureWalks.DeadAddress()));
        var pages = new List<string?>();
        for (var offset = 0; offset < 45; offset += 15)
        {
            var page = await proxy.GetAsync($"{Studies}?limit=15&offset={offset}");
            Assert.Equal("west", page["X-Failed-Backends"]);
            pages.AddRange(page.Values("0020000D"));
        }

        Assert.Equal(45, pages.Distinct().Count());
        Assert.Equal(2, _east.Requests.Count);
    }

    private async Task<Reply> AssertAllRowsAsync()
    {
        var reply = await _proxy.GetAsync(Studies);
        Assert.Equal(45, reply.Values("0020000D").Distinct().Count());
        return reply;
    }

    private static string GetOffset(PacsRequest request) => request.Query.Split("offset=")[1].Split('&')[0];
}
