using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Proxy.Backends;
using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Cache;

/// <summary>How long a body is worth keeping; what is worth more stands first.</summary>
public enum Placement
{
    /// <summary>In memory and on disk: somebody looks at it.</summary>
    MemoryAndDisk,

    /// <summary>On disk alone: it is one of very many, and would throw out what somebody looks at.</summary>
    DiskOnly,

    /// <summary>Fetched before anybody asked for it: in memory and on disk, as far as nobody else needs the room.</summary>
    Prefetched,
}

/// <summary>Bodies that are kept, and those on their way: a backend is asked once for one thing, however many clients want it.</summary>
/// <remarks>
/// <code>
/// 1 memory    found at once
/// 2 on its way    another client caused it: join
/// 3 disk      found, proved; found again soon, it moves into memory
/// 4 fetch     the backend: to every waiter as it comes, and into the tiers when its end was proved
/// </code>
/// </remarks>
public sealed partial class EntryCache
{
    /// <summary>A body that is larger goes through a file, so that many at once do not fill the memory.</summary>
    private const long HeldBytes = 16L << 20;

    private readonly MemoryTier _memory;
    private readonly DiskTier _disk;
    private readonly TimeProvider _time;
    private readonly ILogger<EntryCache> _log;
    private readonly ConcurrentDictionary<EntryKey, InFlightBody> _fills = new();
    private int _removals;

    public EntryCache(MemoryTier memory, DiskTier disk, TimeProvider time, ILogger<EntryCache> log)
    {
        (_memory, _disk, _time, _log) = (memory, disk, time, log);
        _memory.Evicted += key =>
        {
            if (key is EntryKey entry) Tallies.CountEvictions(entry.Backend, 1);
        };
        // Who reads it in memory does not want it to leave the disk first.
        _memory.FirstUsed += key =>
        {
            if (key is EntryKey entry) _disk.Use(entry);
        };
        _disk.Writer.Evicted += _disk.Tallies.CountEvictions;
    }

    /// <summary>Asks a backend and writes what comes into the fill, up to the proof that it is whole.</summary>
    public delegate Task<BackendAnswer<EntryHead>> Fetch(InFlightBody inFlight, CancellationToken cancellation);

    /// <summary>A kept body, or a place in a fill. One of the two is set.</summary>
    /// <param name="Kept">Kept: a hit.</param>
    /// <param name="Reader">On its way.</param>
    /// <param name="IsCollapsed">Another client's request is already fetching it.</param>
    public readonly record struct Lookup(ICachedBody? Kept, InFlightBody.Reader? Reader, bool IsCollapsed);

    /// <summary>Looks into memory for bodies, by backend.</summary>
    public CacheStatistics Tallies { get; } = new();

    /// <summary>A body that is larger is refused, in bytes.</summary>
    public long MaxBodyBytes { get; set; } = CacheOptions.DefaultMaxBodyBytes;

    /// <summary>1, 3. The first of these that is here, and under which key. Null too when the first is on its way.</summary>
    /// <param name="wanted">All of one backend, the likeliest first: no further one is made than is looked at.</param>
    /// <param name="cancellation">The client leaves.</param>
    public async ValueTask<(EntryKey Key, ICachedBody Body)?> FindAsync(IEnumerable<AcceptableEntry> wanted, CancellationToken cancellation)
    {
        foreach (var candidate in wanted)
        {
            if (!TryFind(candidate, out var kept)) continue;
            Tallies.Count(candidate.Key.Backend, isHit: true);
            return (candidate.Key, kept);
        }
        List<AcceptableEntry> all = [.. wanted];
        Tallies.Count(all[0].Key.Backend, isHit: false);
        var removals = Volatile.Read(ref _removals);
        if (_fills.ContainsKey(all[0].Key) || await _disk.FindAsync(all, cancellation) is not { } found) return null;
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

    /// <summary>1, 3. Whether one of these is kept. Nothing is used by that, or counted.</summary>
    /// <param name="wanted">All of one backend.</param>
    /// <param name="cancellation">Who asks leaves.</param>
    public async ValueTask<bool> HasAsync(IReadOnlyList<AcceptableEntry> wanted, CancellationToken cancellation)
    {
        foreach (var candidate in wanted)
        {
            if (_memory.TryPeek<Entry>(candidate.Key, out var entry) && candidate.IsMetBy(entry.Head)) return true;
        }
        return await _disk.HasAsync(wanted, cancellation);
    }

    /// <summary>
    /// Whether so many bytes can be fetched ahead, and nothing leave for them that somebody asked for not long ago. Where
    /// there is a disk it decides: what does not fit into memory is kept there alone.
    /// </summary>
    public bool HasRoomForPrefetched(long bytes) =>
        _disk.CanWrite ? _disk.HasRoomForPrefetched(bytes) : _memory.HasRoomForPrefetched(bytes);

    /// <summary>Grows with every removal: what was begun before one may be what was removed.</summary>
    public int Removals => Volatile.Read(ref _removals);

    /// <summary>Keeps an instance that came ahead in an answer of many; not when something was removed since that was asked for.</summary>
    /// <param name="backend">Who gave it.</param>
    /// <param name="path">Which it is.</param>
    /// <param name="format">What was asked for.</param>
    /// <param name="entry">Whole, by proof.</param>
    /// <param name="removals">How many there were when the answer was asked for.</param>
    public void AddPrefetched(string backend, InstancePath path, BodyFormat format, Entry entry, int removals)
    {
        if (Removals != removals) return;
        var key = new EntryKey(backend, path.ToString(), format);
        var ahead = entry with { IsPrefetched = true, Usage = new(_memory.InFlight, entry.Length) };
        _memory.AddPrefetched(key, ahead, ahead.Length);
        _disk.Add(key, ahead);
        if (Removals != removals) Remove(backend, path);
    }

    /// <summary>1, 2, 4</summary>
    /// <param name="key">What is wanted.</param>
    /// <param name="fetch">How it is asked for when it is not here.</param>
    /// <param name="placement">Where it is to be kept.</param>
    /// <param name="keyOf">
    /// Under which key the answer is kept, when that is known only from its head; null for <paramref name="key"/>.
    /// </param>
    public Lookup Get(EntryKey key, Fetch fetch, Placement placement = Placement.MemoryAndDisk, Func<EntryHead, EntryKey>? keyOf = null)
    {
        while (true)
        {
            if (TryFind(key, placement, out var kept)) return new(kept, null, false);
            if (_fills.TryGetValue(key, out var running))
            {
                if (running.Join() is { } joined)
                {
                    Claim(key, running, placement);
                    return new(null, joined, true);
                }
                _fills.TryRemove(new(key, running));
            }
            var inFlight = NewFill(keyOf ?? (_ => key), placement);
            var reader = inFlight.Join()!;
            if (!_fills.TryAdd(key, inFlight)) continue;

            // Between the first look and now another fill may have come to its end.
            if (TryFind(key, placement, out kept))
            {
                _fills.TryRemove(new(key, inFlight));
                inFlight.End(null);
                return new(kept, null, false);
            }
            _ = RunAsync(key, inFlight, fetch, keyOf);
            return new(null, reader, false);
        }
    }

    /// <summary>What is on its way is kept as whoever values it most wants it; what is kept by now is used.</summary>
    private void Claim(EntryKey key, InFlightBody inFlight, Placement placement)
    {
        lock (inFlight)
        {
            if (inFlight.Keep <= placement) return;
            inFlight.Keep = placement;
            if (!inFlight.IsFiled) return;
        }
        _memory.TryFind<Entry>(key, out _);
        _disk.Use(key);
    }

    /// <summary>Who fetches ahead uses nothing.</summary>
    private bool TryFind(EntryKey key, Placement placement, [NotNullWhen(true)] out ICachedBody? body) =>
        placement == Placement.Prefetched ? TryPeek(new(key), out body) : TryFind(new(key), out body);

    private bool TryFind(AcceptableEntry wanted, [NotNullWhen(true)] out ICachedBody? body)
    {
        body = _memory.TryFind<Entry>(wanted.Key, out var entry) && wanted.IsMetBy(entry.Head) ? new MemoryBody(entry) : null;
        return body is not null;
    }

    private bool TryPeek(AcceptableEntry wanted, [NotNullWhen(true)] out ICachedBody? body)
    {
        body = _memory.TryPeek<Entry>(wanted.Key, out var entry) && wanted.IsMetBy(entry.Head) ? new MemoryBody(entry) : null;
        return body is not null;
    }

    /// <summary>Drops what is kept of a series that a backend no longer holds.</summary>
    public void Remove(string backend, SeriesPath path) => _ = RemoveAndTellAsync(new(backend, path));

    /// <summary>Drops what is kept of an instance that a backend no longer holds.</summary>
    public void Remove(string backend, InstancePath path) => _ = RemoveAndTellAsync(new(backend, path));

    /// <summary>Drops all that came from a backend.</summary>
    public void Remove(string backend) => _ = RemoveAndTellAsync(new(backend));

    /// <summary>
    /// From now on nothing of it is found. True when no trace is left on disk either; false when the disk cannot be changed now.
    /// </summary>
    public Task<bool> RemoveAsync(Removal removal)
    {
        foreach (var (key, inFlight) in _fills)
        {
            if (!removal.Has(key)) continue;
            lock (inFlight) inFlight.IsUnwanted = true;
            _fills.TryRemove(new(key, inFlight));
        }
        var onDisk = _disk.RemoveAsync(removal);
        // Behind the one, before the other: whoever does not see it finds nothing on disk, and who found it there sees it.
        Interlocked.Increment(ref _removals);
        _memory.RemoveWhere(key => key is EntryKey entry && removal.Has(entry));
        return onDisk;
    }

    private async Task RemoveAndTellAsync(Removal removal)
    {
        if (!await RemoveAsync(removal)) _log.RemovalPostponed();
    }

    private InFlightBody NewFill(Func<EntryHead, EntryKey> keyOf, Placement placement) =>
        _disk.CanWrite
            ? new(
                Math.Min(HeldBytes, _memory.MaxEntryBytes), head => _disk.BeginAsync(keyOf(head), head), _memory.InFlight,
                MaxBodyBytes)
            { Keep = placement }
            : new(placement == Placement.DiskOnly ? 0 : _memory.MaxEntryBytes, null, _memory.InFlight, MaxBodyBytes) { Keep = placement };

    private async Task RunAsync(EntryKey key, InFlightBody inFlight, Fetch fetch, Func<EntryHead, EntryKey>? keyOf)
    {
        // The client's thread goes on to its own part.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        using var fetching = _disk.Writer.Queue.Fetching();
        try
        {
            if (_memory.InFlight.IsExhausted && !_disk.CanWrite)
            {
                inFlight.End(new(key.Backend, BackendError.Busy, "clients are being sent as much as the memory may hold"));
                return;
            }
            var answer = await fetch(inFlight, inFlight.Stopped);
            if (!answer.IsFound) inFlight.End(answer.Failure);
            else await KeepAsync(
                keyOf?.Invoke(answer.Value) ?? key, answer.Value, inFlight, await inFlight.CompleteAsync(answer.Value, _time.GetUtcNow()));
        }
        catch (OperationCanceledException)
        {
            // Nobody waits for it any more.
        }
        catch (Exception e)
        {
            _log.RequestFailed(e);
            inFlight.End(new("", BackendError.BadAnswer, "a fault of the proxy"));
        }
        finally
        {
            _fills.TryRemove(new(key, inFlight));
            inFlight.End(new("", BackendError.TimedOut, "given up"));
            inFlight.Close();
        }
    }

    private async Task KeepAsync(EntryKey key, EntryHead head, InFlightBody inFlight, (Entry? Entry, Spool? Spool) whole)
    {
        await RemoveTwinAsync(key, head);
        var placed = Task.FromResult(true);
        // A purge comes before this, and it is not kept, or after it, and finds it.
        lock (inFlight)
        {
            if (inFlight.IsUnwanted) return;
            inFlight.IsFiled = true;
            if (whole.Entry is { } came)
            {
                var entry = inFlight.Keep == Placement.Prefetched ? came with { IsPrefetched = true } : came;
                if (inFlight.Keep == Placement.MemoryAndDisk) _memory.Add(key, entry, entry.Length);
                if (inFlight.Keep == Placement.Prefetched) _memory.AddPrefetched(key, entry, entry.Length);
                _disk.Add(key, entry);
            }
            if (whole.Spool is { } spool) placed = _disk.AddAsync(spool, () => inFlight.Keep == Placement.Prefetched);
        }
        await placed;
    }

    /// <summary>
    /// An instance that turns out to be stored in a transfer syntax is not kept a second time under that syntax's own key.
    /// </summary>
    private async ValueTask RemoveTwinAsync(EntryKey key, EntryHead head)
    {
        if (key.Format is not { MediaType: BodyFormat.Dicom, TransferSyntax: BodyFormat.Any } stored
            || head.TransferSyntax is not { } syntax)
            return;
        var twin = key with { Format = stored with { TransferSyntax = syntax } };
        if (!_memory.TryPeek<Entry>(twin, out _) && !await _disk.HasAsync([new(twin)], CancellationToken.None)) return;
        if (Uid.TryParse(key.Study.ToString(), out var study) && Uid.TryParse(key.Series.ToString(), out var series)
            && Uid.TryParse(key.Instance.ToString(), out var instance))
            _ = RemoveAsync(new(key.Backend, study, series, instance, twin.Format));
    }
}
