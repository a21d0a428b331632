using System.Text.Json.Nodes;
using Xunit;

namespace Proxy.Integration;

/// <summary>A PACS that is asked by DIMSE says the same as Orthanc's DICOMweb about the same instances.</summary>
public sealed class DimseTests
{
    private static readonly Series[] Stored = [Archives.OldAxial, Archives.T1, Archives.Chest, Archives.Clip];

    /// <summary>The character set of the answer, the stored transfer syntax, and links: each server writes its own.</summary>
    private static readonly string[] Own = ["00080005", "00083002", "00081190", "7FE00010"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("ORTHANC")]
    [InlineData("DCMTK")]
    public async Task SaysTheSameAsDicomWeb(string peer)
    {
        Real.RequireOrthanc();
        Real.RequireDcmtk();
        var dicomPort = Readiness.FreePort();
        await using var orthanc = await OrthancServer.StartAsync("dimse", null, dicomPort, Cancel);
        await orthanc.StoreAsync(Stored.SelectMany(series => series.Instances), Cancel);
        await using var dcmtk = await DcmtkServer.StartAsync(Cancel);
        if (peer == "DCMTK") await dcmtk.StoreAsync(Stored.SelectMany(series => series.Instances), Cancel);
        await using var proxy = await ProxyProcess.StartAsync(
            [
                "Backends:north:Kind=Dimse", "Backends:north:Host=127.0.0.1", $"Backends:north:CalledAeTitle={peer}",
                $"Backends:north:Port={(peer == "DCMTK" ? dcmtk.Port : dicomPort)}", "Backends:north:CallingAeTitle=PROXY",
                .. ProxyProcess.NoPrefetch,
            ],
            Cancel);
        DicomwebClient asked = proxy.Client, reference = new(orthanc.Http, orthanc.Address);

        await AssertSameAsync("studies", Tags.StudyInstanceUid);
        foreach (var series in Stored)
        {
            await AssertSameAsync($"studies/{series.Study.Uid}/series", Tags.SeriesInstanceUid);
            await AssertSameAsync($"{series.Path}/instances", Tags.SopInstanceUid);
            AssertSame(await asked.GetMetadataAsync(series, Cancel), await reference.GetMetadataAsync(series, Cancel));
            var last = series.Instances.Last();
            Assert.Equal(
                (await reference.GetFramesAsync(last, "1", Cancel)).Parts(), (await asked.GetFramesAsync(last, "1", Cancel)).Parts());
        }

        async Task AssertSameAsync(string path, uint key)
        {
            var (rows, expected) = (await asked.GetJsonAsync(path, Cancel), await reference.GetJsonAsync(path, Cancel));
            Assert.Equal(Values(expected.Datasets, key), Values(rows.Datasets, key));
        }
    }

    private static IEnumerable<string> Values(JsonArray datasets, uint key) =>
        datasets.Select(dataset => dataset!.Text(key)!).Order(StringComparer.Ordinal);

    private static void AssertSame(Answer asked, Answer reference)
    {
        var (datasets, expected) = (asked.Datasets.By(Tags.SopInstanceUid), reference.Datasets.By(Tags.SopInstanceUid));
        Assert.Equal(expected.Keys.Order(), datasets.Keys.Order());
        foreach (var (uid, dataset) in expected)
        {
            foreach (var (tag, value) in dataset.AsObject())
            {
                if (!Own.Contains(tag) && !value!.ToJsonString().Contains("BulkDataURI", StringComparison.Ordinal))
                    Assert.True(JsonNode.DeepEquals(value, datasets[uid][tag]), $"{tag} of {uid}");
            }
        }
    }
}
