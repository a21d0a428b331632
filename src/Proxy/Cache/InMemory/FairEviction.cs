namespace Proxy.Cache.InMemory;

/// <summary>
/// Which entries to evict when several users have entries: those of the user with the most bytes, the least recently used first.
/// </summary>
/// <remarks>
/// By use alone, one user who downloads everything would evict what all others work with. This way a user evicts their own entries from the
/// moment that they hold more than any other, so no other loses more than an equal share requires. Entries that were not used for
/// <see cref="IdleAfter"/> are evicted before, so a share that is not used any more is free for others. Without authentication there is
/// one user, and the least recently used entries are evicted.
/// </remarks>
internal static class FairEviction
{
    /// <summary>The time without use after which an entry counts for no user.</summary>
    public static readonly TimeSpan IdleAfter = TimeSpan.FromMinutes(10);

    /// <summary>Chooses entries of at least a number of bytes, if that user has as many.</summary>
    /// <param name="held">All entries.</param>
    /// <param name="bytes">The bytes to free.</param>
    /// <param name="minCount">The number of entries to evict at least: each choice reads all entries.</param>
    /// <param name="time">The clock of the time stamps.</param>
    /// <returns>The entries; null if all belong to one user.</returns>
    public static IReadOnlyList<KeyValuePair<object, Slot>>? Choose(
        IReadOnlyCollection<KeyValuePair<object, Slot>> held, long bytes, int minCount, TimeProvider time)
    {
        var idleBefore = time.GetTimestamp() - (long)(IdleAfter.TotalSeconds * time.TimestampFrequency);
        var byCaller = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var (_, slot) in held) byCaller[slot.Caller] = byCaller.GetValueOrDefault(slot.Caller) + slot.Bytes;
        if (byCaller.Count < 2) return null;
        var heaviest = byCaller.MaxBy(caller => caller.Value).Key;
        var chosen = new List<KeyValuePair<object, Slot>>();
        var candidates = held.Where(entry => entry.Value.Caller == heaviest || entry.Value.LastUsed < idleBefore);
        foreach (var entry in candidates.OrderBy(entry => entry.Value.LastUsed))
        {
            if (bytes <= 0 && chosen.Count >= minCount) break;
            chosen.Add(entry);
            bytes -= entry.Value.Bytes;
        }
        return chosen;
    }
}
