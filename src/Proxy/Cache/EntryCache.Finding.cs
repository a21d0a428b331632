using System.Diagnostics.CodeAnalysis;
using Proxy.Cache.InMemory;
using Proxy.Operations.Telemetry;

namespace Proxy.Cache;

/// <summary>Look-ups of entries, and of bodies in flight.</summary>
public sealed partial class EntryCache
{
    /// <summary>Steps 1 and 3. Finds the first acceptable entry; null also when the first is in flight.</summary>
    /// <param name="wanted">Entries of one backend, the likeliest first; enumerated lazily.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public async ValueTask<(EntryKey Key, ICachedBody Body)?> FindAsync(
        IEnumerable<AcceptableEntry> wanted, CancellationToken cancellation) =>
        await FindAsync(wanted, placement: null, cancellation) is var (key, body) ? (key, (ICachedBody)body) : null;

    /// <summary>
    /// Steps 1 to 3. Finds the first acceptable entry; a body in flight whose head is known is joined, however it was asked for.
    /// </summary>
    /// <param name="wanted">Entries of one backend, the likeliest first; enumerated lazily.</param>
    /// <param name="placement">Where to store a body that is joined; null to join none.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    /// <returns>An <see cref="ICachedBody"/>, or the reader of the body in flight.</returns>
    public async ValueTask<(EntryKey Key, IBody Body)?> FindAsync(
        IEnumerable<AcceptableEntry> wanted, Placement? placement, CancellationToken cancellation)
    {
        using var span = Spans.Start("cache");
        foreach (var acceptable in wanted)
        {
            if (!TryFind(acceptable, out var cached)) continue;
            span?.SetTag("tier", "memory");
            Statistics.Count(acceptable.Key, isHit: true);
            return (acceptable.Key, cached);
        }
        List<AcceptableEntry> all = [.. wanted];
        Statistics.Count(all[0].Key, isHit: false);
        // Before the disk: a body leaves the flights only after it is there.
        if (placement is { } claimed && Join(all, claimed) is { } joined) return joined;
        var removals = Volatile.Read(ref _removals);
        if (_inFlight.ContainsKey(all[0].Key) || await _next.FindAsync(all, cancellation) is not { } found) return null;
        if (IsExpired(found.Body.Stored))
        {
            found.Body.Dispose();
            return null;
        }
        span?.SetTag("tier", "disk");
        try
        {
            await PromoteAsync(found.Key, found.Body, removals, cancellation);
            return found;
        }
        catch
        {
            found.Body.Dispose();
            throw;
        }
    }

    /// <summary>Step 1 for a body that no client requested: neither counts nor marks a use.</summary>
    /// <param name="wanted">Entries of one backend, the likeliest first; enumerated lazily.</param>
    public (EntryKey Key, IBody Body)? FindUnused(IEnumerable<AcceptableEntry> wanted)
    {
        foreach (var acceptable in wanted)
        {
            if (TryPeek(acceptable, out var cached)) return (acceptable.Key, cached);
        }
        return null;
    }

    /// <summary>Step 2. Joins a running fetch, even before its head is known; null when no fetch runs, or it is too late to join.</summary>
    public InFlightBody.Reader? FindInFlight(EntryKey key) => _inFlight.TryGetValue(key, out var running) ? running.Join() : null;

    /// <summary>Steps 1 and 3. True when one of these is cached. Neither counts nor marks a use.</summary>
    /// <param name="wanted">Entries of one backend.</param>
    /// <param name="cancellation">Cancelled when the caller gives up.</param>
    public async ValueTask<bool> HasAsync(IReadOnlyList<AcceptableEntry> wanted, CancellationToken cancellation) =>
        IsInMemory(wanted) || await _next.HasAsync(wanted, cancellation);

    /// <inheritdoc cref="IBodyTier.CountMissingAsync"/>
    public ValueTask<int> CountMissingAsync(
        IEnumerable<IReadOnlyList<AcceptableEntry>> wanted, int max, CancellationToken cancellation) =>
        _next.CountMissingAsync([.. wanted.Where(body => !IsInMemory(body))], max, cancellation);

    private bool IsInMemory(IReadOnlyList<AcceptableEntry> wanted) =>
        wanted.Any(acceptable => _memory.TryPeek(acceptable.Key, out var entry) && acceptable.IsSatisfiedBy(entry.Head));

    /// <summary>A prefetch does not mark a use.</summary>
    private bool TryFind(EntryKey key, Placement placement, [NotNullWhen(true)] out ICachedBody? body) =>
        placement == Placement.Prefetched ? TryPeek(new(key), out body) : TryFind(new(key), out body);

    private (EntryKey Key, IBody Body)? Join(List<AcceptableEntry> wanted, Placement placement)
    {
        foreach (var acceptable in wanted)
        {
            if (acceptable.IsContainer || !_inFlight.TryGetValue(acceptable.Key, out var running) || running.IsPurged
                || running.Head is not { } head || !acceptable.IsSatisfiedBy(head) || running.Join() is not { } reader)
                continue;
            Claim(acceptable.Key, running, placement);
            return (acceptable.Key, reader);
        }
        return null;
    }

    private bool TryFind(AcceptableEntry wanted, [NotNullWhen(true)] out ICachedBody? body)
    {
        body = _memory.TryFind(wanted.Key, out var entry) && wanted.IsSatisfiedBy(entry.Head) && !IsExpired(entry.Stored)
            ? new MemoryBody(entry)
            : null;
        return body is not null;
    }

    private bool TryPeek(AcceptableEntry wanted, [NotNullWhen(true)] out ICachedBody? body)
    {
        body = _memory.TryPeek(wanted.Key, out var entry) && wanted.IsSatisfiedBy(entry.Head) && !IsExpired(entry.Stored)
            ? new MemoryBody(entry)
            : null;
        return body is not null;
    }
}
