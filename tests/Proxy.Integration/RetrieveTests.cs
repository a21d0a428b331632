using System.Text.Json.Nodes;
using Xunit;

namespace Proxy.Integration;

/// <summary>WADO-RS: the proxy serves the bytes of the archives unchanged.</summary>
public sealed class RetrieveTests(Lab lab) : IAsyncLifetime
{
    private ProxyProcess _proxy = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _proxy = await lab.GetProxyAsync(Cancel);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task ServesTheCompleteMetadata_OfEverySeries()
    {
        foreach (var series in Archives.All)
        {
            var theirs = (await lab.Archive(series).GetMetadataAsync(series, Cancel)).Datasets.By(Tags.SopInstanceUid);
            var answer = await _proxy.Client.GetMetadataAsync(series, Cancel);
            var ours = answer.Datasets.By(Tags.SopInstanceUid);

            Assert.StartsWith(DicomwebClient.Json, answer.ContentType, StringComparison.Ordinal);
            Assert.Equal(series.Count, ours.Count);
            foreach (var (uid, dataset) in theirs)
            {
                var (expected, actual) = (dataset.WithoutRoots(), ours[uid].WithoutRoots());
                Assert.True(JsonNode.DeepEquals(expected, actual), $"{series.Study.Key}/{series.Key}: {expected} became {actual}");
            }
        }
    }

    [Fact]
    public async Task ServesInstanceMetadata_FromItsSeries()
    {
        await using var proxy = await lab.StartProxyAsync(Cancel);
        var series = (await proxy.Client.GetMetadataAsync(Archives.T1, Cancel)).Datasets.By(Tags.SopInstanceUid);
        var watch = lab.Watch();
        foreach (var instance in Archives.T1.Instances)
        {
            var answer = await proxy.Client.GetJsonAsync($"{instance.Path}/metadata", Cancel);
            Assert.True(JsonNode.DeepEquals(series[instance.Uid], Assert.Single(answer.Datasets)));
        }

        Assert.Empty(watch.Asked);
    }

    [Fact]
    public async Task ServesTheMetadataOfASharedStudy_FromBothArchives()
    {
        var answer = await _proxy.Client.GetJsonAsync($"studies/{Archives.Shared.Uid}/metadata", Cancel);
        Assert.Equal(
            Archives.Find(Archives.Shared).SelectMany(s => s.Instances).Select(i => i.Uid).Order(StringComparer.Ordinal),
            answer.Datasets.Select(d => d!.Text(Tags.SopInstanceUid)!).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task ServesThePixelsUnchanged()
    {
        foreach (var instance in Archives.All.Where(s => s.Content.Frames > 0).SelectMany(s => s.Instances.Where(i => i.Number % 9 == 1)))
        {
            for (var frame = 1; frame <= instance.Series.Content.Frames; frame++)
            {
                var answer = await _proxy.Client.GetFramesAsync(instance, $"{frame}", Cancel);
                Assert.Equal(instance.Frame(frame), Assert.Single(answer.Parts()));
            }
        }
    }

    [Fact]
    public async Task ServesAListOfFrames_InItsOrder()
    {
        var instance = Archives.Clip.Instances.Single();
        foreach (var list in new[] { "1,2", "2,1", "3,4,5,6" })
        {
            var answer = await _proxy.Client.GetFramesAsync(instance, list, Cancel);
            Assert.Equal(list.Split(',').Select(n => instance.Frame(int.Parse(n))), answer.Parts());
        }
    }

    [Fact]
    public async Task ServesOneFrameWithoutMultipart()
    {
        var instance = Archives.T2.Instances.First();
        var answer = await _proxy.Client.AskAsync($"{instance.Path}/frames/1", "application/octet-stream", Cancel);
        Assert.StartsWith("application/octet-stream", answer.ContentType, StringComparison.Ordinal);
        Assert.Equal(instance.Frame(1), answer.Body);
    }

    [Fact]
    public async Task ServesBulkData_ByTheAddressInItsMetadata()
    {
        foreach (var (series, tag, bytes) in new (Series, uint, Func<Instance, byte[]>)[]
        {
            (Archives.Axial, Tags.PrivateBlob, Content.PrivateBlob),
            (Archives.T1, Tags.PrivateBlob, Content.PrivateBlob),
            (Archives.Letter, Tags.EncapsulatedDocument, Document.Pdf),
        })
        {
            var instance = series.Instances.First();
            var dataset = (await _proxy.Client.GetMetadataAsync(series, Cancel)).Datasets.By(Tags.SopInstanceUid)[instance.Uid];
            var url = dataset.BulkDataUri(tag)!;
            Assert.StartsWith(_proxy.Dicomweb + "/", url, StringComparison.Ordinal);
            Assert.Equal(bytes(instance), Assert.Single((await _proxy.Client.GetBulkAsync(url, DicomwebClient.Bulk, Cancel)).Parts()));
        }
    }

    [Fact]
    public async Task ServesTheWholeInstance_AsStored()
    {
        var instance = Archives.OnlyWest.Instances.First();
        var answer = await _proxy.Client.AskAsync(instance.Path, "multipart/related; type=\"application/dicom\"", Cancel);
        var file = Assert.Single(answer.Parts());
        // An archive may write its own file meta information, so compare the pixels at the end of the file.
        Assert.Equal("DICM"u8.ToArray(), file[128..132]);
        Assert.Equal(instance.Frame(1), file[^instance.Frame(1).Length..]);
    }
}
