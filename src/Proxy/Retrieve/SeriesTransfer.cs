using System.Threading.Channels;
using Proxy.Cache;
using Proxy.Dicom;

namespace Proxy.Retrieve;

/// <summary>An instance of a whole answer, for one client.</summary>
/// <param name="Path">The instance.</param>
/// <param name="Key">The key of its cache entry.</param>
/// <param name="Reader">The in-flight body; null when the client must read it from the cache.</param>
public sealed record SeriesArrival(InstancePath Path, EntryKey Key, InFlightBody.Reader? Reader);

/// <summary>A backend's answer with a whole series or study, shared by its clients, cancelled when the last one disconnects.</summary>
/// <remarks>
/// A client that keeps up reads the bodies as they arrive. A client that is <see cref="MaxWaiting"/> instances behind reads further
/// instances from disk, so that it does not slow down the backend. Without a disk tier the transfer waits for the client.
/// </remarks>
internal sealed class SeriesTransfer
{
    /// <summary>The limit of arrived instances per client that it has not read yet, each with an open reader.</summary>
    public const int MaxWaiting = 4;

    private readonly Lock _lock = new();
    private readonly List<SeriesArrival> _arrived = [];
    private readonly List<Follower> _followers = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource<ExpectedInstances> _expected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _taken = NewSignal();
    private bool _isDone;

    /// <summary>Cancelled when the last client has disconnected.</summary>
    public CancellationToken Stopped => _stop.Token;

    /// <summary>The instances to take from the answer. A study is requested before they are known.</summary>
    public Task<ExpectedInstances> Expected => _expected.Task;

    /// <summary>True after a purge of the series: later parts may be the purged objects.</summary>
    public bool IsPurged { get; set; }

    /// <summary>
    /// Decides which instances to take from the answer, null for all, unless another client has decided it.
    /// </summary>
    public void Expect(IReadOnlyList<SeriesInstances>? series) => _expected.TrySetResult(new(series));

    /// <summary>Adds a client, which first receives the instances that have already arrived. Null when the transfer has ended.</summary>
    public Follower? Join()
    {
        lock (_lock)
        {
            if (_isDone || _stop.IsCancellationRequested) return null;
            var follower = new Follower(this);
            foreach (var arrival in _arrived) follower.Add(arrival);
            _followers.Add(follower);
            return follower;
        }
    }

    /// <summary>Waits until every client has room for one more open body.</summary>
    public async Task WaitForRoomAsync(CancellationToken cancellation)
    {
        while (true)
        {
            Task taken;
            lock (_lock)
            {
                if (_followers.TrueForAll(f => f.HasRoom)) return;
                taken = _taken.Task;
            }
            await taken.WaitAsync(cancellation);
        }
    }

    /// <summary>Passes an instance to all clients.</summary>
    /// <param name="path">The instance.</param>
    /// <param name="key">The key of its entry.</param>
    /// <param name="join">Opens a reader of its body; null when the body is already cached.</param>
    public void Add(InstancePath path, EntryKey key, Func<InFlightBody.Reader?>? join)
    {
        var arrival = new SeriesArrival(path, key, null);
        lock (_lock)
        {
            _arrived.Add(arrival);
            foreach (var follower in _followers)
                follower.Add(follower.HasRoom && join?.Invoke() is { } reader ? arrival with { Reader = reader } : arrival);
        }
    }

    /// <summary>Marks the end: no further instance arrives.</summary>
    public void End()
    {
        lock (_lock)
        {
            _isDone = true;
            foreach (var follower in _followers) follower.Complete();
        }
    }

    private void Leave(Follower follower)
    {
        lock (_lock)
        {
            _followers.Remove(follower);
            SignalTaken();
            if (_followers.Count > 0 || _isDone) return;
        }
        _stop.Cancel();
    }

    private void SignalTaken()
    {
        _taken.TrySetResult();
        _taken = NewSignal();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>One client of the transfer, which leaves it when disposed.</summary>
    public sealed class Follower(SeriesTransfer transfer) : IDisposable
    {
        private readonly Channel<SeriesArrival> _arrivals = Channel.CreateUnbounded<SeriesArrival>();
        private int _open;

        /// <inheritdoc cref="SeriesTransfer.Expect"/>
        public void Expect(IReadOnlyList<SeriesInstances>? series) => transfer.Expect(series);

        internal bool HasRoom => _open < MaxWaiting;

        /// <summary>The next instance; null after the last.</summary>
        public async ValueTask<SeriesArrival?> ReadAsync(CancellationToken cancellation)
        {
            if (!await _arrivals.Reader.WaitToReadAsync(cancellation) || !_arrivals.Reader.TryRead(out var arrival)) return null;
            if (arrival.Reader is null) return arrival;
            lock (transfer._lock)
            {
                _open--;
                transfer.SignalTaken();
            }
            return arrival;
        }

        /// <summary>Leaves the transfer and closes the readers that were not read.</summary>
        public void Dispose()
        {
            transfer.Leave(this);
            _arrivals.Writer.TryComplete();
            while (_arrivals.Reader.TryRead(out var arrival)) arrival.Reader?.Dispose();
        }

        internal void Add(SeriesArrival arrival)
        {
            if (!_arrivals.Writer.TryWrite(arrival)) arrival.Reader?.Dispose();
            else if (arrival.Reader is not null) _open++;
        }

        internal void Complete() => _arrivals.Writer.TryComplete();
    }
}
