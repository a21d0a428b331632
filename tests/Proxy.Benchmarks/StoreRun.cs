using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Dicom;
using Proxy.Disk;
using Proxy.Metadata;
using Proxy.Metadata.Persistence;
using Proxy.Operations;
using Proxy.Tests.Metadata;
using Proxy.Wire;
using EventLog = Proxy.Events.EventLog;

namespace Proxy.Benchmarks;

/// <summary>
/// A million instances in the store: under 600 MB in memory, found by image id in under 2 µs, available after a restart in under 5 s.
/// </summary>
/// <remarks>
/// Each part runs in a separate process to measure its memory alone: one fills the store, then two start on its files.
/// </remarks>
internal static class StoreRun
{
    private const int Studies = 2000;
    private const int Instances = 500;
    private const int Lookups = 1_000_000;
    /// <summary>Each result is the median of this number of measurements.</summary>
    private const int Parts = 20;

    /// <summary>A part of every UID of <see cref="CtSeries"/>; its last four digits are replaced by the number of the study.</summary>
    private const string Mark = "20111102150758591";

    public static async Task RunAsync(string[] args)
    {
        if (args is ["fill", var filled])
        {
            await FillAsync(filled);
            return;
        }
        if (args is ["open", var kept, var budget])
        {
            await OpenAsync(kept, long.Parse(budget, CultureInfo.InvariantCulture));
            return;
        }
        var folder = Directory.CreateTempSubdirectory("proxy-store-").FullName;
        try
        {
            await StartAsync("fill", folder);
            await StartAsync("open", folder, (1L << 30).ToString(CultureInfo.InvariantCulture));
            await StartAsync("open", folder, (128L << 20).ToString(CultureInfo.InvariantCulture));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task StartAsync(params string[] part)
    {
        using var process = Process.Start(
            new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Proxy.Benchmarks.dll"), "store", .. part]))!;
        await process.WaitForExitAsync();
    }

    private static async Task FillAsync(string folder)
    {
        var (store, file, _) = await OpenStoreAsync(folder, 1L << 30);
        var series = new List<(Uid Uid, byte[] Json)>(CtSeries.Instances(Instances));
        Print($"{Studies} studies of {Instances} CT instances, {series.Average(s => s.Json.Length):F0} bytes of JSON each");
        var clock = Stopwatch.StartNew();
        var flushing = TimeSpan.Zero;
        for (var study = 0; study < Studies; study++)
        {
            await AddAsync(store, series, study);
            if (study % 50 != 49) continue;
            var flush = Stopwatch.StartNew();
            await store.FlushAsync();
            flushing += flush.Elapsed;
        }
        Print($"filled in {clock.Elapsed.TotalSeconds:F1} s, {flushing.TotalSeconds:F1} s of it for writing to disk");
        Print($"{(double)file.UsedBytes / (Studies * Instances):F0} bytes per instance on disk");
        Show("in memory, as added", store);
        Measure(store, Lookups);
        file.Dispose();
    }

    private static async Task OpenAsync(string folder, long budget)
    {
        Print($"-- restarted, {Megabytes(budget)} MB for the store");
        var clock = Stopwatch.StartNew();
        var (store, _, opening) = await OpenStoreAsync(folder, budget);
        if (store.GetInstanceFromImageId(GetImageId(Studies / 2, 7))!.Json.Length < 6000)
            throw new InvalidOperationException("The stored studies do not match.");
        Print($"first lookup after {clock.Elapsed.TotalMilliseconds:F0} ms, {opening.TotalMilliseconds:F0} ms of it for the folder");
        clock.Restart();
        for (var study = 0; study < Studies; study++) store.GetStudy(GetStudyUid(study));
        Print($"a study read back: {clock.Elapsed.TotalMicroseconds / Studies:F0} µs");
        Show("in memory, read back", store);
        Measure(store, budget < 1 << 30 ? 20_000 : Lookups);
        clock.Restart();
        var listed = await store.ReadStudiesAsync(CancellationToken.None).Take(1000).CountAsync();
        Print($"listing {listed} studies: {clock.Elapsed.TotalMilliseconds:F0} ms");
        Show("at the end", store);
    }

    private static void Measure(DicomMetadataStore store, int count)
    {
        var random = new Random(1);
        var all = Enumerable.Range(0, 100_000).Select(_ => GetImageId(random.Next(Studies), random.Next(Instances))).ToArray();
        Time("lookup, random", count, i => store.GetInstanceFromImageId(all[i % all.Length]) is not null);
        var ordered = Enumerable.Range(0, 20).SelectMany(study => Enumerable.Range(0, Instances).Select(i => GetImageId(study * 97, i)))
            .ToArray();
        Time("lookup, in order", ordered.Length, i => store.GetInstanceFromImageId(ordered[i]) is not null);
        Time("lookup and dataset, in order", ordered.Length, i => store.GetInstanceFromImageId(ordered[i])!.Json.Length > 6000);
        Time("lookup and dataset, random", 2000, i => store.GetInstanceFromImageId(all[i])!.Json.Length > 6000);
    }

    private static void Time(string what, int count, Func<int, bool> isFound)
    {
        for (var i = 0; i < Math.Min(count, 20_000); i++) isFound(i);
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        var parts = new List<double>();
        for (var part = 0; part < Parts; part++)
        {
            var clock = Stopwatch.StartNew();
            for (var i = part * (count / Parts); i < (part + 1) * (count / Parts); i++)
            {
                if (!isFound(i)) throw new InvalidOperationException("Not found.");
            }
            parts.Add(clock.Elapsed.TotalNanoseconds / (count / Parts));
        }
        var bytes = (GC.GetAllocatedBytesForCurrentThread() - allocated) / count;
        Print($"{what}: {parts.Order().ElementAt(Parts / 2),8:F0} ns, at best {parts.Min():F0}; {bytes} bytes allocated");
    }

    private static void Show(string what, DicomMetadataStore store)
    {
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        using var process = Process.GetCurrentProcess();
        var heap = GC.GetTotalMemory(forceFullCollection: true);
        Print($"{what}: resident {Megabytes(process.WorkingSet64)} MB (peak with this tool {Megabytes(process.PeakWorkingSet64)} MB)");
        Print($"    heap {Megabytes(heap)} MB, {(double)heap / (Studies * Instances):F0} bytes per instance");
        Print($"    the store reports {Megabytes(store.Bytes)} MB");
    }

    private static async Task<(DicomMetadataStore Store, StudyFile File, TimeSpan Opening)> OpenStoreAsync(string path, long budget)
    {
        var clock = Stopwatch.StartNew();
        var folder = new CacheFolder(path, NullLogger<CacheFolder>.Instance);
        await folder.CheckAsync();
        var opening = clock.Elapsed;
        var meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
        var file = new StudyFile(
            folder, name => name + "@1", identity => identity[..^2], new Counters(meters), NullLogger<StudyFile>.Instance);
        var store = new DicomMetadataStore(_ => 1, TimeProvider.System, new EventLog(NullLogger<EventLog>.Instance), budget, file);
        await store.FlushAsync();
        return (store, file, opening);
    }

    /// <summary>Adds the data that opening a study stores: the study's row, the series' row, the metadata.</summary>
    private static async Task AddAsync(DicomMetadataStore store, List<(Uid Uid, byte[] Json)> series, int study)
    {
        var rows = new List<Dataset>();
        await foreach (var row in DicomJsonReader.ReadAsync(new MemoryStream(Encoding.UTF8.GetBytes($"[{GetRow(study)}]")))) rows.Add(row);
        store.AddStudy("east", rows[0]);
        store.SetSeriesMetadata("east", GetStudyUid(study), rows);
        var builder = new PackedInstances.Builder();
        foreach (var (uid, json) in series) builder.Add(Uid.Parse(Marked(uid.ToString(), study)), Marked(json, study));
        store.AddInstances("east", new(GetStudyUid(study), GetSeriesUid(study)), builder.Build(), new Validators("\"a\"", null), rows[0]);
    }

    private static string GetRow(int study) =>
        "{\"00080020\":{\"vr\":\"DA\",\"Value\":[\"20111102\"]},\"00080030\":{\"vr\":\"TM\",\"Value\":[\"150758.591000\"]},"
        + "\"00080050\":{\"vr\":\"SH\",\"Value\":[\"2819497684894126\"]},\"00080060\":{\"vr\":\"CS\",\"Value\":[\"CT\"]},"
        + "\"00081030\":{\"vr\":\"LO\",\"Value\":[\"Thorax^01_ThoraxRoutine (Adult)\"]},"
        + "\"0008103E\":{\"vr\":\"LO\",\"Value\":[\"ThorRoutine  5.0  B41f\"]},"
        + "\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"DOE^JANE\"}]},\"00100020\":{\"vr\":\"LO\",\"Value\":[\"MR-0012345\"]},"
        + $"\"0020000D\":{{\"vr\":\"UI\",\"Value\":[\"{GetStudyUid(study)}\"]}},"
        + $"\"0020000E\":{{\"vr\":\"UI\",\"Value\":[\"{GetSeriesUid(study)}\"]}},\"00201209\":{{\"vr\":\"IS\",\"Value\":[{Instances}]}}}}";

    private static Uid GetStudyUid(int study) => Uid.Parse(Marked(CtSeries.Study.ToString(), study));

    private static Uid GetSeriesUid(int study) => Uid.Parse(Marked(CtSeries.Series.ToString(), study));

    private static string GetImageId(int study, int instance) =>
        $"wadors:http://127.0.0.1:8080/dicomweb/studies/{GetStudyUid(study)}/series/{GetSeriesUid(study)}"
        + $"/instances/{Marked(CtSeries.InstanceUid(instance + 1).ToString(), study)}/frames/1";

    private static string GetMark(int study) => Mark[..^4] + (study + 1000).ToString(CultureInfo.InvariantCulture);

    private static string Marked(string text, int study) => text.Replace(Mark, GetMark(study), StringComparison.Ordinal);

    private static byte[] Marked(byte[] json, int study)
    {
        var marked = json.ToArray();
        var (mark, own) = (Encoding.ASCII.GetBytes(Mark), Encoding.ASCII.GetBytes(GetMark(study)));
        for (int at = 0, next; (next = marked.AsSpan(at).IndexOf(mark)) >= 0; at += next + own.Length) own.CopyTo(marked.AsSpan(at + next));
        return marked;
    }

    private static string Megabytes(long bytes) => (bytes / 1048576.0).ToString("F0", CultureInfo.InvariantCulture);

    private static void Print(FormattableString line) => Console.WriteLine(FormattableString.Invariant(line));
}
