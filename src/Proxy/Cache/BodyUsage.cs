namespace Proxy.Cache;

/// <summary>
/// Knows who holds the bytes of one body: the tier, and readers. They are in flight while somebody reads them who found
/// them in a tier that has dropped them since.
/// </summary>
/// <param name="inFlight">Where they are counted.</param>
/// <param name="bytes">How many there are.</param>
public sealed class BodyUsage(InFlightBytes inFlight, long bytes)
{
    private const long OneHolder = 1L << 32;

    /// <summary>Readers in the lower half, parts of the tier in the upper one.</summary>
    private long _state;

    /// <summary>Somebody reads them.</summary>
    public void Enter() => Change(1);

    /// <summary>A reader leaves.</summary>
    public void Leave() => Change(-1);

    /// <summary>A part of the memory tier holds them.</summary>
    public void Keep() => Change(OneHolder);

    /// <summary>A part of the memory tier dropped them.</summary>
    public void Drop() => Change(-OneHolder);

    private void Change(long by)
    {
        var after = Interlocked.Add(ref _state, by);
        var (was, isNow) = (IsCounted(after - by), IsCounted(after));
        if (was == isNow) return;
        if (isNow) inFlight.Reserve(bytes);
        else inFlight.Release(bytes);
    }

    private static bool IsCounted(long state) => state > 0 && state < OneHolder;
}
