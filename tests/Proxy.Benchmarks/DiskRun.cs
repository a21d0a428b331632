using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.IO.Hashing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Cache;
using Proxy.Cache.OnDisk;
using Proxy.Dicom;
using Proxy.Disk;
using Proxy.Operations;

namespace Proxy.Benchmarks;

/// <summary>
/// A million entries on disk in 2,000 series: the start time after an orderly shutdown, after a kill, and after the loss of the index.
/// </summary>
internal static class DiskRun
{
    private const int Series = 2000;
    private const int Each = 500;

    public static async Task RunAsync()
    {
        var path = Directory.CreateTempSubdirectory("proxy-million-").FullName;
        try
        {
            var started = Stopwatch.GetTimestamp();
            await using (var empty = await OpenAsync(path)) await empty.SettleAsync();
            Parallel.For(0, Series, series => Fill(path, series));
            Console.WriteLine($"{Series * Each:N0} entries written in {Stopwatch.GetElapsedTime(started).TotalSeconds:F0} s");
            await ShowAsync(path, "index lost", () => File.Delete(Path.Join(path, "entries.db")));
            await ShowAsync(path, "shut down in order", () => { });
            await ShowAsync(path, "killed", () => { }, isKilled: true);
            await ShowAsync(path, "after a kill", () => { });
        }
        finally
        {
            Directory.Delete(path, recursive: true);
        }
    }

    private static async Task ShowAsync(string path, string name, Action before, bool isKilled = false)
    {
        before();
        var started = Stopwatch.GetTimestamp();
        await using var tier = await OpenAsync(path);
        var found = (await tier.Tier.FindAsync([new(GetKey(1234, 56))], CancellationToken.None))!.Value;
        found.Body.Dispose();
        var first = Stopwatch.GetElapsedTime(started);
        await tier.SettleAsync();
        var counted = Stopwatch.GetElapsedTime(started);
        Console.WriteLine(
            $"{name,-16} first entry found after {first.TotalMilliseconds,6:F0} ms, "
            + $"all {tier.Writer.Entries:N0} counted after {counted.TotalMilliseconds,6:F0} ms, RSS {Environment.WorkingSet >> 20} MB");
        if (isKilled) tier.Folder.Fail(new IOException("killed"), wasWriting: true);
    }

    private static EntryKey GetKey(int series, int instance) =>
        new("east", $"studies/1.2.{series}/series/1.2.{series}.1/instances/1.2.{series}.1.{instance}/frames/1", BodyFormat.AsStored);

    /// <summary>Writes the same files as the disk writer, without flushes.</summary>
    private static void Fill(string path, int series)
    {
        var body = new byte[1000];
        for (var i = 0; i < Each; i++)
        {
            var key = GetKey(series, i) with { Backend = "east@here" };
            Directory.CreateDirectory(Path.Join(path, "entries", EntryFile.GetFolder(key)));
            using var file = File.OpenHandle(Path.Join(path, "entries", EntryFile.GetPath(key)), FileMode.Create, FileAccess.Write);
            RandomAccess.Write(
                file,
                [EntryFile.WriteHead(
                    key, new("application/octet-stream", "1.2.840.10008.1.2.1", body.Length), body.Length, XxHash128.HashToUInt128(body),
                    DateTimeOffset.UnixEpoch), body], 0);
        }
    }

    private static async Task<Opened> OpenAsync(string path)
    {
        var folder = new CacheFolder(path, NullLogger<CacheFolder>.Instance);
        await folder.CheckAsync();
        var writer = new DiskWriter(
            folder, identity => identity.Split('@')[0], 1L << 40, TimeProvider.System, NullLogger<DiskWriter>.Instance);
        await writer.StartAsync(CancellationToken.None);
        var meters = new ServiceCollection().AddMetrics().BuildServiceProvider();
        return new(
            folder, writer,
            new(
                folder, writer, name => name + "@here", new InFlightBytes(1L << 30), TimeProvider.System,
                new Counters(meters.GetRequiredService<IMeterFactory>()), NullLogger<DiskTier>.Instance));
    }

    private sealed record Opened(CacheFolder Folder, DiskWriter Writer, DiskTier Tier) : IAsyncDisposable
    {
        public async Task SettleAsync()
        {
            // A new job runs after all queued ones.
            await Tier.RemoveAsync(new("east", new SeriesPath(Uid.Parse("9.9"), Uid.Parse("9.9"))));
            while (Writer.IsScanning) await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }

        public async ValueTask DisposeAsync()
        {
            await Writer.StopAsync(CancellationToken.None);
            Writer.Dispose();
            Folder.Dispose();
        }
    }
}
