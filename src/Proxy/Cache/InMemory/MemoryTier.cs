using System.Diagnostics.CodeAnalysis;

namespace Proxy.Cache.InMemory;

/// <summary>The bodies in memory.</summary>
/// <remarks>Answers share their budget and their order of eviction; see <see cref="MemoryParts"/>.</remarks>
public sealed class MemoryTier
{
    private readonly MemoryParts _parts;

    /// <summary>Creates the tier within a budget.</summary>
    public MemoryTier(MemoryParts parts)
    {
        _parts = parts;
        _parts.Evicted += key =>
        {
            if (key is EntryKey evicted) Evicted?.Invoke(evicted);
        };
        _parts.FirstUsed += key =>
        {
            if (key is EntryKey used) FirstUsed?.Invoke(used);
        };
    }

    /// <summary>The bytes in memory outside the tier, within the same budget.</summary>
    public InFlightBytes InFlight => _parts.InFlight;

    /// <summary>The largest body accepted, in bytes (<see cref="MemoryParts.MaxEntryBytes"/>).</summary>
    public long MaxEntryBytes => _parts.MaxEntryBytes;

    /// <summary>The size of the prefetched bodies that no client has requested yet, in bytes.</summary>
    public long PrefetchedBytes => _parts.PrefetchedBytes;

    /// <summary>Raised with the key of a body evicted to make room.</summary>
    public event Action<EntryKey>? Evicted;

    /// <summary>Raised with the key of a prefetched body on its first hit.</summary>
    public event Action<EntryKey>? FirstUsed;

    /// <summary>Finds a body and marks it as used.</summary>
    public bool TryFind(EntryKey key, [NotNullWhen(true)] out Entry? entry) => _parts.TryFind(key, out entry);

    /// <summary>Finds a body without marking it as used.</summary>
    public bool TryPeek(EntryKey key, [NotNullWhen(true)] out Entry? entry) => _parts.TryPeek(key, out entry);

    /// <summary>Adds or replaces a body.</summary>
    /// <returns>False when it is larger than <see cref="MaxEntryBytes"/>.</returns>
    public bool Add(EntryKey key, Entry entry) => _parts.Add(key, entry, entry.Length, usage: entry.Usage);

    /// <summary>Adds a prefetched body in free room only: it evicts older prefetched bodies, and nothing a client requested.</summary>
    /// <returns>False when there is not enough free room.</returns>
    public bool AddPrefetched(EntryKey key, Entry entry) => _parts.AddPrefetched(key, entry, entry.Length, entry.Usage);

    /// <summary>True when a prefetched body of this size fits without any eviction, not even of prefetched bodies.</summary>
    public bool HasRoomForPrefetched(long bytes) => _parts.HasRoomForPrefetched(bytes);

    /// <summary>Removes a body.</summary>
    public void Remove(EntryKey key) => _parts.Remove(key);

    /// <summary>Removes the bodies whose keys match. Scans every key: for rare operations.</summary>
    public void RemoveWhere(Func<EntryKey, bool> matches) => _parts.RemoveWhere(key => key is EntryKey entry && matches(entry));

    /// <summary>All bodies, without marking them as used.</summary>
    public IEnumerable<(EntryKey Key, Entry Entry)> ReadAll() => _parts.ReadAll<EntryKey, Entry>();
}
