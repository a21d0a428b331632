namespace Proxy.Cache;

/// <summary>
/// Remembers the keys of the bodies that were recently found on disk, as hashes. Two keys with one hash cost an early
/// promotion.
/// </summary>
internal sealed class RecentFinds
{
    /// <summary>The maximum of keys in each of the two sets; the older set is dropped when the newer one is full.</summary>
    public const int MaxKeys = 16_384;

    private readonly Lock _lock = new();
    private HashSet<int> _newer = [];
    private HashSet<int> _older = [];

    /// <summary>Remembers a key; true when it was found before.</summary>
    public bool Add(EntryKey key)
    {
        var hash = key.GetHashCode();
        lock (_lock)
        {
            var isKnown = _newer.Contains(hash) || _older.Contains(hash);
            if (_newer.Count >= MaxKeys) (_older, _newer) = (_newer, []);
            _newer.Add(hash);
            return isKnown;
        }
    }

    /// <summary>Forgets all keys.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _newer.Clear();
            _older.Clear();
        }
    }
}
