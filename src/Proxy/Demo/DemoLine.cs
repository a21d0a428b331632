namespace Proxy.Demo;

/// <summary>The line a demo PACS stands behind: how far away it is and how much goes through it.</summary>
/// <param name="Latency">What every answer waits for before its head is sent.</param>
/// <param name="BytesPerSecond">
/// What the bodies of all answers share, as on a real line: one answer alone gets all of it. Null is no limit.
/// </param>
public sealed record DemoLine(TimeSpan Latency, long? BytesPerSecond)
{
    public static DemoLine None { get; } = new(TimeSpan.Zero, null);
}
