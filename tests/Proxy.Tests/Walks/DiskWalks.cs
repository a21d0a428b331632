using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Proxy.Cache;
using Proxy.Cache.OnDisk;
using Proxy.Dicom;
using Proxy.Tests.Pacs;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Fetched pixels after a restart, frames cut from whole instances, purges, and a failing disk.</summary>
public sealed class DiskWalks : IDisposable
{
    private const string Series = "/dicomweb/studies/1.2.1/series/1.2.1.1";

    private const string ExplicitLittleEndian = "1.2.840.10008.1.2.1";

    private static readonly (string, string) AsStored = ("Accept", "application/octet-stream; transfer-syntax=*");

    private static readonly (string, string) Dicom = ("Accept", "multipart/related; type=\"application/dicom\"; transfer-syntax=*");

    private static readonly HeldStudy Study = new HeldStudy("1.2.1").With("1.2.1.1", "CT", 3).With("1.2.1.2", "MR", 2);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxy-disk-");

    private readonly WireMockPacs _east = new(Study, new HeldStudy("1.2.2").With("1.2.2.1"));

    private string Cache => Path.Join(_folder.FullName, "cache");

    private IEnumerable<string> Files => Directory.EnumerateFiles(Path.Join(Cache, "entries"), "*", SearchOption.AllDirectories);

    public void Dispose()
    {
        _east.Dispose();
        Until.DeletedAsync(_folder.FullName).GetAwaiter().GetResult();
    }

    [Fact]
    public async Task ServesAStudyFromDiskWithoutAskingForPixels_AfterARestart()
    {
        var frames = new List<Reply>();
        await using (var first = Start())
        {
            foreach (var frame in Frames()) frames.Add(await first.GetAsync(frame, AsStored));
        }
        var asked = _east.Requests.Count(r => r.Path.Contains("/frames/", StringComparison.Ordinal));

        await using var second = Start();
        foreach (var (frame, before) in Frames().Zip(frames))
        {
            var after = await second.GetAsync(frame, AsStored);
            Assert.Equal(before.Comparable.Body, after.Comparable.Body);
            Assert.Equal("Proxy; hit", after.CacheStatus);
            Assert.Equal((before.Comparable["Content-Type"], before["ETag"]), (after.Comparable["Content-Type"], after["ETag"]));
            Assert.Matches("^[0-9]+$", after["Age"]);
        }
        Assert.Equal(asked, _east.Requests.Count(r => r.Path.Contains("/frames/", StringComparison.Ordinal)));
        await Until.TrueAsync(async () => (int)(await second.GetAsync("/cache")).Json["disk"]!["entries"]! == 5);
        var disk = (await second.GetAsync("/cache")).Json["disk"]!;
        Assert.Equal((5, "ready"), ((int)disk["hits"]!, (string)disk["state"]!));
    }

    [Fact]
    public async Task ServesAFrameCachedAsStored_WhenItsTransferSyntaxIsRequestedAfterARestart()
    {
        await using (var first = Start()) await first.GetAsync($"{Series}/instances/1.2.1.1.1/frames/1", AsStored);
        await using var second = Start();
        var named = await second.GetAsync(
            $"{Series}/instances/1.2.1.1.1/frames/1",
            ("Accept", $"multipart/related; type=application/octet-stream; transfer-syntax={HeldSeries.StoredTransferSyntax}"));
        Assert.Equal("Proxy; hit", named.CacheStatus);
        var other = await second.GetAsync(
            $"{Series}/instances/1.2.1.1.1/frames/1",
            ("Accept", $"multipart/related; type=application/octet-stream; transfer-syntax={ExplicitLittleEndian}"));
        Assert.Equal("Proxy; fwd=miss; stored", other.CacheStatus);
    }

    [Fact]
    public async Task ServesFramesOfACachedInstance_FromMemoryAndFromDisk()
    {
        var file = GetFile("1.2.1.1.2");
        _east.Respond(Archive.Multipart("application/dicom; transfer-syntax=" + ExplicitLittleEndian, file), "/instances/1.2.1.1.2");
        var pixels = file[^(20 * 30 * 2 * 4)..];
        await using (var first = Start())
        {
            await first.GetAsync($"{Series}/instances/1.2.1.1.2", Dicom);
            // The proxy caches the body a moment after the client has it.
            await Until.TrueAsync(async () => (int?)(await first.GetAsync("/cache")).Json["backends"]?["east"]?["memory"]?["entries"] == 1);
            await AssertFramesAsync(first);
        }
        await using var second = Start();
        await AssertFramesAsync(second);
        Assert.Equal(0, _east.Requests.Count(r => r.Path.Contains("/frames/", StringComparison.Ordinal)));

        // The proxy asks the PACS for other transfer syntaxes, in the named type and as stored, and for missing frames.
        await second.GetAsync($"{Series}/instances/1.2.1.1.2/frames/1", ("Accept", "image/jp2; transfer-syntax=*"));
        await second.GetAsync($"{Series}/instances/1.2.1.1.2/frames/5", AsStored);
        Assert.Equal(3, _east.Requests.Count(r => r.Path.Contains("/frames/", StringComparison.Ordinal)));

        async Task AssertFramesAsync(ProxyHost proxy)
        {
            for (var frame = 1; frame <= 4; frame++)
            {
                var reply = await proxy.GetAsync($"{Series}/instances/1.2.1.1.2/frames/{frame}", AsStored);
                Assert.Equal(pixels[((frame - 1) * 1200)..(frame * 1200)], reply.Body);
                Assert.Equal("Proxy; hit", reply.CacheStatus);
                Assert.Equal($"application/octet-stream; transfer-syntax={ExplicitLittleEndian}", reply["Content-Type"]);
            }
            var list = Parts.Read(await proxy.GetAsync(
                $"{Series}/instances/1.2.1.1.2/frames/3,1", ("Accept", "multipart/related; type=application/octet-stream")));
            Assert.Equal([pixels[2400..3600], pixels[..1200]], list.Select(p => p.Body));
        }
    }

    /// <summary>The archive may have transcoded an instance if the request let it choose the transfer syntax.</summary>
    [Fact]
    public async Task ServesNoFrameAsStored_WhenTheArchiveChoseTheTransferSyntaxOfTheInstance()
    {
        _east.Respond(
            Archive.Multipart("application/dicom; transfer-syntax=" + ExplicitLittleEndian, GetFile("1.2.1.1.2")), "/instances/1.2.1.1.2");
        await using var proxy = Start();
        await proxy.GetAsync($"{Series}/instances/1.2.1.1.2", ("Accept", "multipart/related; type=\"application/dicom\""));

        const string either =
            "multipart/related; type=application/octet-stream; transfer-syntax=*, " +
            "multipart/related; type=image/jp2; transfer-syntax=1.2.840.10008.1.2.4.90";
        Assert.Equal(
            "Proxy; fwd=miss; stored", (await proxy.GetAsync($"{Series}/instances/1.2.1.1.2/frames/1", ("Accept", either))).CacheStatus);
        Assert.Equal(
            "Proxy; hit",
            (await proxy.GetAsync($"{Series}/instances/1.2.1.1.2/frames/2", ("Accept", "multipart/related; type=application/octet-stream")))
                .CacheStatus);
    }

    [Fact]
    public async Task ServesNoFrame_WhenTheFileIsOfAnotherInstance()
    {
        _east.Respond(
            Archive.Multipart("application/dicom; transfer-syntax=" + ExplicitLittleEndian, GetFile("1.2.1.1.3")), "/instances/1.2.1.1.2");
        await using var proxy = Start();
        (await proxy.GetAsync($"{Series}/instances/1.2.1.1.2", Dicom)).IsProblem(502);
        Assert.Equal("Proxy; fwd=miss; stored", (await proxy.GetAsync($"{Series}/instances/1.2.1.1.2/frames/1", AsStored)).CacheStatus);
    }

    [Fact]
    public async Task CachesARetrievedSeries_OnDiskOnly()
    {
        await using var proxy = Start();
        var parts = Parts.Read(await proxy.GetAsync(Series, Dicom));
        await Until.TrueAsync(() => Files.Count() == 3);
        Assert.Equal(0, (int)(await proxy.GetAsync("/cache")).Json["backends"]!["east"]!["memory"]!["entries"]!);

        var again = Parts.Read(await proxy.GetAsync(Series, Dicom));
        Assert.Equal(parts.Select(p => p.Body), again.Select(p => p.Body));
        Assert.Equal(3, _east.Requests.Count(r => r.Path.Contains("/instances/", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task FetchesAgain_WhenAnEntryOnDiskIsDamaged()
    {
        byte[] before;
        await using (var first = Start()) before = (await first.GetAsync(Frames().First(), AsStored)).Body;
        foreach (var file in Files)
        {
            var bytes = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
            bytes[^7] ^= 4;
            await File.WriteAllBytesAsync(file, bytes, TestContext.Current.CancellationToken);
        }
        await using var second = Start();
        var after = await second.GetAsync(Frames().First(), AsStored);
        Assert.Equal(before, after.Body);
        Assert.Equal("Proxy; fwd=miss; stored", after.CacheStatus);
        Assert.Equal(1, (int)(await second.GetAsync("/cache")).Json["disk"]!["damaged"]!);
    }

    [Fact]
    public async Task PurgesAStudyCompletely_AndNothingElse()
    {
        const string other = "/dicomweb/studies/1.2.2/series/1.2.2.1/instances/1.2.2.1.1/frames/1";
        await using var proxy = Start();
        foreach (var frame in Frames()) await proxy.GetAsync(frame, AsStored);
        await proxy.GetAsync(Series + "/metadata");
        await proxy.GetAsync(other, AsStored);
        await proxy.GetAsync("/dicomweb/studies");
        await Until.TrueAsync(() => Files.Count() == 6);

        Assert.Equal(204, (int)(await proxy.SendAsync(HttpMethod.Delete, "/cache/studies/1.2.1", [])).Status);

        Assert.Single(Files);
        (await proxy.GetAsync("/store/studies/1.2.1")).IsProblem(404);
        Assert.Equal(1, (int)(await proxy.GetAsync("/cache")).Json["backends"]!["east"]!["memory"]!["entries"]!);
        Assert.Equal("Proxy; fwd=miss; stored", (await proxy.GetAsync(Series + "/metadata")).CacheStatus);
        Assert.Equal("Proxy; fwd=miss; stored", (await proxy.GetAsync(Frames().First(), AsStored)).CacheStatus);
        Assert.Equal("Proxy; hit", (await proxy.GetAsync(other, AsStored)).CacheStatus);

        Assert.Equal(204, (int)(await proxy.SendAsync(HttpMethod.Delete, "/cache", [])).Status);
        Assert.Empty(Files);
        Assert.Empty((await proxy.GetAsync("/store/studies")).Json.AsArray());
        Assert.Equal("Proxy; fwd=miss; stored", (await proxy.GetAsync(other, AsStored)).CacheStatus);
        (await proxy.SendAsync(HttpMethod.Delete, "/cache/studies/1.2.x", [])).IsProblem(400, "study");
    }

    [Fact]
    public async Task ServesButDoesNotCacheABody_WhenItsStudyIsPurgedDuringTheFetch()
    {
        await using var proxy = Start();
        var hang = _east.Hang("/frames/1");
        var frame = proxy.GetAsync(Frames().First(), AsStored);
        await Until.TrueAsync(() => hang.Arrived == 1);
        Assert.Equal(204, (int)(await proxy.SendAsync(HttpMethod.Delete, "/cache", [])).Status);
        hang.Open();
        Assert.Equal(200, (int)(await frame).Status);
        _east.Recover();
        Assert.Equal("Proxy; fwd=miss; stored", (await proxy.GetAsync(Frames().First(), AsStored)).CacheStatus);
    }

    [Fact]
    public async Task ReportsCacheContents_ByTierAndBackend()
    {
        await using var proxy = Start();
        foreach (var frame in Frames().Concat(Frames())) await proxy.GetAsync(frame, AsStored);
        await Until.TrueAsync(async () => (int)(await proxy.GetAsync("/cache")).Json["disk"]!["entries"]! == 5);

        var cache = (await proxy.GetAsync("/cache")).Json;
        var (memory, disk) = (cache["backends"]!["east"]!["memory"]!, cache["backends"]!["east"]!["disk"]!);
        Assert.Equal((5, 5, 5, 0.5), ((int)memory["entries"]!, (int)memory["hits"]!, (int)memory["misses"]!, (double)memory["hitRatio"]!));
        Assert.Equal((5, 0, 5, 0.0), ((int)disk["entries"]!, (int)disk["hits"]!, (int)disk["misses"]!, (double)disk["hitRatio"]!));
        Assert.Equal(10_000, (int)memory["bytes"]!);
        foreach (var tier in (JsonNode[])[cache["memory"]!, cache["disk"]!])
        {
            foreach (var name in (string[])["entries", "bytes", "maxBytes", "hits", "misses", "evictions"])
                Assert.True((long)tier[name]! >= 0, name);
            Assert.NotNull(tier["oldest"]);
        }
        Assert.Equal("ready", (string)(await proxy.GetAsync("/health/ready")).Json["disk"]!["state"]!);
    }

    [Fact]
    public async Task ReportsBudgetsAsConfigured()
    {
        await using var proxy = Start();
        proxy["Cache:Memory:MaxBytes"] = "268435456";
        proxy["Cache:Disk:MaxBytes"] = "1073741824";
        var cache = (await proxy.GetAsync("/cache")).Json;
        Assert.Equal((268_435_456, 1_073_741_824), ((long)cache["memory"]!["maxBytes"]!, (long)cache["disk"]!["maxBytes"]!));
        Assert.Equal(0, (long)cache["memory"]!["inFlight"]!);
        var metrics = (await proxy.GetAsync("/metrics")).Text;
        Assert.Contains("268435456", metrics, StringComparison.Ordinal);
        Assert.Contains("1073741824", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ServesClientsAndReportsTheFault_WhenTheDiskVanishes()
    {
        await using var proxy = Start();
        var frames = Frames().ToList();
        await proxy.GetAsync(frames[0], AsStored);
        await Until.TrueAsync(() => Files.Count() == 1);
        await Until.DeletedAsync(Cache);
        await File.WriteAllTextAsync(Cache, "a file instead of the folder", TestContext.Current.CancellationToken);

        foreach (var frame in frames) Assert.Equal(200, (int)(await proxy.GetAsync(frame, AsStored)).Status);
        Assert.Equal(3, (await proxy.GetAsync(Series + "/metadata")).Rows.Count);
        await Until.TrueAsync(async () => (string)(await proxy.GetAsync("/health/ready")).Json["disk"]!["state"]! != "ready");
        Assert.Equal("ready", (string)(await proxy.GetAsync("/health/ready")).Json["status"]!);
        (await proxy.SendAsync(HttpMethod.Delete, "/cache/studies/1.2.1", [])).IsProblem(503);
        (await proxy.GetAsync("/store/studies/1.2.1")).IsProblem(404);

        File.Delete(Cache);
        await Until.TrueAsync(async () => (string)(await proxy.GetAsync("/health/ready")).Json["disk"]!["state"]! == "ready");
        await proxy.GetAsync(frames[1], AsStored);
        Assert.Equal(204, (int)(await proxy.SendAsync(HttpMethod.Delete, "/cache", [])).Status);
    }

    /// <summary>Covers caches that were filled before the proxy checked bodies.</summary>
    [Fact]
    public async Task RemovesAndFetchesAgain_WhenAnEntryOnDiskHasTheWrongContent()
    {
        var instance = $"{Series["/dicomweb/".Length..]}/instances/1.2.1.1.1";
        var page = "<!DOCTYPE html><html>Please log in</html>"u8.ToArray();
        var asStored = new BodyFormat("application/octet-stream", "*");
        List<EntryKey> keys = [new("east", $"{instance}/frames/1", asStored), new("east", instance, new BodyFormat(BodyFormat.Dicom, "*"))];
        await using (var first = Start())
        {
            await first.GetAsync(Series + "/metadata");
            var tier = first.Services.GetRequiredService<DiskTier>();
            foreach (var key in keys)
            {
                var head = new EntryHead(key.Representation.Format!.MediaType, HeldSeries.StoredTransferSyntax, page.Length);
                await tier.AddAsync(key, new Entry(head, [page], page.Length, DateTimeOffset.UnixEpoch));
            }
            await Until.TrueAsync(() => Files.Count() == 2);
        }

        await using var second = Start();
        var frame = await second.GetAsync($"/dicomweb/{instance}/frames/1", AsStored);
        Assert.Equal("Proxy; fwd=miss; stored", frame.CacheStatus);
        Assert.Equal(Study.Series[0].GetFrame("1.2.1.1.1", 1), frame.Body);
        var file = await second.GetAsync($"/dicomweb/{instance}", Dicom);
        Assert.Equal("Proxy; fwd=miss; stored", file.CacheStatus);
        Assert.Equal(Archive.GetFile("1.2.1.1.1"), Assert.Single(Parts.Read(file)).Body);
        await Until.TrueAsync(
            () => Files.Count() == 2 && Files.All(f => File.ReadAllText(f).Contains("Please log in", StringComparison.Ordinal) == false));
    }

    /// <summary>Four frames of 20 × 30 pixels of two bytes.</summary>
    private static byte[] GetFile(string instance) =>
        Part10File.Native(20, 30, frames: 4, bits: 16).Set(0x00080018, "UI", Part10File.Even(instance, '\0')).ToArray();

    private static IEnumerable<string> Frames() =>
        from series in Study.Series
        from instance in series.InstanceUids
        select $"/dicomweb/studies/1.2.1/series/{series.Uid}/instances/{instance}/frames/1";

    private ProxyHost Start() => new(("east", _east.Address)) { ["Cache:Disk:Path"] = Cache };
}
