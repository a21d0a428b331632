namespace Proxy.Cache;

/// <summary>
/// Counts the holders of a body's bytes: parts of the memory tier, and readers. The bytes count as in flight while readers hold them
/// and the tier does not.
/// </summary>
/// <param name="inFlight">The counter of bytes in flight.</param>
/// <param name="bytes">The length of the body.</param>
public sealed class BodyUsage(InFlightBytes inFlight, long bytes)
{
    private const long OneHolder = 1L << 32;

    /// <summary>Readers in the lower 32 bits, parts of the tier in the upper 32.</summary>
    private long _state;

    /// <summary>Adds a reader.</summary>
    public void AddReader() => Change(1);

    /// <summary>Removes a reader.</summary>
    public void RemoveReader() => Change(-1);

    /// <summary>Adds a holder in the memory tier.</summary>
    public void AddHolder() => Change(OneHolder);

    /// <summary>Removes a holder in the memory tier.</summary>
    public void RemoveHolder() => Change(-OneHolder);

    private void Change(long by)
    {
        var after = Interlocked.Add(ref _state, by);
        var (wasCounted, isCounted) = (IsCounted(after - by), IsCounted(after));
        if (wasCounted == isCounted) return;
        if (isCounted) inFlight.Reserve(bytes);
        else inFlight.Release(bytes);
    }

    private static bool IsCounted(long state) => state > 0 && state < OneHolder;
}
