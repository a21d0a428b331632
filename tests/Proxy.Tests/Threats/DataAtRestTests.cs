using System.Text;
using Proxy.Tests.Disk;
using Proxy.Tests.Pacs;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Threats;

/// <summary>T16: an encrypted cache folder shows neither patients nor UIDs nor pixels, and no other user can read it.</summary>
public sealed class DataAtRestTests : IDisposable
{
    private const string Study = "1.2.777001.1";

    private static readonly (string, string) AsStored = ("Accept", "application/octet-stream; transfer-syntax=*");

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxy-sealed-");
    private readonly HeldStudy _held = new HeldStudy(Study) { PatientName = "ZZCANARY^JANE", PatientId = "ZZCANARY-7" }
        .With(new HeldSeries("1.2.777001.1.1", "CT", 3) { FrameBytes = 300_000 })
        .With(new HeldSeries("1.2.777001.1.2", "MR", 1) { FrameBytes = 20_000_000 });
    private readonly WireMockPacs _east;

    public DataAtRestTests() => _east = new(_held);

    private string Cache => Path.Join(_folder.FullName, "cache");

    private string KeyFile => Path.Join(_folder.FullName, "keys");

    public void Dispose()
    {
        _east.Dispose();
        Until.DeletedAsync(_folder.FullName).GetAwaiter().GetResult();
    }

    [Fact]
    public async Task T16_AnEncryptedFolderShowsNothing_AndServesAfterARestart()
    {
        await File.WriteAllTextAsync(KeyFile, Keys.Text(1), TestContext.Current.CancellationToken);
        await using (var first = Start())
        {
            await first.GetAsync("/dicomweb/studies");
            foreach (var path in Paths()) Assert.Equal(200, (int)(await first.GetAsync(path, AsStored)).Status);
            await first.PostAsync(
                "/prefetch", new StringContent($$"""{"studies":["{{Study}}"]}""", Encoding.UTF8, "application/json"));
            await Until.TrueAsync(() => Task.FromResult(File.Exists(Path.Join(Cache, "prefetch.json"))));
            await Until.TrueAsync(async () => (int)(await first.GetAsync("/cache")).Json["disk"]!["entries"]! == 4);
            Assert.Empty(FindCanaries());
        }
        Assert.Empty(FindCanaries());
        Assert.Equal(["entries", "entries.db", "folder.key", "links.key", "lock", "owner", "prefetch.json", "studies.db", "tmp"], Names());
        AssertPrivate();

        var asked = _east.Requests.Count(request => request.Path.Contains("/frames/", StringComparison.Ordinal));
        await using var second = Start();
        foreach (var path in Paths()) Assert.Equal("Proxy; hit", (await second.GetAsync(path, AsStored)).CacheStatus);
        Assert.Equal(asked, _east.Requests.Count(request => request.Path.Contains("/frames/", StringComparison.Ordinal)));
        Assert.Single((await second.GetAsync("/prefetch")).Json.AsArray());
        Assert.Single((await second.GetAsync("/store/studies")).Json.AsArray());
    }

    [Fact]
    public async Task T16_AFlippedBitIsAMiss_AndAMissingKeyToo()
    {
        await File.WriteAllTextAsync(KeyFile, Keys.Text(1), TestContext.Current.CancellationToken);
        var path = Paths().First();
        await using (var first = Start())
        {
            await first.GetAsync(path, AsStored);
            // An entry is written after its client has the last byte.
            await Until.TrueAsync(async () => (int)(await first.GetAsync("/cache")).Json["disk"]!["entries"]! == 1);
        }
        var file = Assert.Single(Directory.EnumerateFiles(Path.Join(Cache, "entries"), "*", SearchOption.AllDirectories));
        var bytes = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        bytes[^20] ^= 1;
        await File.WriteAllBytesAsync(file, bytes, TestContext.Current.CancellationToken);
        await using (var second = Start())
        {
            Assert.Equal("Proxy; fwd=miss; stored", (await second.GetAsync(path, AsStored)).CacheStatus);
            Assert.Contains(second.Log.All, line => line.Contains("damaged", StringComparison.Ordinal));
            await Until.TrueAsync(async () => (int)(await second.GetAsync("/cache")).Json["disk"]!["entries"]! == 1);
        }

        await File.WriteAllTextAsync(KeyFile, Keys.Text(2), TestContext.Current.CancellationToken);
        await using var third = Start();
        Assert.Equal("Proxy; fwd=miss; stored", (await third.GetAsync(path, AsStored)).CacheStatus);
        Assert.Single(third.Log.All, line => line.Contains("is not configured: nothing that it encrypted", StringComparison.Ordinal));
    }

    [Fact]
    public async Task T16_TheProxyDoesNotStart_WhenItsKeyFileIsMissing()
    {
        await using var proxy = Start();
        var error = await Assert.ThrowsAnyAsync<Exception>(() => proxy.GetAsync("/health/live"));
        Assert.DoesNotContain(Keys.Text(1), error.ToString(), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Cache));
    }

    private static IEnumerable<string> Paths() =>
        from instance in (string[])["1/instances/1.2.777001.1.1.1", "1/instances/1.2.777001.1.1.2", "1/instances/1.2.777001.1.1.3",
            "2/instances/1.2.777001.1.2.1"]
        select $"/dicomweb/studies/{Study}/series/{Study}.{instance}/frames/1";

    private IEnumerable<string> FindCanaries() => Keys.FindFiles(
        Cache,
        [
            "ZZCANARY"u8.ToArray(), "777001"u8.ToArray(), "InstanceUID"u8.ToArray(), "00100010"u8.ToArray(),
            .. from series in _held.Series from instance in series.InstanceUids select series.GetFrame(instance, 1)[100..116],
            .. from series in _held.Series from instance in series.InstanceUids select series.GetFrame(instance, 1)[^16..],
        ]).Concat(Directory.EnumerateFileSystemEntries(Cache, "*777001*", SearchOption.AllDirectories));

    private IEnumerable<string> Names() => Directory.EnumerateFileSystemEntries(Cache).Select(path => Path.GetFileName(path)!)
        .Where(name => name != "codecs" && !name.Contains('-', StringComparison.Ordinal)).Order(StringComparer.Ordinal);

    private void AssertPrivate()
    {
        if (OperatingSystem.IsWindows()) return;
        const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherRead
            | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
        foreach (var path in Directory.EnumerateFileSystemEntries(Cache, "*", SearchOption.AllDirectories).Append(Cache))
            Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(path) & Others);
    }

    private ProxyHost Start() => new(("east", _east.Address))
    {
        ["Cache:Disk:Path"] = Cache,
        ["Cache:Encryption:KeyFile"] = KeyFile,
    };
}
