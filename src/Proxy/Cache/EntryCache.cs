using System.Collections.Concurrent;
using Proxy.Backends;
using Proxy.Cache.InMemory;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Operations.Telemetry;

namespace Proxy.Cache;

/// <summary>Where an entry is stored, in descending order of value.</summary>
public enum Placement
{
    /// <summary>In memory and on disk: a client views it.</summary>
    MemoryAndDisk,

    /// <summary>On disk only: one of very many, which would evict the entries in view from memory.</summary>
    DiskOnly,

    /// <summary>Fetched before any client asked for it: in memory and on disk, but only in free room.</summary>
    Prefetched,

    /// <summary>In memory only: one of very many that the proxy can make again from other entries.</summary>
    MemoryOnly,
}

/// <summary>Caches bodies and joins concurrent fetches: many clients that request one body cause one fetch.</summary>
/// <remarks>
/// <code>
/// 1 memory      a hit
/// 2 in flight   another client's fetch is running, or its body is being written to disk: join it
/// 3 disk        a verified hit; a second hit within a while promotes the entry to memory
/// 4 fetch       ask the backend: send to every waiting client as the bytes arrive; add to the tiers once the end is verified
/// </code>
/// </remarks>
public sealed partial class EntryCache
{
    /// <summary>A larger body goes through a file, so that many at once do not fill the memory.</summary>
    private const long HeldBytes = 16L << 20;

    private readonly MemoryTier _memory;
    private readonly IBodyTier _next;
    private readonly TimeProvider _time;
    private readonly ILogger<EntryCache> _log;
    private readonly ConcurrentDictionary<EntryKey, InFlightBody> _inFlight = new();
    private readonly RemovalLog _removalLog = new();
    private int _removals;

    /// <summary>Creates the cache over its two tiers.</summary>
    /// <param name="memory">The bodies in memory.</param>
    /// <param name="next">The tier behind it: the disk.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Logs removals that are postponed, and bugs.</param>
    public EntryCache(MemoryTier memory, IBodyTier next, TimeProvider time, ILogger<EntryCache> log)
    {
        (_memory, _next, _time, _log) = (memory, next, time, log);
        _memory.Evicted += key => Statistics.CountEvictions(key.Backend, 1);
        // A first use in memory counts on disk too; otherwise the disk evicts the entry first.
        _memory.FirstUsed += _next.Use;
    }

    /// <summary>Asks a backend and writes the answer into the in-flight body, until its end is verified.</summary>
    public delegate Task<BackendAnswer<EntryHead>> Fetch(InFlightBody inFlight, CancellationToken cancellation);

    /// <summary>A cached body, or a reader of an in-flight body. Exactly one is set.</summary>
    /// <param name="Cached">The cached body: a hit.</param>
    /// <param name="Reader">The reader of the in-flight body.</param>
    /// <param name="IsCollapsed">True when another client's request had already started the fetch.</param>
    public readonly record struct Lookup(ICachedBody? Cached, InFlightBody.Reader? Reader, bool IsCollapsed);

    /// <summary>Memory lookups, by backend.</summary>
    public CacheStatistics Statistics { get; } = new();

    /// <summary>The maximum length of a body in bytes; a larger one is refused.</summary>
    public long MaxBodyBytes { get; set; } = CacheOptions.DefaultMaxBodyBytes;

    /// <summary>The age at which a body is not found any more; zero for none.</summary>
    public TimeSpan MaxAge { get; set; }

    /// <summary>
    /// True when this number of bytes can be prefetched without evicting recently used entries. With a disk, the disk decides:
    /// entries that do not fit into memory are stored there alone.
    /// </summary>
    public bool HasRoomForPrefetched(long bytes) =>
        _next.CanWrite ? _next.HasRoomForPrefetched(bytes) : _memory.HasRoomForPrefetched(bytes);

    /// <summary>Counts removals. A fetch that started before the latest one may hold removed data.</summary>
    public int RemovalCount => _removalLog.Count;

    /// <summary>Raised when entries are removed, before new ones can take their place.</summary>
    public event Action<Removal>? Removed;

    /// <summary>
    /// Raised for a complete instance that a client requested alone and that fits into memory. A handler must not block.
    /// </summary>
    public event Action<EntryKey, Entry>? InstanceReceived;

    /// <summary>True while bodies can be written to disk.</summary>
    public bool CanWriteToDisk => _next.CanWrite;

    /// <summary>
    /// True while a body that its clients may have whole is being verified and stored: the last byte reaches them before that.
    /// </summary>
    internal bool IsStoring => _inFlight.Values.Any(body => body.IsWhole);

    /// <inheritdoc cref="IBodyTier.KeepsUp"/>
    public bool DiskKeepsUp => _next.KeepsUp;

    /// <inheritdoc cref="IBodyTier.TrackFetch"/>
    public IDisposable TrackFetch() => _next.TrackFetch();

    /// <summary>Adds a prefetched instance from an answer of many, unless it was removed since the request.</summary>
    /// <param name="backend">The backend that answered.</param>
    /// <param name="path">The instance.</param>
    /// <param name="format">The requested format.</param>
    /// <param name="entry">The verified, complete body.</param>
    /// <param name="removals">The value of <see cref="RemovalCount"/> before the request.</param>
    /// <returns>False when it was removed.</returns>
    public async ValueTask<bool> AddPrefetchedAsync(string backend, InstancePath path, BodyFormat format, Entry entry, int removals)
    {
        var key = new EntryKey(backend, path.ToString(), format);
        if (_removalLog.HasSince(key, removals)) return false;
        var prefetched = entry with { IsPrefetched = true, Usage = new(_memory.InFlight, entry.Length) };
        _memory.AddPrefetched(key, prefetched);
        await _next.AddAsync(key, prefetched);
        if (!_removalLog.HasSince(key, removals)) return true;
        Undo(key);
        return false;
    }

    /// <summary>Adds a body that the proxy made from a cached one, unless that was removed since it was read.</summary>
    /// <param name="key">The key of the body.</param>
    /// <param name="head">The head of the body.</param>
    /// <param name="bytes">The body.</param>
    /// <param name="placement">
    /// <see cref="Placement.Prefetched"/> for a body that no client requested; it is added only if no other one need go.
    /// </param>
    /// <param name="removals">The value of <see cref="RemovalCount"/> before the cached body was read.</param>
    public async ValueTask AddMadeAsync(EntryKey key, EntryHead head, ReadOnlyMemory<byte> bytes, Placement placement, int removals)
    {
        var isPrefetched = placement == Placement.Prefetched;
        if (_removalLog.HasSince(key, removals) || isPrefetched && !HasRoomForPrefetched(bytes.Length)) return;
        var entry = new Entry(head, [bytes], bytes.Length, _time.GetUtcNow(), isPrefetched)
        { Usage = new(_memory.InFlight, bytes.Length) };
        if (isPrefetched) _memory.AddPrefetched(key, entry);
        else _memory.Add(key, entry);
        await _next.AddAsync(key, entry);
        if (_removalLog.HasSince(key, removals)) Undo(key);
    }

    /// <summary>Steps 1, 2 and 4. Finds, joins or fetches a body.</summary>
    /// <param name="key">The key of the body.</param>
    /// <param name="fetch">Fetches the body on a miss.</param>
    /// <param name="placement">Where to store the body.</param>
    /// <param name="keyOf">
    /// The key to store the answer under, when it depends on the head; null for <paramref name="key"/>.
    /// </param>
    public Lookup Get(EntryKey key, Fetch fetch, Placement placement = Placement.MemoryAndDisk, Func<EntryHead, EntryKey>? keyOf = null)
    {
        while (true)
        {
            if (TryFind(key, placement, out var cached)) return new(cached, null, false);
            if (_inFlight.TryGetValue(key, out var running))
            {
                if (running.Join() is { } joined)
                {
                    Claim(key, running, placement);
                    return new(null, joined, true);
                }
                _inFlight.TryRemove(new(key, running));
            }
            var inFlight = CreateInFlight(keyOf ?? (_ => key), placement);
            var reader = inFlight.Join()!;
            if (!_inFlight.TryAdd(key, inFlight)) continue;

            // Between the first lookup and now another fetch may have completed.
            if (TryFind(key, placement, out cached))
            {
                _inFlight.TryRemove(new(key, inFlight));
                inFlight.End(null);
                return new(cached, null, false);
            }
            _ = RunAsync(key, inFlight, fetch, keyOf);
            return new(null, reader, false);
        }
    }

    /// <summary>Raises the placement of an in-flight body to the most valuable request; marks a use once it is stored.</summary>
    private void Claim(EntryKey key, InFlightBody inFlight, Placement placement)
    {
        lock (inFlight)
        {
            if (inFlight.Placement <= placement) return;
            inFlight.Placement = placement;
            if (!inFlight.IsStored) return;
        }
        _memory.TryFind(key, out _);
        _next.Use(key);
    }

    private InFlightBody CreateInFlight(Func<EntryHead, EntryKey> keyOf, Placement placement) =>
        _next.CanWrite && placement != Placement.MemoryOnly
            ? new(
                Math.Min(HeldBytes, _memory.MaxEntryBytes), head => _next.BeginAsync(keyOf(head), head), _memory.InFlight,
                MaxBodyBytes)
            { Placement = placement }
            : new(
                placement == Placement.DiskOnly ? 0 : _memory.MaxEntryBytes, null, _memory.InFlight,
                MaxBodyBytes)
            { Placement = placement };

    private async Task RunAsync(EntryKey key, InFlightBody inFlight, Fetch fetch, Func<EntryHead, EntryKey>? keyOf)
    {
        // Do not hold up the client's thread.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        using var mark = _next.TrackFetch();
        using var span = Spans.Start("fetch");
        // Requests in other words are answered by the same body, so it is in flight under the key of its entry too.
        var ownKey = key;
        inFlight.Opening = head =>
        {
            ownKey = keyOf?.Invoke(head) ?? key;
            lock (inFlight)
            {
                if (!inFlight.IsPurged) _inFlight.TryAdd(ownKey, inFlight);
            }
        };
        try
        {
            if (_memory.InFlight.IsExhausted && !_next.CanWrite)
            {
                inFlight.End(new(key.Backend, BackendError.Busy, "the memory for bodies in flight is exhausted"));
                return;
            }
            var answer = await fetch(inFlight, inFlight.Stopped);
            if (!answer.IsFound) inFlight.End(answer.Failure);
            else await StoreAsync(
                keyOf?.Invoke(answer.Value) ?? key, answer.Value, inFlight, await inFlight.CompleteAsync(answer.Value, _time.GetUtcNow()));
        }
        catch (OperationCanceledException)
        {
            // Every client has disconnected.
        }
        catch (Exception e)
        {
            _log.UnhandledException(e);
            inFlight.End(new("", BackendError.BadAnswer, "an internal error of the proxy"));
        }
        finally
        {
            _inFlight.TryRemove(new(key, inFlight));
            _inFlight.TryRemove(new(ownKey, inFlight));
            inFlight.End(new("", BackendError.TimedOut, "cancelled"));
            inFlight.Close();
        }
    }

    private async Task StoreAsync(EntryKey key, EntryHead head, InFlightBody inFlight, (Entry? Entry, ISpool? Spool) complete)
    {
        await RemoveTwinAsync(key, head);
        var stored = Task.CompletedTask;
        // A purge either comes first and sets IsUnwanted, or comes later and finds the stored entry.
        lock (inFlight)
        {
            if (inFlight.IsPurged) return;
            inFlight.IsStored = true;
            if (complete.Entry is { } received)
            {
                var entry = inFlight.Placement == Placement.Prefetched ? received with { IsPrefetched = true } : received;
                if (inFlight.Placement is Placement.MemoryAndDisk or Placement.MemoryOnly) _memory.Add(key, entry);
                if (inFlight.Placement == Placement.Prefetched) _memory.AddPrefetched(key, entry);
                if (inFlight.Placement != Placement.MemoryOnly) stored = _next.AddAsync(key, entry).AsTask();
            }
            if (complete.Spool is { } spool) stored = _next.AddAsync(spool, () => inFlight.Placement == Placement.Prefetched);
        }
        await stored;
        if (key.Representation.Format?.MediaType == BodyFormat.Dicom && complete.Entry is { } whole
            && inFlight.Placement == Placement.MemoryAndDisk)
            InstanceReceived?.Invoke(key, whole);
    }
}
