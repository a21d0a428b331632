using System.Diagnostics;
using System.Globalization;
using Proxy.Wire.Part10;

namespace Proxy.Benchmarks;

/// <summary>Reads the dataset of DICOM files up to their pixel data on one core, beside pydicom and dcm2json.</summary>
/// <remarks>
/// <c>part10 FILE…</c>; the megabytes are those in front of the pixel data. The time here is that of the processor, and does not depend on
/// other load. dcm2json is measured as a process.
/// </remarks>
internal static class Part10Run
{
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(2);

    private const string Pydicom = """
        import io, sys, time, pydicom
        data = open(sys.argv[1], 'rb').read()
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < 2:
            pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True).to_json_dict(suppress_invalid_tags=True)
            count += 1
        print((time.perf_counter() - start) / count)
        """;

    public static async Task RunAsync(IEnumerable<string> files)
    {
        Console.WriteLine("file                           header KB   JSON KB   here us   here MB/s   pydicom us   dcm2json us");
        foreach (var file in files)
        {
            var bytes = await File.ReadAllBytesAsync(file);
            var dataset = Read(bytes);
            var header = dataset.Bulk.LastOrDefault(bulk => bulk.Path == "7FE00010")?.Ranges[0].Offset ?? bytes.Length;
            var here = Measure(() => Read(bytes));
            var pydicom = await AskAsync("/usr/bin/python3", "-c", Pydicom, file) is { } output
                ? double.Parse(output, CultureInfo.InvariantCulture) * 1e6
                : double.NaN;
            var started = Stopwatch.GetTimestamp();
            var dcm2json = await AskAsync("dcm2json", file) is null ? double.NaN : Stopwatch.GetElapsedTime(started).TotalMicroseconds;
            var sizes = string.Create(CultureInfo.InvariantCulture, $"{header / 1e3,9:F1} {dataset.Json.Length / 1e3,9:F1}");
            var times = string.Create(CultureInfo.InvariantCulture, $"{here,9:F1} {header / here,11:F0} {pydicom,12:F0} {dcm2json,13:F0}");
            Console.WriteLine($"{Path.GetFileName(file),-30} {sizes} {times}");
        }
    }

    private static Part10Dataset Read(byte[] file) => Part10DatasetReader.Read(
        file.Length,
        (at, room) =>
        {
            var count = (int)Math.Min(room.Length, file.Length - at);
            file.AsSpan((int)at, count).CopyTo(room);
            return count;
        },
        "\uFFFF/studies/1.2/series/1.2.3/instances/1.2.3.4/bulkdata/east/#");

    /// <summary>Microseconds per call, after a warm-up of the same length.</summary>
    private static double Measure(Action action)
    {
        var micros = 0.0;
        for (var round = 0; round < 2; round++)
        {
            var (started, used, count) = (Stopwatch.GetTimestamp(), Environment.CpuUsage.UserTime, 0);
            for (; Stopwatch.GetElapsedTime(started) < Duration; count++) action();
            micros = (Environment.CpuUsage.UserTime - used).TotalMicroseconds / count;
        }
        return micros;
    }

    /// <summary>The output of a program; null when it is not installed or fails.</summary>
    private static async Task<string?> AskAsync(string program, params string[] arguments)
    {
        try
        {
            var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, UseShellExecute = false };
            using var process = Process.Start(start)!;
            var output = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            return process.ExitCode == 0 ? output : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
