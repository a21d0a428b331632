namespace Proxy.Cache;

/// <summary>
/// Counts the bytes of bodies that are in memory but not in the memory tier: arriving from a backend, still read by a client after
/// eviction, or queued for the disk. They share the memory budget: the tier shrinks as they grow.
/// </summary>
/// <remarks>
/// A body beyond the limit goes through a file, or through a small window whose writer waits for its reader. When even the windows
/// are exhausted, the request is refused (503) before the backend is asked.
/// </remarks>
/// <param name="maxBytes">The budget shared with the memory tier, in bytes; at most half of it may be in flight.</param>
public sealed class InFlightBytes(long maxBytes)
{
    /// <summary>The lower bound of <see cref="Limit"/>: one radiograph or a few CT frames fit under any budget.</summary>
    public const long MinLimit = 16 << 20;

    private long _bytes;
    private long _maxBytes = maxBytes;

    /// <summary>Bytes in flight now.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>The maximum of bytes held as whole bodies: half the budget.</summary>
    public long Limit => Math.Max(Volatile.Read(ref _maxBytes) / 2, MinLimit);

    /// <summary>True when not even a window may open. Windows may exceed <see cref="Limit"/> by a quarter.</summary>
    public bool IsExhausted => Bytes > Limit + Limit / 4;

    /// <summary>Raised after bytes were reserved, so that the tier evicts entries.</summary>
    public event Action? Reserved;

    /// <summary>Sets a new budget, in bytes.</summary>
    public void Resize(long bytes) => Volatile.Write(ref _maxBytes, bytes);

    /// <summary>Reserves bytes before they are held.</summary>
    /// <param name="bytes">The number of bytes.</param>
    /// <param name="makesRoom">
    /// True to evict from the tier at once. A prefetch passes false and takes no room from clients: the next add accounts for it.
    /// </param>
    /// <returns>False, with nothing reserved, when the limit is reached.</returns>
    public bool TryReserve(long bytes, bool makesRoom = true)
    {
        if (Interlocked.Add(ref _bytes, bytes) > Limit)
        {
            Release(bytes);
            return false;
        }
        if (makesRoom) Reserved?.Invoke();
        return true;
    }

    /// <summary>Counts bytes regardless of the limit: they are already held, or few.</summary>
    public void Reserve(long bytes) => Interlocked.Add(ref _bytes, bytes);

    /// <summary>Releases reserved bytes.</summary>
    public void Release(long bytes) => Interlocked.Add(ref _bytes, -bytes);
}
