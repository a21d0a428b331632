using System.Text.Json.Nodes;
using Xunit;

namespace Proxy.Integration;

/// <summary>QIDO-RS over two archives that overlap: clients see one PACS.</summary>
public sealed class SearchTests(Lab lab) : IAsyncLifetime
{
    private ProxyProcess _proxy = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _proxy = await lab.GetProxyAsync(Cancel);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task ListsEveryStudyOnce()
    {
        var rows = await RowsAsync("studies");
        Assert.Equal(Uids(Archives.Studies.Select(s => s.Uid)), Uids(rows.Select(r => r!.Text(Tags.StudyInstanceUid)!)));
    }

    [Fact]
    public async Task ReturnsTheRowsOfOneArchiveWithEverything()
    {
        var everything = await lab.GetEverythingAsync(Cancel);
        await AssertSaysTheSameAsync(everything, "studies", Tags.StudyInstanceUid);
        foreach (var study in Archives.Studies)
            await AssertSaysTheSameAsync(everything, $"studies/{study.Uid}/series", Tags.SeriesInstanceUid);
        foreach (var series in Archives.All)
            await AssertSaysTheSameAsync(everything, $"{series.Path}/instances", Tags.SopInstanceUid);
    }

    [Fact]
    public async Task CountsTheUnion_WhenBothArchivesHoldPartsOfAStudy()
    {
        var row = (await RowsAsync("studies")).By(Tags.StudyInstanceUid)[Archives.Shared.Uid];
        Assert.Equal("3", row.Text(Tags.NumberOfStudyRelatedSeries));
        Assert.Equal("18", row.Text(Tags.NumberOfStudyRelatedInstances));
        Assert.Equal(["CT"], row.Texts(Tags.ModalitiesInStudy));
    }

    [Fact]
    public async Task ListsTheSeriesOfBothArchives_Once()
    {
        var rows = (await RowsAsync($"studies/{Archives.Shared.Uid}/series")).By(Tags.SeriesInstanceUid);
        Assert.Equal(Uids(Archives.Find(Archives.Shared).Select(s => s.Uid)), Uids(rows.Keys));
        foreach (var series in Archives.Find(Archives.Shared))
            Assert.Equal($"{series.Count}", rows[series.Uid].Text(Tags.NumberOfSeriesRelatedInstances));
    }

    [Fact]
    public async Task ListsTheInstancesOfASharedSeries_Once()
    {
        var rows = await RowsAsync($"{Archives.OnBoth.Path}/instances");
        Assert.Equal(Uids(Archives.OnBoth.Instances.Select(i => i.Uid)), Uids(rows.Select(r => r!.Text(Tags.SopInstanceUid)!)));
    }

    [Fact]
    public async Task FindsThePriorsOfEveryArchive()
    {
        // By tag, like OHIF.
        var rows = await RowsAsync($"studies?00100020={Archives.Adler.Id}&limit=101&offset=0&fuzzymatching=false");
        Assert.Equal(
            Uids([Archives.Ct.Uid, Archives.PriorCt.Uid, Archives.PriorCr.Uid]),
            Uids(rows.Select(r => r!.Text(Tags.StudyInstanceUid)!)));
    }

    [Fact]
    public async Task FindsStudies_ByAPartOfAName()
    {
        var row = Assert.Single(await RowsAsync("studies?PatientName=*yamada*&limit=101&offset=0&fuzzymatching=false"))!;
        Assert.Equal(Archives.Us.Uid, row.Text(Tags.StudyInstanceUid));
        Assert.Equal("Yamada^Tarou", row.Name(Tags.PatientName));
    }

    [Fact]
    public async Task PagesThroughTheUnion()
    {
        var pages = new List<string>();
        for (var offset = 0; offset <= Archives.Studies.Count(); offset += 3)
        {
            var answer = await _proxy.Client.AskAsync($"studies?limit=3&offset={offset}", DicomwebClient.Json, Cancel);
            pages.AddRange(answer.Body.Length == 0 ? [] : answer.Datasets.Select(r => r!.Text(Tags.StudyInstanceUid)!));
        }

        Assert.Equal((await RowsAsync("studies")).Select(r => r!.Text(Tags.StudyInstanceUid)!), pages);
    }

    [Fact]
    public async Task NamesNoArchiveInAnyAnswer()
    {
        string[] paths =
        [
            "studies", "series", "instances", .. Archives.Studies.Select(s => $"studies/{s.Uid}/series"),
            .. Archives.All.Select(s => $"{s.Path}/instances"), .. Archives.All.Select(s => $"{s.Path}/metadata"),
        ];
        foreach (var path in paths)
        {
            var answer = await _proxy.Client.GetJsonAsync(path, Cancel);
            Assert.All(answer.Datasets.Urls(), url => Assert.StartsWith(_proxy.Dicomweb + "/", url, StringComparison.Ordinal));
            foreach (var port in new[] { lab.East.Port, lab.West.Port, lab.EastWire.Port, lab.WestWire.Port })
            {
                Assert.DoesNotContain($":{port}", answer.Text, StringComparison.Ordinal);
                Assert.All(answer.Headers.Values, value => Assert.DoesNotContain($":{port}", value, StringComparison.Ordinal));
            }
        }
    }

    /// <summary>The proxy may add attributes and use its own address, but must not change anything else.</summary>
    private async Task AssertSaysTheSameAsync(DicomwebClient everything, string path, uint uid)
    {
        var expected = (await everything.GetJsonAsync(path, Cancel)).Datasets.By(uid);
        var actual = (await RowsAsync(path)).By(uid);
        Assert.Equal(Uids(expected.Keys), Uids(actual.Keys));
        foreach (var (key, row) in expected)
        {
            foreach (var (tag, value) in row.AsObject().Where(a => a.Key != Tags.Json(Tags.RetrieveUrl)))
                Assert.True(JsonNode.DeepEquals(value, actual[key][tag]), $"{path} {tag}: {value} became {actual[key][tag]}");
        }
    }

    private static string[] Uids(IEnumerable<string> uids) => [.. uids.Order(StringComparer.Ordinal)];

    private async Task<JsonArray> RowsAsync(string path) => (await _proxy.Client.GetJsonAsync(path, Cancel)).Datasets;
}
