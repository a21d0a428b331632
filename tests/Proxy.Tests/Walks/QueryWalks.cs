using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Searches as viewers send them, to PACS that do not accept them in that form.</summary>
public sealed class QueryWalks : IAsyncDisposable
{
    private const string Studies = "/dicomweb/studies";

    private readonly WireMockPacs _east = new(
        new HeldStudy("1.2.1") { Date = "20240103" }.With("1.2.1.1", "CT").With("1.2.1.2", "MR"),
        new HeldStudy("1.2.2") { Date = "20240102" }.With("1.2.2.1", "MR"),
        new HeldStudy("1.2.3") { Date = "20240101" }.With("1.2.3.1", "US"));

    private readonly WireMockPacs _west = new(new HeldStudy("1.2.4") { Date = "20230101" }.With("1.2.4.1", "CT"));

    private readonly ProxyHost _proxy;

    public QueryWalks() => _proxy = new(("east", _east.Address), ("west", _west.Address)) { ["Search:Freshness"] = "00:00:00" };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
        _west.Dispose();
    }

    [Theory]
    [InlineData("?ModalitiesInStudy=CT%2CMR")]
    [InlineData("?ModalitiesInStudy=CT%5CMR")]
    [InlineData("?ModalitiesInStudy=CT&ModalitiesInStudy=MR")]
    [InlineData("?00080061=CT,MR")]
    public async Task SendsModalitiesInOneSearch_OrInSeveralWhenThePacsRefusesAList(string search)
    {
        _west.Archive.RefusesModalityLists = true;

        foreach (var asked in (int[])[4, 7])
        {
            var reply = await _proxy.GetAsync(Studies + search.Replace("00080061", "ModalitiesInStudy", StringComparison.Ordinal));
            Assert.Equal(["1.2.1", "1.2.2", "1.2.4"], reply.Values("0020000D"));
            Assert.Empty(reply.Warnings);
            Assert.Equal(asked, _west.Requests.Count);
        }
        Assert.Equal(4, _east.Requests.Count);
    }

    [Fact]
    public async Task MergesAllParts_WhenOnePartHasNoSeriesOfTheModality()
    {
        _west.Hold(new HeldStudy("1.2.3") { Date = "20240101" }.With("1.2.3.2", "SR", 2));

        var reply = await _proxy.GetAsync(Studies + "?ModalitiesInStudy=SR");

        var row = Assert.Single(reply.Rows)!;
        Assert.Equal(["SR", "US"], row["00080061"]!["Value"]!.AsArray().Select(m => (string)m!).Order());
        Assert.Equal(2, (int)row["00201206"]!["Value"]![0]!);
        Assert.Equal(3, (int)row["00201208"]!["Value"]![0]!);
    }

    [Fact]
    public async Task ReportsAFailure_WhenThePacsRefusesEveryForm()
    {
        _west.Fail(400);

        var reply = await _proxy.GetAsync(Studies + "?ModalitiesInStudy=CT,MR");

        Assert.Equal(["1.2.1", "1.2.2"], reply.Values("0020000D"));
        Assert.Equal("west", reply["X-Failed-Backends"]);
    }

    [Theory]
    [InlineData("true", 1)]
    [InlineData("false", 0)]
    public async Task WarnsOfLiteralMatching_WhenFuzzyMatchingWasRequested(string fuzzy, int warnings)
    {
        var reply = await _proxy.GetAsync($"{Studies}?PatientName=Jane&fuzzymatching={fuzzy}");

        Assert.Equal(
            warnings,
            reply.Warnings.Count(w => w.Contains(
                "The fuzzymatching parameter is not supported. Only literal matching has been performed.", StringComparison.Ordinal)));
        Assert.All(_east.Requests, r => Assert.Equal(fuzzy == "true", r.Query.Contains("fuzzymatching=true", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task DoesNotWarn_WhenEveryPacsMatchesFuzzily()
    {
        await using var proxy = new ProxyHost(("east", _east.Address)) { ["Backends:east:FuzzyMatching"] = "true" };
        Assert.Empty((await proxy.GetAsync(Studies + "?PatientName=Jane&fuzzymatching=true")).Warnings);
    }

    [Fact]
    public async Task RequestsAttributesForMerging_AndReturnsOnlyRequestedOnes()
    {
        _east.Archive.ReturnsOnlyRequestedAttributes = _west.Archive.ReturnsOnlyRequestedAttributes = true;

        var bare = (await _proxy.GetAsync(Studies)).Rows[0]!;
        var full = (await _proxy.GetAsync(Studies + "?includefield=IssuerOfPatientID,StudyDescription")).Rows[0]!;

        Assert.Equal(["CT", "MR"], bare["00080061"]!["Value"]!.AsArray().Select(m => (string)m!));
        Assert.Equal(2, (int)bare["00201206"]!["Value"]![0]!);
        Assert.Null(bare["00100021"]);
        Assert.Null(bare["00081030"]);
        Assert.Equal("ISSUER", (string)full["00100021"]!["Value"]![0]!);
        Assert.Equal("Chest", (string)full["00081030"]!["Value"]![0]!);
        Assert.Contains("00100021", _east.Requests[0].Query);
    }

    [Fact]
    public async Task ReturnsAllAttributes_WhenAllAreRequested()
    {
        var row = (await _proxy.GetAsync(Studies + "?includefield=all")).Rows[0]!;
        Assert.NotNull(row["00100021"]);
        Assert.Contains("includefield=all", _east.Requests[0].Query);
    }

    [Fact]
    public async Task FetchesAgain_WhenACachedRowLacksRequestedAttributes()
    {
        const string East = "/backends/east/dicomweb/studies";
        await _proxy.GetAsync(East);
        Assert.Equal("Proxy; hit", (await _proxy.GetAsync(East + "?StudyInstanceUID=1.2.1")).CacheStatus);
        Assert.Equal(
            "Proxy; fwd=miss; stored", (await _proxy.GetAsync(East + "?StudyInstanceUID=1.2.1&includefield=StudyDescription")).CacheStatus);
        Assert.Equal("Proxy; hit", (await _proxy.GetAsync(East + "?StudyInstanceUID=1.2.1&includefield=StudyDescription")).CacheStatus);
    }

    [Theory]
    [InlineData("1.2.2%5C1.2.4")]
    [InlineData("1.2.2,1.2.4")]
    [InlineData("1.2.2%2C1.2.4")]
    public async Task FindsSeveralStudies_WithOneSearch(string uids) =>
        Assert.Equal(
            ["1.2.2", "1.2.4"],
            (await _proxy.GetAsync($"{Studies}?limit=101&offset=0&fuzzymatching=false&StudyInstanceUID={uids}")).Values("0020000D"));

    [Fact]
    public async Task IgnoresUnknownParameters_AndNamesThemWithoutTheirValues()
    {
        var reply = await _proxy.GetAsync(
            Studies + "?PatientID=P1&_=1700000000000&orderby=-StudyDate&token=S3CRET&accept=application/dicom%2Bjson&charset=utf-8");

        Assert.Equal(["1.2.1", "1.2.2", "1.2.3", "1.2.4"], reply.Values("0020000D"));
        Assert.Equal("299 Proxy \"Unknown parameters were ignored: _, orderby, token\"", Assert.Single(reply.Warnings));
        Assert.DoesNotContain("S3CRET", string.Concat(reply.Headers.SelectMany(h => h.Value)), StringComparison.Ordinal);
        Assert.DoesNotContain(_proxy.Log.All, line => line.Contains("S3CRET", StringComparison.Ordinal));
        Assert.All(_east.Requests, r => Assert.DoesNotContain("token", r.Query, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("?PatientName=&StudyInstanceUID=&ModalitiesInStudy=")]
    [InlineData("?00100020=&0020000D=&SeriesInstanceUID=")]
    public async Task MatchesEverything_WhenAValueIsEmpty(string search) =>
        Assert.Equal(["1.2.1", "1.2.2", "1.2.3", "1.2.4"], (await _proxy.GetAsync(Studies + search)).Values("0020000D"));

    [Fact]
    public async Task FindsAStudy_WhenAnOldArchiveGaveItAnInvalidUid()
    {
        _west.Hold(new HeldStudy("1.02.003") { Date = "20220101" }.With("1.02.003.01", "CT", 2));

        Assert.Equal(["1.02.003"], (await _proxy.GetAsync(Studies + "?StudyInstanceUID=1.02.003%20")).Values("0020000D"));
        Assert.Equal(["1.02.003.01"], (await _proxy.GetAsync(Studies + "/1.02.003/series")).Values("0020000E"));
        Assert.Equal(2, (await _proxy.GetAsync(Studies + "/1.02.003%20/series/1.02.003.01%20/metadata")).Rows.Count);
        Assert.Contains(_west.Requests, r => r.Path == "studies/1.02.003/series/1.02.003.01/metadata");
    }
}
