namespace Proxy.Backends.Transport;

/// <summary>The permits of one backend: a request holds one from before it is sent until the end of its answer's body.</summary>
/// <remarks>Waiting requests are served in order of arrival. The number of permits may change at any time.</remarks>
internal sealed class PermitQueue
{
    private readonly Lock _lock = new();
    private readonly LinkedList<TaskCompletionSource<Permit>> _waiting = new();
    private int _permits;
    private int _held;

    /// <summary>One permit, returned when it is disposed.</summary>
    public sealed class Permit(PermitQueue queue) : IDisposable
    {
        private int _isReturned;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _isReturned, 1) == 0) queue.Return();
        }
    }

    /// <summary>How many permits requests hold now, and how many requests wait.</summary>
    public (int Held, int Waiting) Count()
    {
        lock (_lock) return (_held, _waiting.Count);
    }

    /// <summary>Takes a permit without waiting; null when none is free or other requests wait.</summary>
    /// <param name="permits">The current number of permits.</param>
    public Permit? TryAcquire(int permits)
    {
        lock (_lock)
        {
            _permits = permits;
            Grant();
            if (_waiting.Count > 0 || _held >= _permits) return null;
            _held++;
            return new(this);
        }
    }

    /// <summary>Waits for a permit, in order of arrival.</summary>
    /// <param name="permits">The current number of permits.</param>
    /// <param name="maxWaiting">The most requests that may wait.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="BackendBusyException">The queue is full.</exception>
    public async Task<Permit> AcquireAsync(int permits, int maxWaiting, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        if (TryAcquire(permits) is { } free) return free;
        var waiter = new TaskCompletionSource<Permit>(TaskCreationOptions.RunContinuationsAsynchronously);
        LinkedListNode<TaskCompletionSource<Permit>> node;
        lock (_lock)
        {
            if (_waiting.Count >= maxWaiting) throw new BackendBusyException("too many requests are waiting");
            node = _waiting.AddLast(waiter);
            // A permit may have been returned since TryAcquire.
            Grant();
        }
        await using var _ = cancellation.UnsafeRegister(_ => Abandon(node, cancellation), null);
        return await waiter.Task;
    }

    private void Abandon(LinkedListNode<TaskCompletionSource<Permit>> node, CancellationToken cancellation)
    {
        lock (_lock)
        {
            // Granted at the same moment: the caller owns the permit and disposes it.
            if (node.List is null) return;
            _waiting.Remove(node);
        }
        node.Value.TrySetCanceled(cancellation);
    }

    private void Return()
    {
        lock (_lock)
        {
            _held--;
            Grant();
        }
    }

    private void Grant()
    {
        while (_held < _permits && _waiting.First is { } first)
        {
            _waiting.RemoveFirst();
            _held++;
            first.Value.SetResult(new(this));
        }
    }
}
