namespace Proxy.Metadata;

/// <summary>Ages by the wall clock, which may jump: a time in the future is not fresh, so every age expires.</summary>
public static class Freshness
{
    /// <summary>True when <paramref name="since"/> is not in the future and less than <paramref name="lifetime"/> ago.</summary>
    public static bool IsWithin(DateTimeOffset since, TimeSpan lifetime, DateTimeOffset now) => now >= since && now - since < lifetime;

    /// <summary>The age, never below zero (RFC 9111 §5.1).</summary>
    public static TimeSpan GetAge(DateTimeOffset since, DateTimeOffset now) => now > since ? now - since : TimeSpan.Zero;
}
