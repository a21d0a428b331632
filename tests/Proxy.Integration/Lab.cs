using Xunit;
using Xunit.Sdk;
using Xunit.v3;

[assembly: AssemblyFixture(typeof(Proxy.Integration.Lab))]

// The parts are programs of their own that share the machine; tests at the same time would only measure each other.
[assembly: Parallelization(Mode = ParallelMode.None)]

namespace Proxy.Integration;

/// <summary>
/// What all tests share: two real archives, filled once, with a counting wire in front of each, and a proxy before both.
/// <code>
/// OHIF ── proxy ──┬── relay ── Orthanc east
///                 └── relay ── Orthanc west
/// </code>
/// </summary>
/// <remarks>Nothing starts before a test asks for it, so that on a machine without Orthanc every test is skipped.</remarks>
public sealed class Lab : IAsyncDisposable
{
    private readonly SemaphoreSlim _starting = new(1);
    private readonly List<IAsyncDisposable> _parts = [];
    private OrthancServer? _everything;
    private Pair? _pair;
    private ProxyProcess? _proxy;
    private bool _isStarted;

    public OrthancServer East { get; private set; } = null!;

    public OrthancServer West { get; private set; } = null!;

    public CountingRelay EastWire { get; private set; } = null!;

    public CountingRelay WestWire { get; private set; } = null!;

    /// <summary>Watches what reaches the archives from now on.</summary>
    public Watch Watch() => new(EastWire, WestWire);

    /// <summary>The archives alone.</summary>
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

    /// <summary>One archive that holds all that lies in both: how two archives as one PACS should look.</summary>
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

    /// <summary>Two more archives, which disagree and which tests may stop, start again and change.</summary>
    public async Task<Pair> GetPairAsync(CancellationToken cancellationToken)
    {
        Real.RequireOrthanc();
        return _pair ??= Keep(await Pair.StartAsync(cancellationToken));
    }

    /// <summary>A proxy that many tests ask; its answers last, so that a test must not rely on what it has not asked itself.</summary>
    public async Task<ProxyProcess> GetProxyAsync(CancellationToken cancellationToken)
    {
        await StartAsync(cancellationToken);
        return _proxy ??= Keep(await StartProxyAsync(cancellationToken));
    }

    /// <summary>A proxy that has seen nothing yet, in front of both wires.</summary>
    public async Task<ProxyProcess> StartProxyAsync(CancellationToken cancellationToken, params IEnumerable<string> settings)
    {
        await StartAsync(cancellationToken);
        return await ProxyProcess.StartAsync(
            [.. ProxyProcess.Backend("east", EastWire.Address), .. ProxyProcess.Backend("west", WestWire.Address), .. ProxyProcess.Lasting,
            .. settings],
            cancellationToken);
    }

    /// <summary>Asks the archive that holds <paramref name="series"/>, past the proxy and the wires.</summary>
    public DicomwebClient Archive(Series series) => Archives.IsEast(series) ? new(East.Http, East.Address) : new(West.Http, West.Address);

    public async ValueTask DisposeAsync()
    {
        // At once: each takes its seconds to end, and none minds the others.
        await Task.WhenAll(_parts.Select(part => part.DisposeAsync().AsTask()));
        _starting.Dispose();
    }

    private T Keep<T>(T part) where T : IAsyncDisposable
    {
        _parts.Add(part);
        return part;
    }
}
