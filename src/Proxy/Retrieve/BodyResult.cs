using Proxy.Backends;
using Proxy.Cache;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>One body for a client: kept, or on its way. None: who failed; nobody failed: it is nowhere.</summary>
public sealed record BodyResult(IBody? Body, CacheStatus Status, IReadOnlyList<BackendFailure> Failures) : IDisposable
{
    public static BodyResult None(IReadOnlyList<BackendFailure> failures) => new(null, CacheStatus.Miss, failures);

    public static BodyResult Hit(ICachedBody body, string backend) => new(body, CacheStatus.Hit, []) { Backend = backend };

    /// <summary>Whose the body is.</summary>
    public string Backend { get; private init; } = "";

    /// <summary>Says that a client waits for the backend, as long as the body is on its way to him.</summary>
    private IDisposable? Waiting { get; init; }

    /// <summary>
    /// What a look into the cache leads to, when the backend has said what comes. A client that leaves while it waits leaves the fill too.
    /// </summary>
    /// <param name="lookup">Kept, or a place in a fill.</param>
    /// <param name="backend">Whose.</param>
    /// <param name="cancellation">The client leaves.</param>
    /// <param name="waiting">Disposed of when the result is, or when there is none.</param>
    public static async Task<BodyResult> FromLookupAsync(
        EntryCache.Lookup lookup, string backend, CancellationToken cancellation, IDisposable? waiting = null)
    {
        if (lookup.Kept is { } kept) return Hit(kept, backend);
        var reader = lookup.Reader!;
        try
        {
            var answer = await reader.ReadHeadAsync(cancellation);
            if (answer.IsFound)
                return new(
                    reader, lookup.IsCollapsed ? CacheStatus.Collapsed : CacheStatus.Miss, [])
                { Backend = backend, Waiting = waiting };
            reader.Dispose();
            waiting?.Dispose();
            return None(answer.Failure is { } failure ? [failure] : []);
        }
        catch
        {
            reader.Dispose();
            waiting?.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Body?.Dispose();
        Waiting?.Dispose();
    }
}
