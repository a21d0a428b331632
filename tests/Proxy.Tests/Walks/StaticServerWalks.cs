using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A backend that is a web server with DICOM JSON files: it answers every search with the same list.</summary>
public sealed class StaticServerWalks : IAsyncDisposable
{
    private readonly WireMockPacs _files = new(
        new HeldStudy("1.2.1") { Date = "20240103", PatientName = "SMITH^JOHN", PatientId = "P1" }.With("1.2.1.1", "CT", 3)
            .With("1.2.1.2", "MR", 2),
        new HeldStudy("1.2.2") { Date = "20240102", PatientName = "SMYTHE^JANE", PatientId = "P2" }.With("1.2.2.1", "MR", 2),
        new HeldStudy("1.2.3") { Date = "20230101", PatientName = "DOE^JOHN", PatientId = "P3" }.With("1.2.3.1", "US"));

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.9") { Date = "20220101", PatientName = "SMITH^ADAM" }.With("1.2.9.1"));

    private readonly ProxyHost _proxy;

    public StaticServerWalks()
    {
        _files.Archive.IsStatic = true;
        _proxy = new(("files", _files.Address), ("east", _east.Address)) { ["Search:Freshness"] = "00:00:00" };
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _files.Dispose();
        _east.Dispose();
    }

    [Theory]
    [InlineData("studies?PatientName=smith*", "1.2.1,1.2.9")]
    [InlineData("studies?StudyInstanceUID=1.2.2", "1.2.2")]
    [InlineData("studies?StudyInstanceUID=1.2.2,1.2.3", "1.2.2,1.2.3")]
    [InlineData("studies?StudyDate=20240101-", "1.2.1,1.2.2")]
    [InlineData("studies?ModalitiesInStudy=MR", "1.2.1,1.2.2")]
    [InlineData("studies?PatientID=P9", "")]
    [InlineData("studies?limit=1&PatientName=*J*", "1.2.1")]
    public async Task MatchesStudiesHere(string search, string studies)
    {
        // The fake PACS matches neither dates nor names as a PACS does.
        var root = search.Contains("Date", StringComparison.Ordinal) ? "/backends/files/dicomweb/" : "/dicomweb/";
        foreach (var _ in (int[])[1, 2])
        {
            var reply = await _proxy.GetAsync(root + search);
            Assert.Equal(studies.Split(',', StringSplitOptions.RemoveEmptyEntries), reply.Values("0020000D"));
            Assert.Equal("", reply["X-Failed-Backends"]);
        }
    }

    [Theory]
    [InlineData("series?Modality=MR", "0020000E", "1.2.1.2,1.2.2.1")]
    [InlineData("series?PatientName=doe^*", "0020000E", "1.2.3.1")]
    [InlineData("studies/1.2.1/series?Modality=CT", "0020000E", "1.2.1.1")]
    [InlineData("instances?PatientID=P1&Modality=MR", "00080018", "1.2.1.2.1,1.2.1.2.2")]
    [InlineData("instances?SeriesInstanceUID=1.2.2.1&InstanceNumber=2", "00080018", "1.2.2.1.2")]
    [InlineData("studies/1.2.1/instances", "00080018", "1.2.1.1.1,1.2.1.1.2,1.2.1.1.3,1.2.1.2.1,1.2.1.2.2")]
    [InlineData("studies/1.2.1/instances?InstanceNumber=1", "00080018", "1.2.1.1.1,1.2.1.2.1")]
    [InlineData("studies/1.2.1/series/1.2.1.1/instances?InstanceNumber=3", "00080018", "1.2.1.1.3")]
    public async Task AnswersAllResources(string search, string tag, string objects)
    {
        foreach (var _ in (int[])[1, 2])
        {
            var reply = await _proxy.GetAsync("/backends/files/dicomweb/" + search);
            Assert.Equal(objects.Split(','), reply.Values(tag));
            Assert.Empty(reply.Warnings);
            Assert.All(
                reply.Rows,
                row => Assert.StartsWith(_proxy.Address + "/backends/files/dicomweb/studies/", (string)row!["00081190"]!["Value"]![0]!));
        }
    }

    [Fact]
    public async Task CountsWhatRemains_OverTheMatches()
    {
        var first = await _proxy.GetAsync("/dicomweb/studies?limit=1&PatientName=smith*");
        Assert.Contains("There are 1 additional results that can be requested", Assert.Single(first.Warnings), StringComparison.Ordinal);
        var last = await _proxy.GetAsync("/dicomweb/studies?limit=1&offset=1&PatientName=smith*");
        Assert.Equal(["1.2.9"], last.Values("0020000D"));
        Assert.Empty(last.Warnings);
    }

    [Fact]
    public async Task LearnsOnce_ThatTheServerIgnoresSearches()
    {
        const string Search = "/backends/files/dicomweb/studies?PatientID=P1";
        await _proxy.GetAsync(Search);
        var asked = _files.Requests.Count;
        Assert.Contains(_files.Requests, r => r.Query.Contains("0020000D=2.25.", StringComparison.Ordinal));
        await _proxy.GetAsync(Search);
        Assert.Equal(asked + 1, _files.Requests.Count);
        Assert.DoesNotContain(_east.Requests, r => r.Query.Contains("2.25.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task MatchesEmptyAndMultipleValues()
    {
        const string Root = "/backends/files/dicomweb/studies?";
        await _proxy.GetAsync(Root + "PatientID=P1");
        var empty = await _proxy.GetAsync(Root + "emptyvaluematching=true&PatientID=P1&StudyID=%22%22");
        Assert.Equal(["1.2.1"], empty.Values("0020000D"));
        Assert.Empty(empty.Warnings);
    }

    [Fact]
    public async Task SaysSo_WhenTheServerDoesNotListAnAttribute()
    {
        await _proxy.GetAsync("/backends/files/dicomweb/studies?PatientID=P1");
        var reply = await _proxy.GetAsync("/backends/files/dicomweb/studies?AccessionNumber=7");
        Assert.Empty(reply.Rows);
        Assert.Contains("files does not list AccessionNumber", Assert.Single(reply.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ReadsAFileWithoutAnExtension()
    {
        _files.On(
            "studies", request => _files.Archive.Answer(request.Path, request.Query, "") with { ContentType = "application/octet-stream" });
        Assert.Equal(3, (await _proxy.GetAsync("/backends/files/dicomweb/studies")).Rows.Count);
    }
}
