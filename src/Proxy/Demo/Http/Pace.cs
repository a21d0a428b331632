namespace Proxy.Demo.Http;

/// <summary>Holds answers to their <see cref="DemoLine"/>.</summary>
/// <remarks>
/// The line is one queue: each chunk takes the next stretch of time that is free and leaves at its end, so answers
/// that are sent at once take turns. A timer wakes late by about a millisecond; <see cref="Slack"/> gives that back.
/// </remarks>
internal sealed class Pace(DemoLine line, TimeProvider time)
{
    private const int ChunkBytes = 16 * 1024;
    private static readonly TimeSpan Slack = TimeSpan.FromMilliseconds(2);

    private readonly Lock _gate = new();
    private long _free;

    public Task WaitAsync(CancellationToken cancellation) =>
        line.Latency > TimeSpan.Zero ? Task.Delay(line.Latency, time, cancellation) : Task.CompletedTask;

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
            await Task.Delay(Take(chunk.Length, rate), time, cancellation);
            await body.WriteAsync(chunk, cancellation);
            bytes = bytes[chunk.Length..];
        }
    }

    private TimeSpan Take(int bytes, long rate)
    {
        lock (_gate)
        {
            var now = time.GetTimestamp();
            var idleSince = now - (long)(Slack.TotalSeconds * time.TimestampFrequency);
            _free = Math.Max(_free, idleSince) + (bytes * time.TimestampFrequency / rate);
            return _free > now ? time.GetElapsedTime(now, _free) : TimeSpan.Zero;
        }
    }
}
