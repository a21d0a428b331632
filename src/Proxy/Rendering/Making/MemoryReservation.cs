using Proxy.Cache;

namespace Proxy.Rendering.Making;

/// <summary>Memory of one file that grows while it arrives, within the memory budget.</summary>
/// <param name="memory">The bytes in memory outside the memory tier.</param>
internal sealed class MemoryReservation(InFlightBytes memory) : IDisposable
{
    private long _bytes;

    /// <summary>Reserves more memory; false, with nothing changed, when the budget is used up.</summary>
    /// <param name="bytes">The new total in bytes; a smaller one changes nothing.</param>
    public bool TryGrow(long bytes)
    {
        if (bytes <= _bytes) return true;
        if (!memory.TryReserve(bytes - _bytes)) return false;
        _bytes = bytes;
        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => memory.Release(Interlocked.Exchange(ref _bytes, 0));
}
