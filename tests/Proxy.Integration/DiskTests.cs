using System.Diagnostics;
using System.Text.Json.Nodes;
using Xunit;

namespace Proxy.Integration;

/// <summary>The cache on a real disk: kills, a full disk, and many concurrent clients.</summary>
public sealed class DiskTests : IDisposable
{
    private const int Series = 10;

    private const int FramesEach = 100;

    private readonly Scratch _scratch = new("disk");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static IReadOnlyList<string> Paths =>
        [.. Enumerable.Range(1, Series).SelectMany(e => Enumerable.Range(1, FramesEach).Select(f => FramePacs.GetPath(e, f)))];

    private string Cache => Path.Combine(_scratch.Folder, "cache");

    public void Dispose() => _scratch.Dispose();

    /// <summary>After a kill, each file is either complete and indexed, or missing.</summary>
    [Fact]
    public async Task KeepsOnlyCompleteFiles_WhenTheProcessIsKilledDuringWrites()
    {
        await using var pacs = await FramePacs.StartAsync(Series, GetLength);
        var random = new Random(20);
        var (kills, hits) = (new List<int>(), 0);
        for (var round = 0; round < 3; round++)
        {
            await using (var proxy = await StartAsync(pacs))
            {
                // Empty the cache first, so that the proxy has something to write.
                using (await proxy.Http.DeleteAsync("cache", Cancel)) { }
                var requests = Paths.Select(path => GetAsync(proxy, path)).ToList();
                var threshold = random.Next(1, 900);
                while (Files().Count < threshold)
                    await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, Cancel);
                await proxy.KillAsync();
                await Task.WhenAll(requests.Select(request => request.ContinueWith(static _ => { }, TaskScheduler.Default)));
                kills.Add(Files().Count);
            }

            await using (var after = await StartAsync(pacs))
            {
                var before = pacs.Frames;
                foreach (var answers in Paths.Chunk(50))
                    await Task.WhenAll(
                        answers.Select(async path => Assert.Equal(FramePacs.GetBytes(path, GetLength(path)), await GetAsync(after, path))));
                hits += Paths.Count - (pacs.Frames - before);
                await SettleAsync(after, Paths.Count);
                Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(Cache, "tmp")));
                var disk = await DiskAsync(after);
                Assert.Equal(Files().Count, (int)disk["entries"]!);
                Assert.Equal(Files().Sum(f => (f.Length + 4095) / 4096 * 4096), (long)disk["bytes"]!);
                Assert.Equal(0, (int)disk["damaged"]!);
                await after.KillAsync();
            }
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"files after each kill: {string.Join(", ", kills)}; hits afterwards: {hits}");
        Assert.Contains(kills, files => files is > 0 and < Series * FramesEach);
    }

    /// <summary>A disk of 8 MB with a configured budget of a gigabyte.</summary>
    [Fact]
    public async Task ServesClientsAndCachesAgainAfterAPurge_WhenTheDiskIsFull()
    {
        Directory.CreateDirectory(Cache);
        Assert.SkipUnless(await MountAsync("-t", "tmpfs", "-o", "size=8m", "tmpfs", Cache), "Only root can mount a small disk.");
        try
        {
            // The disk has room for five of the ten series.
            static int LengthHere(string path) => GetLength(path) / 8;
            await using var pacs = await FramePacs.StartAsync(Series, LengthHere);
            await using var proxy = await StartAsync(pacs, "Cache:Memory:MaxBytes=1048576");
            for (var round = 0; round < 3; round++)
            {
                foreach (var path in Paths)
                    Assert.Equal(FramePacs.GetBytes(path, LengthHere(path)), await GetAsync(proxy, path));
            }

            var disk = await DiskAsync(proxy);
            Assert.InRange((long)disk["bytes"]!, 1, 8 << 20);
            Assert.True((int)disk["unkept"]! > 0);
            Assert.True(proxy.Log.Contains("is full", StringComparison.Ordinal), proxy.Log);
            await Until.PassesAsync(async () => Assert.Equal("ready", (string)(await DiskAsync(proxy))["state"]!), Cancel);
            var cached = Files().Count;
            Assert.True(cached > 0);
            // Bodies that are still queued may fill the disk once more: the purge succeeds when all of them were written or dropped.
            await Until.PassesAsync(
                async () =>
                {
                    using var purged = await proxy.Http.DeleteAsync("cache", Cancel);
                    purged.EnsureSuccessStatusCode();
                },
                Cancel);
            // After the purge the proxy uses the free space again.
            foreach (var path in Paths.Take(50))
                await GetAsync(proxy, path);
            await Until.PassesAsync(() => Task.Run(() => Assert.Equal(50, Files().Count)), Cancel);
        }
        finally
        {
            using var unmount = Process.Start("umount", [Cache]);
            await unmount.WaitForExitAsync(CancellationToken.None);
        }
    }

    [Fact]
    public async Task AsksTheBackendOnce_WhenManyClientsMissAtOnce()
    {
        // The clients share the cores of one process: each must read its next chunk before the server classes it as a client that does
        // not read, and none may hold the memory of the others.
        const int Clients = 250, Bytes = 300_000;
        await using var pacs = await FramePacs.StartAsync(1, _ => Bytes);
        await using var proxy = await StartAsync(pacs);
        var path = FramePacs.GetPath(1, 1);
        var expected = FramePacs.GetBytes(path, Bytes);
        var complete = 0;
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(async _ =>
        {
            if (await ReceivesAsync(proxy, path, expected))
                Interlocked.Increment(ref complete);
        }));
        Assert.Equal(Clients, complete);
        Assert.Equal(1, pacs.Frames);
    }

    /// <summary>Lengths of all sizes up to 200 KB.</summary>
    private static int GetLength(string path) => path.Sum(c => c) * 7919 % 200_000;

    private static async Task<byte[]> GetAsync(ProxyProcess proxy, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "dicomweb/" + path);
        request.Headers.TryAddWithoutValidation("Accept", "application/octet-stream; transfer-syntax=*");
        using var response = await proxy.Http.SendAsync(request, Cancel);
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadAsByteArrayAsync(Cancel);
    }

    private static async Task<bool> ReceivesAsync(ProxyProcess proxy, string path, ReadOnlyMemory<byte> expected)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "dicomweb/" + path);
        request.Headers.TryAddWithoutValidation("Accept", "application/octet-stream; transfer-syntax=*");
        using var response = await proxy.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        response.EnsureSuccessStatusCode();
        await using var body = await response.Content.ReadAsStreamAsync(Cancel);
        var piece = new byte[16 * 1024];
        for (int count; (count = await body.ReadAsync(piece, Cancel)) > 0; expected = expected[count..])
        {
            if (!expected.Span.StartsWith(piece.AsSpan(0, count)))
                return false;
        }

        return expected.IsEmpty;
    }

    private static async Task<JsonNode> DiskAsync(ProxyProcess proxy) =>
        JsonNode.Parse(await proxy.Http.GetStringAsync("cache", Cancel))!["disk"]!;

    private static Task SettleAsync(ProxyProcess proxy, int entries) =>
        Until.PassesAsync(
            async () =>
            {
                var disk = await DiskAsync(proxy);
                Assert.Equal((false, entries), ((bool)disk["scanning"]!, (int)disk["entries"]!));
            },
            Cancel);

    private static async Task<bool> MountAsync(params string[] arguments)
    {
        if (!OperatingSystem.IsLinux() || Environment.UserName != "root")
            return false;
        using var mount = Process.Start("mount", arguments);
        await mount.WaitForExitAsync(Cancel);
        return mount.ExitCode == 0;
    }

    private List<FileInfo> Files() =>
        [.. new DirectoryInfo(Path.Combine(Cache, "entries")).EnumerateFiles("*", SearchOption.AllDirectories)];

    private Task<ProxyProcess> StartAsync(FramePacs pacs, params string[] settings) =>
        ProxyProcess.StartAsync([
            .. ProxyProcess.Backend("pacs", pacs.Address), .. ProxyProcess.Lasting, $"Cache:Disk:Path={Cache}",
            "Cache:Disk:MaxBytes=1073741824", .. settings], Cancel);
}
