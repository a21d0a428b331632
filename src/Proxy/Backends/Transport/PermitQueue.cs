namespace Proxy.Backends.Transport;

/// <summary>The permits of one backend: each request holds one from before it is sent to the end of its answer's body.</summary>
/// <remarks>Requests that find none free wait in the order of their arrival. The number of permits may change at any time.</remarks>
internal sealed class PermitQueue
{
    private readonly Lock _lock = new();
    private readonly LinkedList<TaskCompletionSource<Permit>> _waiting = new();
    private int _permits;
    private int _held;

    /// <summary>One permit, given back when it is disposed of.</summary>
    public sealed class Permit(PermitQueue queue) : IDisposable
    {
        private int _isReturned;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _isReturned, 1) == 0) queue.Return();
        }
    }

    /// <summary>A permit at once; null when none is free or others wait for one.</summary>
    /// <param name="permits">How many there are now.</param>
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

    /// <summary>A permit, when one is free and those who came before have theirs.</summary>
    /// <param name="permits">How many there are now.</param>
    /// <param name="mostWaiting">How many may wait.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="BackendBusyException">As many wait as may.</exception>
    public async Task<Permit> AcquireAsync(int permits, int mostWaiting, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        if (TryAcquire(permits) is { } free) return free;
        var waiter = new TaskCompletionSource<Permit>(TaskCreationOptions.RunContinuationsAsynchronously);
        LinkedListNode<TaskCompletionSource<Permit>> node;
        lock (_lock)
        {
            if (_waiting.Count >= mostWaiting) throw new BackendBusyException("too many requests wait for it already");
            node = _waiting.AddLast(waiter);
            // One may have come back since the first look.
            Grant();
        }
        await using var _ = cancellation.UnsafeRegister(_ => GiveUp(node, cancellation), null);
        return await waiter.Task;
    }

    private void GiveUp(LinkedListNode<TaskCompletionSource<Permit>> node, CancellationToken cancellation)
    {
        lock (_lock)
        {
            // Granted in the same moment: the permit is the caller's, who disposes of it.
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
