using System.Text;
using Proxy.Tests.Disk;
using Proxy.Tests.Pacs;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Threats;

/// <summary>T17: a purge leaves no byte in the folder, and touches nothing else.</summary>
public sealed class PurgeTests : IDisposable
{
    private static readonly (string, string) AsStored = ("Accept", "application/octet-stream; transfer-syntax=*");

    private static readonly HeldStudy Gone = new HeldStudy("1.2.777001.1") { PatientName = "ZZGONE^JANE", PatientId = "ZZGONE-7" }
        .With(new HeldSeries("1.2.777001.1.1", "CT", 2) { FrameBytes = 30_000 });

    private static readonly HeldStudy Kept = new HeldStudy("1.2.888002.1") { PatientName = "ZZKEPT^JOHN", PatientId = "ZZKEPT-8" }
        .With(new HeldSeries("1.2.888002.1.1", "CT", 1));

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxy-purge-");
    private readonly WireMockPacs _east = new(Gone);
    private readonly WireMockPacs _west = new(Kept);

    private string Cache => Path.Join(_folder.FullName, "cache");

    public void Dispose()
    {
        _east.Dispose();
        _west.Dispose();
        Until.DeletedAsync(_folder.FullName).GetAwaiter().GetResult();
    }

    [Theory]
    [InlineData("/cache")]
    [InlineData("/cache/studies/1.2.777001.1")]
    [InlineData("/cache/patients/ZZGONE-7")]
    [InlineData("/cache/backends/EAST")]
    public async Task T17_APurgeLeavesNoByte(string path)
    {
        await using var proxy = Start();
        await FillAsync(proxy);
        Assert.NotEmpty(Find("ZZGONE"));
        Assert.NotEmpty(Find("777001"));

        Assert.Equal(204, (int)(await proxy.SendAsync(HttpMethod.Delete, path, [])).Status);

        Assert.Empty(FindGone());
        Assert.DoesNotContain("777001", (await proxy.GetAsync("/store/studies")).Text, StringComparison.Ordinal);
        Assert.DoesNotContain("777001", (await proxy.GetAsync("/prefetch")).Text, StringComparison.Ordinal);
        if (path == "/cache") Assert.Empty(Find("888002"));
        else Assert.NotEmpty(Find("888002"));

        // What the process writes at its end does not bring it back.
        await proxy.DisposeAsync();
        Assert.Empty(FindGone());
        await using var again = Start();
        Assert.DoesNotContain("777001", (await again.GetAsync("/store/studies")).Text, StringComparison.Ordinal);
        var kept = await again.GetAsync(Frames(Kept).First(), AsStored);
        Assert.Equal(path == "/cache" ? "Proxy; fwd=miss; stored" : "Proxy; hit", kept.CacheStatus);
    }

    [Fact]
    public async Task T17_TheFileOfARunningDownloadIsDeleted()
    {
        var large = new HeldStudy("1.2.777001.5").With(new HeldSeries("1.2.777001.5.1", "US", 1) { FrameBytes = 17 << 20 });
        using var slow = new WireMockPacs(large);
        await using var proxy = new ProxyHost(("slow", slow.Address)) { ["Cache:Disk:Path"] = Cache };
        await proxy.GetAsync($"/dicomweb/studies/{large.Uid}/series");
        // The client reads the head only: the body is in a file of tmp/ until the client has read it.
        using var answer = await proxy.OpenAsync(Frames(large).First(), AsStored);
        await Until.TrueAsync(async () => (int)(await proxy.GetAsync("/cache")).Json["disk"]!["entries"]! == 1);

        Assert.Equal(204, (int)(await proxy.SendAsync(HttpMethod.Delete, $"/cache/studies/{large.Uid}", [])).Status);

        Assert.DoesNotContain(
            Directory.EnumerateFiles(Cache, "*", SearchOption.AllDirectories),
            file => new FileInfo(file) is { Exists: true, Length: > 1 << 20 });
        Assert.Equal(17 << 20, (await answer.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken)).Length);
    }

    [Fact]
    public async Task RefusesAnUnknownBackend_AndAnInvalidPatient()
    {
        await using var proxy = Start();
        (await proxy.SendAsync(HttpMethod.Delete, "/cache/backends/north", [])).IsProblem(404);
        (await proxy.SendAsync(HttpMethod.Delete, "/cache/patients/%20", [])).IsProblem(400);
    }

    private static IEnumerable<string> Frames(HeldStudy study) =>
        from series in study.Series
        from instance in series.InstanceUids
        select $"/dicomweb/studies/{study.Uid}/series/{series.Uid}/instances/{instance}/frames/1";

    private async Task FillAsync(ProxyHost proxy)
    {
        await proxy.GetAsync("/dicomweb/studies");
        foreach (var study in new[] { Gone, Kept })
        {
            await proxy.GetAsync($"/dicomweb/studies/{study.Uid}/series/{study.Series[0].Uid}/metadata");
            foreach (var frame in Frames(study)) Assert.Equal(200, (int)(await proxy.GetAsync(frame, AsStored)).Status);
            await proxy.PostAsync(
                "/prefetch", new StringContent($$"""{"studies":["{{study.Uid}}"]}""", Encoding.UTF8, "application/json"));
        }
        await Until.TrueAsync(async () => (await proxy.GetAsync("/prefetch")).Json.AsArray().All(job => (string)job!["state"]! == "done"));
        await Until.TrueAsync(() => Task.FromResult(
            Find("ZZGONE").Any() && Find("777001").Any(file => file.StartsWith("prefetch", StringComparison.Ordinal))));
        await Until.TrueAsync(async () => (int)(await proxy.GetAsync("/cache")).Json["disk"]!["entries"]! == 3);
    }

    private IEnumerable<string> Find(string text) => Keys.FindFiles(Cache, Encoding.ASCII.GetBytes(text));

    private IEnumerable<string> FindGone() => Keys.FindFiles(
        Cache,
        [
            "ZZGONE"u8.ToArray(), "777001"u8.ToArray(),
            .. Gone.Series[0].InstanceUids.Select(instance => Gone.Series[0].GetFrame(instance, 1)[1000..1016]),
        ]);

    private ProxyHost Start() => new(("east", _east.Address), ("west", _west.Address)) { ["Cache:Disk:Path"] = Cache };
}
