using Microsoft.Extensions.DependencyInjection;
using Proxy.Metadata;
using Proxy.Metadata.Persistence;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>No request waits for the database of studies on its thread, although memory holds hardly any study.</summary>
public sealed class StudyLeaseWalks : IDisposable
{
    private const int Studies = 8;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxy-lease-");

    private readonly WireMockPacs _east = new(
        [.. Enumerable.Range(1, Studies).Select(i => new HeldStudy($"1.2.{i}").With($"1.2.{i}.1", "CT", 20))]);

    public void Dispose()
    {
        _east.Dispose();
        Until.DeletedAsync(_folder.FullName).GetAwaiter().GetResult();
    }

    [Fact]
    public async Task ReadsNoStudyOnARequestThread_WhenMemoryHoldsHardlyAny()
    {
        await using var proxy = new ProxyHost(("east", _east.Address)) { ["Cache:Disk:Path"] = Path.Join(_folder.FullName, "cache") };
        await Task.WhenAll(Paths.Select(path => proxy.GetAsync(path)));
        var (store, file) = (
            proxy.Services.GetRequiredService<DicomMetadataStore>(), proxy.Services.GetRequiredService<StudyFile>());
        await EvictAsync(store);
        Assert.Equal(Studies, file.Count);
        var (asked, before) = (_east.Requests.Count, file.BlockingReads);

        for (var round = 0; round < 3; round++)
        {
            await EvictAsync(store);
            var replies = await Task.WhenAll(Paths.Select(path => proxy.GetAsync(path)));
            Assert.All(replies, reply => Assert.Equal(200, (int)reply.Status));
        }
        // Everything came from the database, and no thread waited for it.
        Assert.Equal(asked, _east.Requests.Count);
        Assert.Equal(before, file.BlockingReads);

        // New searches ask the PACS and file what it answers.
        foreach (var search in (string[])["/dicomweb/studies?limit=100", "/dicomweb/series?limit=100", "/dicomweb/instances?limit=100"])
        {
            await EvictAsync(store);
            Assert.Equal(200, (int)(await proxy.GetAsync(search)).Status);
        }
        Assert.Equal(before, file.BlockingReads);
    }

    private static Task EvictAsync(DicomMetadataStore store) => Until.TrueAsync(async () =>
    {
        await store.FlushAsync();
        store.Resize(4_000);
        return store.Bytes <= 4_000;
    });

    private static IEnumerable<string> Paths => Enumerable.Range(1, Studies).SelectMany(i => (string[])[
        $"/dicomweb/studies/1.2.{i}/series",
        $"/dicomweb/studies/1.2.{i}/series/1.2.{i}.1/metadata",
        $"/dicomweb/studies/1.2.{i}/series/1.2.{i}.1/instances/1.2.{i}.1.1/frames/1",
        $"/dicomweb/studies?StudyInstanceUID=1.2.{i}",
        "/dicomweb/studies",
        $"/store/studies/1.2.{i}"]);
}
