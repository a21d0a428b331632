using System.Diagnostics;
using System.Globalization;

namespace Proxy.Benchmarks;

/// <summary>The proxy in a separate process, to measure its memory alone.</summary>
internal sealed class ProxyProcess : IDisposable
{
    private readonly Process _process;

    private ProxyProcess(Process process, Uri root) => (_process, Root) = (process, root);

    public Uri Root { get; }

    /// <summary>The resident memory now, in bytes.</summary>
    public long Resident => ReadStatus("VmRSS:");

    /// <summary>The maximum of resident memory since <see cref="ResetPeak"/>, in bytes.</summary>
    public long PeakResident => ReadStatus("VmHWM:");

    /// <summary>The processor time used since the start.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    public static async Task<ProxyProcess> StartAsync(params IEnumerable<string> settings)
    {
        var root = Bench.FindFreeRoot();
        var product = Path.Combine(AppContext.BaseDirectory, "Proxy.dll");
        var process = Process.Start(new ProcessStartInfo(
            "dotnet",
            [product, $"--urls={root}", "--Logging:LogLevel:Default=Warning", "--Startup:TestBackends=false",
                .. settings])
        { WorkingDirectory = AppContext.BaseDirectory })!;
        await Bench.WaitAsync(root);
        return new(process, root);
    }

    /// <summary>Resets the peak to the current resident memory (Linux).</summary>
    public void ResetPeak() => File.WriteAllText($"/proc/{_process.Id}/clear_refs", "5");

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    private long ReadStatus(string name)
    {
        var line = File.ReadLines($"/proc/{_process.Id}/status").First(l => l.StartsWith(name, StringComparison.Ordinal));
        return long.Parse(line[name.Length..].Trim().Split(' ')[0], CultureInfo.InvariantCulture) * 1024;
    }
}
