namespace Proxy.Demo.Http;

/// <summary>Delays answers as their <see cref="DemoLine"/> requires.</summary>
/// <remarks>
/// The line is one queue: each chunk reserves the next free time span and is sent at its end, so that concurrent answers
/// alternate. Timers fire about a millisecond late; <see cref="Slack"/> compensates for that.
/// </remarks>
internal sealed class Pace(DemoLine line, TimeProvider time)
{
    private const int ChunkBytes = 16 * 1024;
    private static readonly TimeSpan Slack = TimeSpan.FromMilliseconds(2);

    private readonly Lock _gate = new();
    private long _freeAt;

    /// <summary>Waits for the latency of the line.</summary>
    public Task WaitAsync(CancellationToken cancellation) =>
        line.Latency > TimeSpan.Zero ? Task.Delay(line.Latency, time, cancellation) : Task.CompletedTask;

    /// <summary>Sends bytes at the bandwidth of the line.</summary>
    public async Task SendAsync(Stream body, ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        if (line.BytesPerSecond is not { } rate)
        {
            await body.WriteAsync(bytes, cancellation);
            return;
        }

        while (!bytes.IsEmpty)
        {
            var chunk = bytes[..Math.Min(ChunkBytes, bytes.Length)];
            await Task.Delay(Reserve(chunk.Length, rate), time, cancellation);
            await body.WriteAsync(chunk, cancellation);
            bytes = bytes[chunk.Length..];
        }
    }

    private TimeSpan Reserve(int bytes, long rate)
    {
        lock (_gate)
        {
            var now = time.GetTimestamp();
            var idleSince = now - (long)(Slack.TotalSeconds * time.TimestampFrequency);
            _freeAt = Math.Max(_freeAt, idleSince) + (bytes * time.TimestampFrequency / rate);
            return _freeAt > now ? time.GetElapsedTime(now, _freeAt) : TimeSpan.Zero;
        }
    }
}
