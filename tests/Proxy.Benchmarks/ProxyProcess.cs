using System.Diagnostics;
using System.Globalization;

namespace Proxy.Benchmarks;

/// <summary>The product in a process of its own, so that its memory is seen alone.</summary>
internal sealed class ProxyProcess : IDisposable
{
    private readonly Process _process;

    private ProxyProcess(Process process, Uri root) => (_process, Root) = (process, root);

    public Uri Root { get; }

    /// <summary>Memory that it has now, in bytes.</summary>
    public long Resident => ReadStatus("VmRSS:");

    /// <summary>The most memory that it had since <see cref="ForgetPeak"/>, in bytes.</summary>
    public long PeakResident => ReadStatus("VmHWM:");

    /// <summary>Processor time that it took since it started.</summary>
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
            [product, $"--urls={root}", "--Logging:LogLevel:Default=Warning",
                .. settings])
        { WorkingDirectory = AppContext.BaseDirectory })!;
        await Bench.WaitAsync(root);
        return new(process, root);
    }

    /// <summary>Lets the peak begin at what is resident now (Linux).</summary>
    public void ForgetPeak() => File.WriteAllText($"/proc/{_process.Id}/clear_refs", "5");

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
