namespace Proxy.Demo;

/// <summary>The simulated network line to a demo PACS: latency and bandwidth.</summary>
/// <param name="Latency">The delay before the headers of each answer.</param>
/// <param name="BytesPerSecond">The bandwidth that the bodies of concurrent answers share; null for no limit.</param>
public sealed record DemoLine(TimeSpan Latency, long? BytesPerSecond)
{
    /// <summary>No latency and unlimited bandwidth.</summary>
    public static DemoLine None { get; } = new(TimeSpan.Zero, null);
}
