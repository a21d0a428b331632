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

    [Theory]
    [InlineData("emptyvaluematching", "Empty Value Matching")]
    [InlineData("multiplevaluematching", "Multiple Value Matching")]
    public async Task WarnsOfMatchingThatThePacsMayNotDo(string parameter, string matching)
    {
        var reply = await _proxy.GetAsync($"{Studies}?{parameter}=true");

        Assert.Equal(
            $"299 Proxy \"The {parameter} parameter is not supported. {matching} has not been performed.\"", Assert.Single(reply.Warnings));
        Assert.Contains($"{parameter}=true", _east.Requests[0].Query, StringComparison.Ordinal);
        Assert.Empty((await _proxy.GetAsync($"{Studies}?{parameter}=false")).Warnings);
    }

    [Fact]
    public async Task SearchesWithoutTheOffsetFromUtc_WhenThePacsTakesItForAKey()
    {
        _west.Archive.MatchesOffset = true;

        foreach (var asked in (int[])[2, 3])
        {
            var reply = await _proxy.GetAsync(Studies + "?TimezoneOffsetFromUTC=%2B0100");

            Assert.Equal(["1.2.1", "1.2.2", "1.2.3", "1.2.4"], reply.Values("0020000D"));
            Assert.Contains("west does not support TimezoneOffsetFromUTC", Assert.Single(reply.Warnings), StringComparison.Ordinal);
            Assert.Equal(asked, _west.Requests.Count);
        }
        Assert.All(_east.Requests, r => Assert.Contains("TimezoneOffsetFromUTC=%2B0100", r.Query, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("StudyDate=20240101-20240103&StudyTime=1300-1100", "1.2.1,1.2.2")]
    [InlineData("StudyDate=20240101-&StudyTime=1300-", "1.2.1,1.2.2")]
    [InlineData("StudyDate=-20240102&StudyTime=-1130", "1.2.3,1.2.4")]
    public async Task MatchesDateAndTimeTogether(string query, string studies)
    {
        _east.Hold(new HeldStudy("1.2.1") { Date = "20240103", Time = "105959" }.With("1.2.1.1"));

        var reply = await _proxy.GetAsync($"{Studies}?{query}");

        Assert.Equal(studies.Split(','), reply.Values("0020000D"));
        Assert.All(_east.Requests, r => Assert.DoesNotContain("StudyTime", r.Query, StringComparison.Ordinal));
    }

    [Fact]
    public async Task ReturnsRequiredAttributes_EmptyWhereNoPacsKnowsThem()
    {
        var study = (await _proxy.GetAsync(Studies)).Rows[0]!.AsObject();
        string[] required = [
            "00080020", "00080030", "00080050", "00080061", "00080090", "00081190", "00100010", "00100020", "00100030", "00100040",
            "0020000D", "00200010", "00201206", "00201208"];
        Assert.Empty(required.Except(study.Select(a => a.Key)));
        Assert.Equal(study.Select(a => a.Key).Order(StringComparer.Ordinal), study.Select(a => a.Key));
        Assert.Equal("""{"vr":"SH"}""", study["00080050"]!.ToJsonString());

        var series = (await _proxy.GetAsync("/dicomweb/series?PatientID=P1")).Rows[0]!.AsObject();
        Assert.Empty(required.Concat(["00080060", "0020000E", "00200011", "00201209"]).Except(series.Select(a => a.Key)));
        var instance = (await _proxy.GetAsync("/dicomweb/instances")).Rows[0]!.AsObject();
        Assert.Empty(required.Concat(["00080016", "00080018", "00200013", "0020000E"]).Except(instance.Select(a => a.Key)));
        Assert.StartsWith(_proxy.Address + "/dicomweb/studies/", (string)instance["00081190"]!["Value"]![0]!);
    }

    [Fact]
    public async Task RemovesAttributesOfLowerLevels()
    {
        _east.Respond(PacsAnswer.Json("""
            [{"00080060":{"vr":"CS","Value":["CT"]},"0020000D":{"vr":"UI","Value":["1.2.1"]},
              "0020000E":{"vr":"UI","Value":["1.2.1.1"]},"00280010":{"vr":"US","Value":[512]}}]
            """));

        var row = (await _proxy.GetAsync("/backends/east/dicomweb/studies?includefield=Modality,Rows")).Rows[0]!.AsObject();

        Assert.Empty(((string[])["00080060", "0020000E", "00280010"]).Intersect(row.Select(a => a.Key)));
        Assert.DoesNotContain("00280010", _east.Requests[0].Query, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SaysSo_WhenAPacsMayHaveIgnoredAKeyInsideASequence() => Assert.Contains(
        (await _proxy.GetAsync("/dicomweb/series?RequestAttributesSequence.ScheduledProcedureStepID=7")).Warnings,
        warning => warning.Contains(
            "east may have ignored RequestAttributesSequence.ScheduledProcedureStepID", StringComparison.Ordinal));

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
