namespace Proxy.Metadata;

/// <summary>Ages by the wall clock, which may jump: what comes from the future is not fresh, so nothing lives for ever.</summary>
public static class Freshness
{
    public static bool IsWithin(DateTimeOffset since, TimeSpan lifetime, DateTimeOffset now) => now >= since && now - since < lifetime;

    /// <summary>Never below zero (RFC 9111 §5.1).</summary>
    public static TimeSpan GetAge(DateTimeOffset since, DateTimeOffset now) => now > since ? now - since : TimeSpan.Zero;
}
