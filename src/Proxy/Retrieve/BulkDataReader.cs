using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>Gives bulk data: from the cache, else from the backend whose metadata named it.</summary>
/// <remarks>No other backend is asked: a place that one backend named means nothing to another.</remarks>
public sealed class BulkDataReader(BodyFetch fetch, BackendScheduler scheduler, EntryCache cache)
{
    /// <summary>What a client asked for.</summary>
    /// <param name="backend">Whose place it is.</param>
    /// <param name="place">The place.</param>
    /// <param name="cancellation">The client leaves; the fetch goes on while another client waits.</param>
    /// <returns>Without a body: who failed; nobody failed: the backend does not have it.</returns>
    public async Task<BodyResult> ReadAsync(BackendOptions backend, BulkDataPath place, CancellationToken cancellation)
    {
        var key = GetKey(backend, place);
        if (await cache.FindAsync([new(key)], cancellation) is { } found) return BodyResult.Hit(found.Body, backend.Name);
        var lookup = cache.Get(key, (inFlight, stopped) => AskAsync(backend, place, inFlight, stopped));
        var waiting = lookup.Reader is null ? null : scheduler.BeginForeground(backend.Name, GetTarget(key));
        return await BodyResult.FromLookupAsync(lookup, backend.Name, cancellation, waiting);
    }

    /// <summary>Whether it is kept.</summary>
    public ValueTask<bool> IsCachedAsync(BackendOptions backend, BulkDataPath place, CancellationToken cancellation) =>
        cache.HasAsync([new(GetKey(backend, place))], cancellation);

    /// <summary>Fetches what no client asked for yet.</summary>
    /// <param name="backend">Whose place it is.</param>
    /// <param name="place">The place, as <see cref="BulkDataPath.TryReadLink"/> reads it from kept metadata.</param>
    /// <param name="cancellation">Leaves it; a client that joined keeps it going.</param>
    /// <returns>How many bytes came; missing when the backend does not have it.</returns>
    public async Task<BackendAnswer<long>> PrefetchAsync(BackendOptions backend, BulkDataPath place, CancellationToken cancellation)
    {
        var lookup = cache.Get(
            GetKey(backend, place), (inFlight, stopped) => AskAsync(backend, place, inFlight, stopped), Placement.Prefetched);
        using var result = await BodyResult.FromLookupAsync(lookup, backend.Name, cancellation);
        if (result.Body is not { } body) return result.Failures.Count > 0 ? new(result.Failures[0]) : new() { IsMissing = true };
        try
        {
            var bytes = 0L;
            for (ReadOnlyMemory<byte> piece; !(piece = await body.ReadAsync(cancellation)).IsEmpty;) bytes += piece.Length;
            return new(bytes);
        }
        catch (BrokenBodyException)
        {
            return new(new BackendFailure(backend.Name, BackendError.BadAnswer, "the body broke off"));
        }
    }

    internal static EntryKey GetKey(BackendOptions backend, BulkDataPath place) => new(backend.Name, place.CacheKey, null);

    private static FetchTarget GetTarget(EntryKey key) =>
        new(Uid.TryParse(key.Study, out var study) ? study : default, Uid.TryParse(key.Series, out var series) ? series : null);

    private async Task<BackendAnswer<EntryHead>> AskAsync(
        BackendOptions backend, BulkDataPath place, InFlightBody inFlight, CancellationToken cancellation)
    {
        var answer = await fetch.AskBulkDataAsync(backend, place.Path, inFlight, cancellation);
        // OHIF and others resolve some relative URIs against the study, archives write them for either.
        return answer.IsMissing && place.StudyPath is { } other
            ? await fetch.AskBulkDataAsync(backend, other, inFlight, cancellation)
            : answer;
    }
}
