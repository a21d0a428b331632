using Xunit;
using Xunit.Sdk;
using Xunit.v3;

[assembly: AssemblyFixture(typeof(Proxy.Integration.Lab))]

// The parts are separate programs that share the machine, so parallel tests would only measure each other.
[assembly: Parallelization(Mode = ParallelMode.None)]

namespace Proxy.Integration;

/// <summary>
/// Shared by all tests: two real archives, filled once, a counting relay in front of each, and a proxy in front of both.
/// <code>
/// OHIF ── proxy ──┬── relay ── Orthanc east
///                 └── relay ── Orthanc west
/// </code>
/// </summary>
/// <remarks>Parts start on first use, so that on a machine without Orthanc every test is skipped.</remarks>
public sealed class Lab : IAsyncDisposable
{
    private readonly SemaphoreSlim _starting = new(1);
    private readonly List<IAsyncDisposable> _parts = [];
    private OrthancServer? _everything;
    private Pair? _pair;
    private ProxyProcess? _proxy;
    private Chromium? _chromium;
    private bool _isStarted;

    public OrthancServer East { get; private set; } = null!;

    public OrthancServer West { get; private set; } = null!;

    public CountingRelay EastWire { get; private set; } = null!;

    public CountingRelay WestWire { get; private set; } = null!;

    /// <summary>Watches the requests that reach the archives from now on.</summary>
    public Watch Watch() => new(EastWire, WestWire);

    /// <summary>Starts the archives only.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        Real.RequireOrthanc();
        await _starting.WaitAsync(cancellationToken);
        try
        {
            if (_isStarted)
                return;
            East = Keep(await OrthancServer.StartAsync("east", null, cancellationToken));
            West = Keep(await OrthancServer.StartAsync("west", null, cancellationToken));
            await East.StoreAsync(Archives.East.SelectMany(s => s.Instances), cancellationToken);
            await West.StoreAsync(Archives.West.SelectMany(s => s.Instances), cancellationToken);
            EastWire = Keep(new CountingRelay(East.Port));
            WestWire = Keep(new CountingRelay(West.Port));
            _isStarted = true;
        }
        finally
        {
            _starting.Release();
        }
    }

    /// <summary>An archive with the studies of both: the reference for two archives as one PACS.</summary>
    public async Task<DicomwebClient> GetEverythingAsync(CancellationToken cancellationToken)
    {
        Real.RequireOrthanc();
        if (_everything is null)
        {
            _everything = Keep(await OrthancServer.StartAsync("everything", null, cancellationToken));
            await _everything.StoreAsync(Archives.All.SelectMany(s => s.Instances), cancellationToken);
        }

        return new(_everything.Http, _everything.Address);
    }

    /// <summary>Two more archives with different parts of a study; tests may stop, restart and change them.</summary>
    public async Task<Pair> GetPairAsync(CancellationToken cancellationToken)
    {
        Real.RequireOrthanc();
        return _pair ??= Keep(await Pair.StartAsync(cancellationToken));
    }

    /// <summary>A proxy that many tests share. Its answers stay fresh, so a test must not rely on another test's requests.</summary>
    public async Task<ProxyProcess> GetProxyAsync(CancellationToken cancellationToken)
    {
        await StartAsync(cancellationToken);
        return _proxy ??= Keep(await StartProxyAsync(cancellationToken));
    }

    /// <summary>A browser for all tests: each page and each viewer has its own state.</summary>
    public async Task<Chromium> GetChromiumAsync()
    {
        Real.RequireChromium();
        return _chromium ??= Keep(await Chromium.StartAsync());
    }

    /// <summary>A new proxy in front of both relays.</summary>
    public async Task<ProxyProcess> StartProxyAsync(CancellationToken cancellationToken, params IEnumerable<string> settings)
    {
        await StartAsync(cancellationToken);
        return await ProxyProcess.StartAsync(
            [.. ProxyProcess.Backend("east", EastWire.Address), .. ProxyProcess.Backend("west", WestWire.Address), .. ProxyProcess.Lasting,
            .. settings],
            cancellationToken);
    }

    /// <summary>A client of the archive that holds <paramref name="series"/>, past the proxy and the relays.</summary>
    public DicomwebClient Archive(Series series) => Archives.IsEast(series) ? new(East.Http, East.Address) : new(West.Http, West.Address);

    public async ValueTask DisposeAsync()
    {
        // In parallel: each part takes seconds to end, and they do not depend on each other.
        await Task.WhenAll(_parts.Select(part => part.DisposeAsync().AsTask()));
        _starting.Dispose();
    }

    private T Keep<T>(T part) where T : IAsyncDisposable
    {
        _parts.Add(part);
        return part;
    }
}
