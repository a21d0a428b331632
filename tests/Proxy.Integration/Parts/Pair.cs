namespace Proxy.Integration;

/// <summary>Two archives that hold the studies of <see cref="Overlap"/>; tests may stop, restart and change them.</summary>
public sealed class Pair : IAsyncDisposable
{
    private ProxyProcess? _proxy;

    private Pair(OrthancServer east, OrthancServer west) => (East, West) = (east, west);

    public OrthancServer East { get; }

    public OrthancServer West { get; }

    public static async Task<Pair> StartAsync(CancellationToken cancellationToken)
    {
        var east = await OrthancServer.StartAsync("pair-east", null, cancellationToken);
        var west = await OrthancServer.StartAsync("pair-west", null, cancellationToken);
        await east.StoreAsync(Overlap.East, cancellationToken);
        await west.StoreAsync(Overlap.West, cancellationToken);
        return new Pair(east, west);
    }

    /// <summary>A proxy that many tests share while both archives run; each test uses its own study.</summary>
    public async Task<ProxyProcess> GetProxyAsync(CancellationToken cancellationToken) =>
        _proxy ??= await StartProxyAsync(cancellationToken);

    /// <summary>
    /// A new proxy in front of both, with a freshness of one second. It prefers the west, so it serves a series of the east only if
    /// the east has more instances.
    /// </summary>
    public Task<ProxyProcess> StartProxyAsync(CancellationToken cancellationToken) => ProxyProcess.StartAsync(
        [
            .. ProxyProcess.Backend("east", East.Address), .. ProxyProcess.Backend("west", West.Address), "Backends:west:Preference=1",
            "Search:Freshness=00:00:01", "Cache:Metadata:Freshness=00:00:01",
        ],
        cancellationToken);

    /// <summary>Restarts the archives that a test stopped.</summary>
    public async Task RecoverAsync(CancellationToken cancellationToken)
    {
        foreach (var archive in new[] { East, West }.Where(a => !a.IsRunning))
            await archive.StartAgainAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync() => await Task.WhenAll(
        new IAsyncDisposable?[] { _proxy, East, West }.OfType<IAsyncDisposable>().Select(part => part.DisposeAsync().AsTask()));
}
