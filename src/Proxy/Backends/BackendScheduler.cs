using System.Collections.Concurrent;
using Proxy.Backends.Health;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Backends;

/// <summary>The target of a request to a backend: a study, or the pixels of one series.</summary>
/// <param name="Study">The study.</param>
/// <param name="Series">The series whose pixels are requested; null for metadata or the whole study.</param>
public readonly record struct FetchTarget(Uid Study, Uid? Series = null)
{
    /// <summary>True when a fetch of this target also serves the other: same study, and not the pixels of different series.</summary>
    public bool Serves(FetchTarget other) => Study == other.Study && (Series is null || other.Series is null || Series == other.Series);

    /// <summary>The target of a request for bulk data.</summary>
    public static FetchTarget ForBulkData(BulkDataPath item)
    {
        var parts = item.CacheKey.Split('/');
        var study = parts is ["studies", var s, ..] && Uid.TryParse(s, out var uid) ? uid : default;
        return parts is [_, _, "series", var e, ..] && Uid.TryParse(e, out var series) ? new(study, series) : new(study);
    }
}

/// <summary>Schedules prefetching behind client requests: a backend is prefetched from only while no client waits for it.</summary>
/// <remarks>
/// <code>
/// client    BeginForeground ──► starts at once; prefetches of other targets are cancelled
/// prefetch  AcquireAsync ── circuit closed, no client active in the last 200 ms, fewer than maxRunning ──► FetchSlot
///                          for 15 s after a client: one prefetch at a time, with a pause after each
/// </code>
/// A prefetch that a client has joined continues as the client's fetch; only the prefetcher stops waiting for it. Read-ahead
/// of the series that a client waits for runs in parallel. A search cancels every prefetch except those that run beside clients.
/// </remarks>
public sealed class BackendScheduler(BackendStates states, TimeProvider time)
{
    /// <summary>A viewer pauses between requests; prefetching starts after this idle time.</summary>
    private static readonly TimeSpan IdleAfterClient = TimeSpan.FromMilliseconds(200);

    /// <summary>The pause after a cancelled prefetch; it doubles until a prefetch completes.</summary>
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan MaxPause = TimeSpan.FromSeconds(10);

    /// <summary>A timer may fire early by less than this.</summary>
    private static readonly TimeSpan TimerTolerance = TimeSpan.FromMilliseconds(1);

    /// <summary>For this time after a client request, run one prefetch at a time, about a third of the time.</summary>
    private static readonly TimeSpan ClientExpectedFor = TimeSpan.FromSeconds(15);

    /// <summary>Polls circuits and overload, which raise no event.</summary>
    private static readonly TimeSpan RecheckInterval = TimeSpan.FromMilliseconds(500);

    private readonly ConcurrentDictionary<string, BackendQueue> _queues = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Marks a client request to the backend until the result is disposed.</summary>
    /// <param name="backend">The backend's name.</param>
    /// <param name="target">The target of the request; null for a search.</param>
    /// <returns>Null when the caller works in the background (<see cref="CurrentPurpose"/>).</returns>
    public IDisposable? BeginForeground(string backend, FetchTarget? target) =>
        CurrentPurpose.Value == RequestPurpose.Client ? GetQueue(backend).BeginForeground(target) : null;

    /// <summary>Marks a client's search of all backends that the client may use.</summary>
    /// <param name="access">The backends of the search.</param>
    /// <param name="study">The study that the search is within; null for none.</param>
    public IDisposable BeginForeground(Access access, Uid? study)
    {
        FetchTarget? target = study is { } uid ? new(uid) : null;
        return new ForegroundRequests([.. access.Backends.Select(backend => BeginForeground(backend.Name, target)).OfType<IDisposable>()]);
    }

    /// <summary>Waits for a slot to prefetch from the backend.</summary>
    /// <param name="backend">The backend's name.</param>
    /// <param name="target">The target of the fetch.</param>
    /// <param name="priority">The priority.</param>
    /// <param name="order">Within a priority, the lower number goes first.</param>
    /// <param name="maxRunning">The most prefetches that run on the backend at once.</param>
    /// <param name="waitCancellation">Ends the wait; a granted slot is not affected.</param>
    /// <param name="cancellation">Ends the wait and cancels a granted slot.</param>
    public Task<FetchSlot> AcquireAsync(
        string backend, FetchTarget target, FetchPriority priority, long order, int maxRunning, CancellationToken waitCancellation,
        CancellationToken cancellation) =>
        GetQueue(backend).AcquireAsync(target, priority, order, maxRunning, waitCancellation, cancellation);

    /// <summary>Counts the prefetches that run on a backend now.</summary>
    public int CountRunning(string backend) => GetQueue(backend).RunningCount;

    /// <summary>Counts the foreground waits for a backend now; one client request may have several.</summary>
    public int CountForeground(string backend) => GetQueue(backend).ForegroundCount;

    private BackendQueue GetQueue(string backend) => _queues.GetOrAdd(backend, name => new BackendQueue(this, name));

    /// <summary>A permission to send one prefetch to a backend, held until it is disposed.</summary>
    public sealed class FetchSlot : IDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly CancellationTokenRegistration _cancellation;
        private readonly Action<FetchSlot> _ended;

        internal FetchSlot(FetchTarget target, FetchPriority priority, Action<FetchSlot> ended, CancellationToken cancellation)
        {
            (Target, Priority, _ended) = (target, priority, ended);
            _cancellation = cancellation.UnsafeRegister(static slot => ((FetchSlot)slot!).Cancel(), this);
        }

        /// <summary>Cancelled when a client needs the backend: stop at once.</summary>
        public CancellationToken Cancelled => _stop.Token;

        internal FetchTarget Target { get; }

        internal FetchPriority Priority { get; }

        internal long StartedAt { get; init; }

        /// <inheritdoc/>
        public void Dispose()
        {
            _ended(this);
            _cancellation.Dispose();
        }

        /// <summary>Returns at once; the callbacks that close the connection run in the background.</summary>
        internal void Cancel() => _ = _stop.CancelAsync();
    }

    /// <summary>The client requests, running prefetches and pending prefetches of one backend.</summary>
    private sealed class BackendQueue(BackendScheduler scheduler, string backend)
    {
        private readonly Lock _lock = new();
        private readonly List<ForegroundRequest> _clients = [];
        private readonly List<FetchSlot> _running = [];
        private readonly PriorityQueue<PendingFetch, (int, long, long)> _pending = new();
        private long _enqueued;
        private long? _lastClientAt;
        private long _pausedAt;
        private TimeSpan _pause;
        private ITimer? _timer;

        private sealed class ForegroundRequest(BackendQueue queue, FetchTarget? target) : IDisposable
        {
            public readonly FetchTarget? Target = target;

            /// <summary>Null while the client waits.</summary>
            public long? EndedAt;

            public void Dispose() => queue.EndForeground(this);
        }

        private sealed record PendingFetch(
            FetchTarget Target, FetchPriority Priority, int MaxRunning, TaskCompletionSource<FetchSlot> Granted,
            CancellationToken Cancellation);

        public int RunningCount
        {
            get
            {
                lock (_lock) return _running.Count;
            }
        }

        public int ForegroundCount
        {
            get
            {
                lock (_lock) return _clients.Count(client => client.EndedAt is null);
            }
        }

        public IDisposable BeginForeground(FetchTarget? target)
        {
            var client = new ForegroundRequest(this, target);
            List<FetchSlot> preempted;
            lock (_lock)
            {
                _clients.Add(client);
                preempted = _running.FindAll(slot => !MayRunBeside(client, slot.Target, slot.Priority));
                _running.RemoveAll(preempted.Contains);
                // Restarting a prefetch that clients keep cancelling only slows the clients.
                if (preempted.Exists(slot => !slot.Priority.RunsBesideClients))
                    Pause(2 * _pause > FirstPause ? 2 * _pause : FirstPause);
            }
            foreach (var slot in preempted) slot.Cancel();
            return client;
        }

        public async Task<FetchSlot> AcquireAsync(
            FetchTarget target, FetchPriority priority, long order, int maxRunning, CancellationToken waitCancellation,
            CancellationToken cancellation)
        {
            var granted = new TaskCompletionSource<FetchSlot>(TaskCreationOptions.RunContinuationsAsynchronously);
            var fetch = new PendingFetch(target, priority, maxRunning, granted, cancellation);
            lock (_lock) _pending.Enqueue(fetch, (priority.Order, order, _enqueued++));
            await using var onCancelled = cancellation.UnsafeRegister(
                static (fetch, token) => ((PendingFetch)fetch!).Granted.TrySetCanceled(token), fetch);
            await using var onWaitCancelled = waitCancellation.UnsafeRegister(
                static (fetch, token) => ((PendingFetch)fetch!).Granted.TrySetCanceled(token), fetch);
            GrantPending();
            return await granted.Task;
        }

        private void EndForeground(ForegroundRequest client)
        {
            lock (_lock)
            {
                _lastClientAt = client.EndedAt = scheduler.Now;
                SetTimer();
            }
        }

        private void End(FetchSlot slot)
        {
            lock (_lock)
            {
                _running.Remove(slot);
                if (!slot.Priority.RunsBesideClients && !slot.Cancelled.IsCancellationRequested)
                    Pause(2 * scheduler.Since(slot.StartedAt));
            }
            GrantPending();
        }

        private void Pause(TimeSpan pause) => (_pausedAt, _pause) = (scheduler.Now, pause < MaxPause ? pause : MaxPause);

        private void GrantPending()
        {
            lock (_lock)
            {
                _clients.RemoveAll(c => c.EndedAt is { } ended && scheduler.Since(ended) >= IdleAfterClient);
                var mayAsk = scheduler.MayAsk(backend);
                List<(PendingFetch Fetch, (int, long, long) Order)> remaining = [];
                while (_pending.TryDequeue(out var fetch, out var order))
                {
                    if (fetch.Granted.Task.IsCompleted) continue;
                    if (!mayAsk || IsFullFor(fetch) || _clients.Exists(c => !MayRunBeside(c, fetch.Target, fetch.Priority)))
                    {
                        remaining.Add((fetch, order));
                        continue;
                    }
                    var slot = new FetchSlot(fetch.Target, fetch.Priority, End, fetch.Cancellation) { StartedAt = scheduler.Now };
                    if (fetch.Granted.TrySetResult(slot)) _running.Add(slot);
                }
                foreach (var (fetch, order) in remaining) _pending.Enqueue(fetch, order);
                if (remaining.Count > 0) SetTimer();
            }
        }

        /// <summary>Near a client request, allows one prefetch at a time: even a cancelled prefetch costs the backend.</summary>
        private bool IsFullFor(PendingFetch fetch) =>
            fetch.Priority.RunsBesideClients || !IsClientExpected
                ? _running.Count >= fetch.MaxRunning
                : scheduler.Since(_pausedAt) < _pause || _running.Exists(slot => !slot.Priority.RunsBesideClients);

        private bool IsClientExpected => _lastClientAt is { } last && scheduler.Since(last) < ClientExpectedFor;

        /// <summary>True when the prefetch may run in parallel with the client request.</summary>
        private static bool MayRunBeside(ForegroundRequest client, FetchTarget target, FetchPriority priority) =>
            client.Target is { } wanted ? target.Serves(wanted) : priority.RunsBesideClients;

        private void SetTimer()
        {
            var pause = IsClientExpected ? _pause - scheduler.Since(_pausedAt) : TimeSpan.Zero;
            var due = pause > TimeSpan.Zero && pause < RecheckInterval ? pause : RecheckInterval;
            foreach (var client in _clients)
            {
                if (client.EndedAt is { } ended && IdleAfterClient - scheduler.Since(ended) is var left && left < due) due = left;
            }
            _timer ??= scheduler.MakeTimer(GrantPending);
            _timer.Change(due > TimerTolerance ? due : TimerTolerance, Timeout.InfiniteTimeSpan);
        }
    }

    private sealed class ForegroundRequests(IReadOnlyList<IDisposable> all) : IDisposable
    {
        public void Dispose()
        {
            foreach (var request in all) request.Dispose();
        }
    }

    private long Now => time.GetTimestamp();

    private TimeSpan Since(long then) => time.GetElapsedTime(then);

    private bool MayAsk(string backend) =>
        states.GetCircuit(backend) is { IsClosed: true, IsProbeDue: false } && !states.IsOverloaded(backend);

    private ITimer MakeTimer(Action act) => time.CreateTimer(_ => act(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
}
