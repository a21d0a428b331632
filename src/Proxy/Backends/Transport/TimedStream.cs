namespace Proxy.Backends.Transport;

/// <summary>A body that must keep coming: a read that takes longer than its patience is a <see cref="TimeoutException"/>.</summary>
internal sealed class TimedStream : ReadOnlyStream
{
    private readonly Stream _inner;
    private readonly TimeSpan _patience;
    private readonly CancellationToken _cancellation;
    private readonly CancellationTokenSource _timer;
    private readonly CancellationTokenRegistration _cancelled;

    /// <param name="inner">The body.</param>
    /// <param name="patience">The longest wait for one piece.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellation">Ends every read; one token for the stream, so that a read costs no new link.</param>
    public TimedStream(Stream inner, TimeSpan patience, TimeProvider time, CancellationToken cancellation)
    {
        (_inner, _patience, _cancellation) = (inner, patience, cancellation);
        _timer = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _cancelled = cancellation.UnsafeRegister(static timer => ((CancellationTokenSource)timer!).Cancel(), _timer);
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        _timer.CancelAfter(_patience);
        try
        {
            return await _inner.ReadAsync(buffer, _timer.Token);
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
}
