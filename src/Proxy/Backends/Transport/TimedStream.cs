namespace Proxy.Backends.Transport;

/// <summary>
/// A body that must keep coming: a read that takes longer than its patience, or a body that comes more slowly than
/// <see cref="LeastBytesPerSecond"/>, is a <see cref="TimeoutException"/>.
/// </summary>
/// <remarks>
/// The rate is averaged over windows of twice the patience, so that one long pause does not violate it. Only the time that
/// reads wait counts: a slow reader is no fault of the sender. Without it a body of one byte each second would hold its
/// permit for ever.
/// </remarks>
internal sealed class TimedStream : ReadOnlyStream
{
    /// <summary>The least average rate of a body, in bytes per second of waiting for it.</summary>
    public const int LeastBytesPerSecond = 1024;

    private readonly Stream _inner;
    private readonly TimeSpan _patience;
    private readonly TimeProvider _time;
    private readonly CancellationToken _cancellation;
    private readonly CancellationTokenSource _timer;
    private readonly CancellationTokenRegistration _cancelled;
    private TimeSpan _waited;
    private long _came;

    /// <param name="inner">The body.</param>
    /// <param name="patience">The longest wait for one piece.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellation">Ends every read; one token for the stream, so that a read costs no new link.</param>
    public TimedStream(Stream inner, TimeSpan patience, TimeProvider time, CancellationToken cancellation)
    {
        (_inner, _patience, _time, _cancellation) = (inner, patience, time, cancellation);
        _timer = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _cancelled = cancellation.UnsafeRegister(static timer => ((CancellationTokenSource)timer!).Cancel(), _timer);
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        _timer.CancelAfter(_patience);
        try
        {
            var reading = _inner.ReadAsync(buffer, _timer.Token);
            // The clock is read only where the body is waited for.
            long? began = reading.IsCompleted ? null : _time.GetTimestamp();
            var count = await reading;
            _came += count;
            if (count > 0 && began is { } since) CheckRate(_time.GetElapsedTime(since));
            return count;
        }
        catch (OperationCanceledException e)
        {
            _cancellation.ThrowIfCancellationRequested();
            throw new TimeoutException("the body stopped in the middle", e);
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
        if (_waited < 2 * _patience) return;
        if (_came < LeastBytesPerSecond * _waited.TotalSeconds)
            throw new TimeoutException($"the body came more slowly than {LeastBytesPerSecond} bytes per second");
        (_waited, _came) = (TimeSpan.Zero, 0);
    }
}
