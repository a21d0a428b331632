using Xunit;

namespace Proxy.Integration;

/// <summary>Checks the laboratory itself: the assumptions of the other tests, without the proxy.</summary>
public sealed class LabTests(Lab lab)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ArchiveServesTheGeneratedPixels()
    {
        await lab.StartAsync(Cancel);
        foreach (var series in Archives.All.Where(s => s.Content.Frames > 0))
        {
            var instance = series.Instances.Last();
            var answer = await lab.Archive(series).GetFramesAsync(instance, "1", Cancel);
            Assert.Equal(instance.Frame(1), Assert.Single(answer.Parts()));
        }
    }

    [Fact]
    public async Task ArchiveServesSeveralFrames_InOrder()
    {
        await lab.StartAsync(Cancel);
        var instance = Archives.Clip.Instances.Single();
        var answer = await lab.Archive(Archives.Clip).GetFramesAsync(instance, "1,2", Cancel);
        Assert.Equal([instance.Frame(1), instance.Frame(2)], answer.Parts());
        Assert.NotEqual(instance.Frame(1), instance.Frame(2));
    }

    [Fact]
    public async Task ArchiveServesBulkData_ByAddress()
    {
        await lab.StartAsync(Cancel);
        var instance = Archives.Axial.Instances.First();
        var archive = lab.Archive(Archives.Axial);
        var dataset = (await archive.GetMetadataAsync(Archives.Axial, Cancel)).Datasets.By(Tags.SopInstanceUid)[instance.Uid];
        var answer = await archive.GetBulkAsync(dataset.BulkDataUri(Tags.PrivateBlob)!, DicomwebClient.Bulk, Cancel);
        Assert.Equal(Content.PrivateBlob(instance), Assert.Single(answer.Parts()));
    }

    [Fact]
    public async Task ArchiveStoresEveryName()
    {
        await lab.StartAsync(Cancel);
        foreach (var study in Archives.Studies)
        {
            var archive = lab.Archive(Archives.Find(study).First());
            var row = Assert.Single((await archive.GetJsonAsync($"studies?StudyInstanceUID={study.Uid}", Cancel)).Datasets)!;
            Assert.Equal(study.Patient.Name.Split('=')[0], row.Name(Tags.PatientName));
        }
    }

    [Fact]
    public async Task RelayCountsRequests_WithoutChangingThem()
    {
        await lab.StartAsync(Cancel);
        await using var wire = new CountingRelay(lab.West.Port);
        using var http = new HttpClient(new SocketsHttpHandler());
        var instance = Archives.Clip.Instances.Single();

        var direct = await lab.Archive(Archives.Clip).GetFramesAsync(instance, "3", Cancel);
        var relayed = new DicomwebClient(http, wire.Address);
        var answer = await relayed.GetFramesAsync(instance, "3", Cancel);
        await Answer.AskAsync(http, wire.Address + "/nothing", DicomwebClient.Json, Cancel);

        Assert.Equal(direct.Parts(), answer.Parts());
        Assert.Equal([$"/dicom-web/{instance.Path}/frames/3", "/dicom-web/nothing"], wire.Requests.Select(r => r.Target));
        Assert.All(wire.Requests, r => Assert.Equal(("GET", $"127.0.0.1:{wire.Port}"), (r.Method, r.Headers["Host"])));
        Assert.InRange(wire.Connections, 1, 2);
    }

    [Fact]
    public void ScannerFindsRequests_InChunksOfAnySize()
    {
        var bytes =
            ("GET /a HTTP/1.1\r\nHost: x\r\n\r\n"u8 +
            "POST /b HTTP/1.1\r\nContent-Length: 6\r\n\r\n\r\n\r\n__"u8 +
            "GET /c HTTP/1.1\r\nAccept: p\r\nAccept: q\r\n\r\n"u8).ToArray();
        for (var size = 1; size <= bytes.Length; size++)
        {
            var seen = new List<string>();
            var scanner = new RequestScanner(
                (method, target, headers) => seen.Add($"{method} {target} {headers.GetValueOrDefault("Accept")}"));
            foreach (var piece in bytes.Chunk(size))
                scanner.Read(piece);
            Assert.Equal(["GET /a ", "POST /b ", "GET /c p, q"], seen);
        }
    }
}
