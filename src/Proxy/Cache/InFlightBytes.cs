namespace Proxy.Cache;

/// <summary>
/// Counts the bytes of bodies that are in memory and not in the memory tier: on their way from a backend, read by a
/// client after they left the tier, or waiting for the disk. They are part of the memory budget: the tier keeps less
/// while they are many.
/// </summary>
/// <remarks>
/// A body that finds no room goes through a file, or through a small window whose writer waits for its reader. Where not
/// even that is to be had, the request is refused (503) before the backend is asked.
/// </remarks>
/// <param name="maxBytes">The budget that they share with the memory tier, in bytes; half of it may be in flight.</param>
public sealed class InFlightBytes(long maxBytes)
{
    /// <summary>However small the budget is, a frame of a radiograph or a few of a CT can be on their way.</summary>
    public const long LeastLimit = 16 << 20;

    private long _bytes;
    private long _maxBytes = maxBytes;

    /// <summary>Now, in bytes.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>The most that is held whole at once, in bytes.</summary>
    public long Limit => Math.Max(Volatile.Read(ref _maxBytes) / 2, LeastLimit);

    /// <summary>Not even a window may be opened: windows take a quarter more than <see cref="Limit"/> at most.</summary>
    public bool IsExhausted => Bytes > Limit + Limit / 4;

    /// <summary>Told when bytes were taken: the tier has to make room.</summary>
    public event Action? Reserved;

    /// <summary>Takes a new budget.</summary>
    public void Resize(long bytes) => Volatile.Write(ref _maxBytes, bytes);

    /// <summary>Counts bytes that are to be held; false, and nothing is counted, when they are too many.</summary>
    /// <param name="bytes">How many.</param>
    /// <param name="makesRoom">
    /// The tier makes room for them now. What is fetched ahead takes nothing from clients: it is heeded when something is added next.
    /// </param>
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

    /// <summary>Counts bytes that are held already, or that are few.</summary>
    public void Reserve(long bytes) => Interlocked.Add(ref _bytes, bytes);

    /// <summary>They are not held any more.</summary>
    public void Release(long bytes) => Interlocked.Add(ref _bytes, -bytes);
}
