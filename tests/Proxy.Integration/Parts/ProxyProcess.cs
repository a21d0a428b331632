using System.Globalization;

namespace Proxy.Integration;

/// <summary>The product as a user starts it: its own process, its own port, settings on the command line.</summary>
public sealed class ProxyProcess : IAsyncDisposable
{
    private readonly Scratch _scratch;
    private readonly ChildProcess _process;

    private ProxyProcess(Scratch scratch, ChildProcess process, string root)
    {
        (_scratch, _process, Root) = (scratch, process, root);
        Http = new HttpClient(new SocketsHttpHandler()) { BaseAddress = new Uri(root + '/') };
    }

    /// <summary>Scheme, host and port.</summary>
    public string Root { get; }

    /// <summary>The root of all backends as one PACS.</summary>
    public string Dicomweb => Root + "/dicomweb";

    public HttpClient Http { get; }

    /// <summary>A client of all backends as one PACS.</summary>
    public DicomwebClient Client => new(Http, Dicomweb);

    public string Log => _process.Log;

    /// <summary>Turns prefetching off, for tests that count requests to an archive.</summary>
    public static IEnumerable<string> NoPrefetch => ["Prefetch:SeriesReadAhead=false", "Prefetch:NextStudies=0", "Prefetch:Priors=0"];

    /// <summary>Keeps answers fresh for as long as a test runs: the proxy does not revalidate them.</summary>
    public static string[] Lasting { get; } = ["Search:Freshness=00:05:00", "Cache:Metadata:Freshness=00:05:00"];

    public static string[] Backend(string name, string address) => [$"Backends:{name}:Address={address}"];

    /// <param name="settings">As on the command line, without the dashes: <c>Backends:east:Address=http://…</c></param>
    public static Task<ProxyProcess> StartAsync(IEnumerable<string> settings, CancellationToken cancellationToken) =>
        StartAsync(settings, $"http://127.0.0.1:{Readiness.FreePort()}", cancellationToken);

    /// <summary>As above, at an address that is known before.</summary>
    public static async Task<ProxyProcess> StartAsync(IEnumerable<string> settings, string root, CancellationToken cancellationToken)
    {
        var scratch = new Scratch("proxy");
        IEnumerable<string> arguments = [FindProduct(), "--urls", root, "--Startup:TestBackends=false"];
        // The content root is an empty folder, so that no local settings apply.
        var process = ChildProcess.Start("dotnet", arguments.Concat(settings.Select(s => "--" + s)), scratch.Folder);
        var proxy = new ProxyProcess(scratch, process, root);
        try
        {
            await Readiness.AwaitAsync(proxy.Http, root + "/health/live", process, cancellationToken);
            return proxy;
        }
        catch
        {
            await proxy.DisposeAsync();
            throw;
        }
    }

    /// <summary>The most memory that the process has had, in bytes: <c>VmHWM</c> in kB.</summary>
    public long ReadPeakBytes() => File.ReadLines($"/proc/{_process.Id}/status")
        .Where(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2])
        .Select(kilobytes => 1024 * long.Parse(kilobytes, CultureInfo.InvariantCulture)).Single();

    /// <summary>Stops the process as an operator would: the proxy writes what it has in memory.</summary>
    public Task StopAsync() => _process.StopAsync();

    /// <summary>Kills the process like a power failure: only data on disk survives.</summary>
    public Task KillAsync() => _process.KillAsync();

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        Http.Dispose();
        _scratch.Dispose();
    }

    /// <summary>
    /// The product in its own build folder, in the configuration of the tests; otherwise the copy beside the tests.
    /// </summary>
    private static string FindProduct()
    {
        var beside = new DirectoryInfo(AppContext.BaseDirectory);
        var (framework, configuration) = (beside.Name, beside.Parent!.Name);
        for (var folder = beside; folder is not null; folder = folder.Parent)
        {
            var built = Path.Combine(folder.FullName, "src", "Proxy", "bin", configuration, framework, "Proxy.dll");
            if (File.Exists(built))
                return built;
        }

        return Path.Combine(beside.FullName, "Proxy.dll");
    }
}
