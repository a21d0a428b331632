namespace Proxy.Backends.Transport;

/// <summary>
/// A body with a minimum pace: a read that takes longer than the timeout, or a body slower than <see cref="MinBytesPerSecond"/>,
/// throws a <see cref="TimeoutException"/>.
/// </summary>
/// <remarks>
/// The rate is averaged over windows of twice the timeout, so that one long pause does not violate it. Only the time spent in
/// reads counts, so a slow reader is not blamed on the sender. Without the limit, a body of one byte per second would hold its
/// permit indefinitely.
/// </remarks>
internal sealed class TimedStream : ReadOnlyStream
{
    /// <summary>The lowest average rate, in bytes per second of read time.</summary>
    public const int MinBytesPerSecond = 1024;

    private readonly Stream _inner;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;
    private readonly CancellationToken _cancellation;
    private readonly CancellationTokenSource _timer;
    private readonly CancellationTokenRegistration _cancelled;
    private TimeSpan _waited;
    private long _received;

    /// <summary>Wraps a body.</summary>
    /// <param name="inner">The body.</param>
    /// <param name="timeout">The longest wait for one read.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellation">Cancels every read; one token per stream, so that a read links no tokens.</param>
    public TimedStream(Stream inner, TimeSpan timeout, TimeProvider time, CancellationToken cancellation)
    {
        (_inner, _timeout, _time, _cancellation) = (inner, timeout, time, cancellation);
        _timer = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _cancelled = cancellation.UnsafeRegister(static timer => ((CancellationTokenSource)timer!).Cancel(), _timer);
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        _timer.CancelAfter(_timeout);
        try
        {
            var reading = _inner.ReadAsync(buffer, _timer.Token);
            // Read the clock only when the read does not complete at once.
            long? began = reading.IsCompleted ? null : _time.GetTimestamp();
            var count = await reading;
            _received += count;
            if (count > 0 && began is { } since) CheckRate(_time.GetElapsedTime(since));
            return count;
        }
        catch (OperationCanceledException e)
        {
            _cancellation.ThrowIfCancellationRequested();
            throw new TimeoutException("the body stopped before its end", e);
        }
        finally
        {
            _timer.CancelAfter(Timeout.InfiniteTimeSpan);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _cancelled.Dispose();
            _timer.Dispose();
            _inner.Dispose();
        }
        base.Dispose(disposing);
    }

    private void CheckRate(TimeSpan waited)
    {
        _waited += waited;
        if (_waited < 2 * _timeout) return;
        if (_received < MinBytesPerSecond * _waited.TotalSeconds)
            throw new TimeoutException($"the body was slower than {MinBytesPerSecond} bytes per second");
        (_waited, _received) = (TimeSpan.Zero, 0);
    }
}
