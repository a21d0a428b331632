using System.Diagnostics;

namespace Proxy.Benchmarks;

/// <summary>Whole studies: first and last byte when nothing is cached, beside the PACS alone, and when all is, beside one file.</summary>
/// <remarks>
/// <c>study [URL]</c>; the URL is that of a file that another server, such as nginx, sends for comparison. The proxy runs in a process of
/// its own with a disk, and each cold round retrieves another study: first in the fresh process, then when it is warmed up. The requests
/// to be compared take turns.
/// </remarks>
internal static class StudyRun
{
    private const string Accept = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";
    private const int WarmUp = 20;
    private const int Rounds = 30;

    public static async Task RunAsync(string[] file)
    {
        await using var pacs = await StudyPacs.StartAsync();
        var folder = Directory.CreateTempSubdirectory("proxy-study-");
        try
        {
            using var proxy = await ProxyProcess.StartAsync(
                $"--Backends:east:Address={pacs.Root}", $"--Cache:Disk:Path={folder.FullName}", "--Prefetch:SeriesReadAhead=true");
            using var client = Bench.NewClient();
            for (var study = 1; study <= WarmUp; study++)
            {
                var (alone, cold) = (await GetAsync(pacs.Root, study), await GetAsync(new(proxy.Root, "dicomweb/"), study));
                if (study == 1) Show("cold, fresh process", [alone], [cold]);
            }
            await CompareAsync(
                proxy, "cold, warmed up", round => GetAsync(pacs.Root, WarmUp + round),
                round => GetAsync(new(proxy.Root, "dicomweb/"), WarmUp + round));
            Console.WriteLine($"{"",-22} {pacs.Alone} requests for single instances");
            var length = (await GetAsync(new(proxy.Root, "dicomweb/"), 1)).Bytes;
            var one = file is [var url] ? new Uri(url) : new Uri(pacs.Root, $"/file/{length}");
            // The second request in a while moves the instances from the disk to memory.
            await GetAsync(new(proxy.Root, "dicomweb/"), 1);
            await CompareAsync(
                proxy, "cached, beside a file", _ => MeasureAsync(client, one), _ => GetAsync(new(proxy.Root, "dicomweb/"), 1));

            Task<Times> GetAsync(Uri root, int study) => MeasureAsync(client, new(root, StudyPacs.StudyPath(study)));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>The times from the request to the first and the last byte of the body, in milliseconds, and its length.</summary>
    private readonly record struct Times(double First, double Last, long Bytes);

    private static async Task CompareAsync(ProxyProcess proxy, string what, Func<int, Task<Times>> mark, Func<int, Task<Times>> ours)
    {
        var (marks, times) = (new List<Times>(), new List<Times>());
        var used = proxy.ProcessorTime;
        for (var round = 1; round <= Rounds; round++)
        {
            marks.Add(await mark(round));
            times.Add(await ours(round));
        }
        Show(what, marks, times);
        Console.WriteLine($"{"",-22} {(proxy.ProcessorTime - used).TotalMilliseconds / Rounds:F0} ms of the proxy's processor time each");
    }

    private static void Show(string what, List<Times> marks, List<Times> times)
    {
        var (first, last) = (Describe("first", marks, times, t => t.First), Describe("last", marks, times, t => t.Last));
        Console.WriteLine($"{what,-22} {first}   {last}");

        static string Describe(string name, List<Times> marks, List<Times> times, Func<Times, double> of)
        {
            var (mark, time) = (Median(marks.Select(of)), Median(times.Select(of)));
            return $"{name} byte {time,6:F1} ms, {time / mark,5:F2} x {mark,6:F1} ms (at best {times.Min(of) / marks.Min(of):F2})";
        }
    }

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted[sorted.Count / 2];
    }

    private static async Task<Times> MeasureAsync(HttpClient client, Uri address)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        request.Headers.TryAddWithoutValidation("Accept", Accept);
        var started = Stopwatch.GetTimestamp();
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        response.EnsureSuccessStatusCode();
        await using var body = await response.Content.ReadAsStreamAsync();
        var (buffer, bytes, first) = (new byte[1 << 20], 0L, TimeSpan.Zero);
        for (int count; (count = await body.ReadAsync(buffer)) > 0; bytes += count)
        {
            if (bytes == 0) first = Stopwatch.GetElapsedTime(started);
        }
        return new(first.TotalMilliseconds, Stopwatch.GetElapsedTime(started).TotalMilliseconds, bytes);
    }
}
