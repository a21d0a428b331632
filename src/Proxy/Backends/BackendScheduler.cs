using System.Collections.Concurrent;
using Proxy.Backends.Health;
using Proxy.Dicom;

namespace Proxy.Backends;

/// <summary>What is asked of a backend: something of a study, its pixels where a series is named.</summary>
public readonly record struct FetchTarget(Uid Study, Uid? Series = null)
{
    /// <summary>Whether one helps the other on: of the same study, and not the pixels of another series.</summary>
    public bool Serves(FetchTarget other) => Study == other.Study && (Series is null || other.Series is null || Series == other.Series);

    /// <summary>What a request below a DICOMweb root is for; null for a search that names no study in its path.</summary>
    /// <param name="pathAndQuery">Such as <c>studies/1.2/series/1.2.3/metadata</c>.</param>
    public static FetchTarget? Parse(string pathAndQuery)
    {
        var parts = pathAndQuery.Split('?')[0].Split('/');
        if (parts is not ["studies", var s, ..] || !Uid.TryParse(s, out var study)) return null;
        var isOfPixels = parts is not [.., "metadata"] and not [.., "instances"];
        return isOfPixels && parts is [_, _, "series", var e, ..] && Uid.TryParse(e, out var series) ? new(study, series) : new(study);
    }
}

/// <summary>How much somebody will miss what is fetched ahead, the most first.</summary>
public enum PrefetchPriority
{
    /// <summary>What an open study's viewer asks for next.</summary>
    ReadAhead,

    /// <summary>Somebody asked for it by name, and will look at it soon.</summary>
    Asked,

    /// <summary>The studies behind the open one in the work list.</summary>
    Next,

    /// <summary>Earlier studies of the open study's patient.</summary>
    Priors,

    /// <summary>Whenever there is time.</summary>
    Idle,
}

/// <summary>Clients go first: what nobody waits for is asked of a backend only while no client waits for it.</summary>
/// <remarks>
/// <code>
/// client   Wait ─────────────────────────────► at once; whatever runs ahead for something else is broken off
/// ahead    TakeAsync ── circuit closed, no client waits or did so a moment ago, fewer than most run ──► Turn
///                       for a while behind a client one at a time, and a pause after each
/// </code>
/// A fetch that a client joined is the client's own and goes on: whoever fetched it ahead only leaves it. Read-ahead
/// serves the client that waits for the same series, and runs beside it. A search stops all but that.
/// </remarks>
public sealed class BackendScheduler(BackendStates states, TimeProvider time)
{
    /// <summary>A viewer pauses between what it asks for; the line is kept free for so long.</summary>
    private static readonly TimeSpan IdleAfterClient = TimeSpan.FromMilliseconds(200);

    /// <summary>After something was broken off; twice as long each time, until something comes to its end.</summary>
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);

    /// <summary>A timer may be early by a part of it.</summary>
    private static readonly TimeSpan TimerTolerance = TimeSpan.FromMilliseconds(1);

    /// <summary>So long after a client another is expected: one thing at a time is asked for ahead, a third of the time.</summary>
    private static readonly TimeSpan ClientExpectedFor = TimeSpan.FromSeconds(15);

    /// <summary>A circuit that closes tells nobody.</summary>
    private static readonly TimeSpan RecheckInterval = TimeSpan.FromMilliseconds(500);

    private readonly ConcurrentDictionary<string, BackendQueue> _queues = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// A client waits for the backend, until the handle is disposed of. Null, and no client waits, when the caller works in
    /// the background (<see cref="CurrentPurpose"/>).
    /// </summary>
    /// <param name="backend">The backend that is asked.</param>
    /// <param name="target">For what; null for a search.</param>
    public IDisposable? BeginForeground(string backend, FetchTarget? target) =>
        CurrentPurpose.Value == RequestPurpose.Client ? GetQueue(backend).BeginForeground(target) : null;

    /// <summary>A client's search waits for all backends of a scope.</summary>
    /// <param name="scope">The backends that are asked.</param>
    /// <param name="study">The study that the search is within; null for none.</param>
    public IDisposable BeginForeground(BackendScope scope, Uid? study)
    {
        FetchTarget? target = study is { } uid ? new(uid) : null;
        return new ForegroundRequests([.. scope.Backends.Select(backend => BeginForeground(backend.Name, target)).OfType<IDisposable>()]);
    }

    /// <summary>Waits until the backend may be asked for what no client waits for.</summary>
    /// <param name="backend">Whom.</param>
    /// <param name="target">For what.</param>
    /// <param name="priority">Who waits too and has a higher one goes first.</param>
    /// <param name="order">Of one rank the lower goes first.</param>
    /// <param name="most">So many run at once.</param>
    /// <param name="patience">Ends the waiting for a turn. A turn that was granted goes on.</param>
    /// <param name="cancellation">Ends the waiting and stops the turn.</param>
    public Task<FetchSlot> AcquireAsync(
        string backend, FetchTarget target, PrefetchPriority priority, long order, int most, CancellationToken patience,
        CancellationToken cancellation) =>
        GetQueue(backend).AcquireAsync(target, priority, order, most, patience, cancellation);

    /// <summary>How many fetches run ahead on a backend now.</summary>
    public int CountRunning(string backend) => GetQueue(backend).RunningCount;

    /// <summary>How many waits of clients for a backend there are now; one request may wait at several places.</summary>
    public int CountForeground(string backend) => GetQueue(backend).ForegroundCount;

    private BackendQueue GetQueue(string backend) => _queues.GetOrAdd(backend, name => new BackendQueue(this, name));

    /// <summary>Leave to ask a backend for one thing, until it is disposed of.</summary>
    public sealed class FetchSlot : IDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly CancellationTokenRegistration _unwanted;
        private readonly Action<FetchSlot> _ended;

        internal FetchSlot(FetchTarget target, PrefetchPriority priority, Action<FetchSlot> ended, CancellationToken cancellation)
        {
            (Target, Priority, _ended) = (target, priority, ended);
            _unwanted = cancellation.UnsafeRegister(static slot => ((FetchSlot)slot!).Cancel(), this);
        }

        /// <summary>A client waits for something else: leave at once.</summary>
        public CancellationToken Stopped => _stop.Token;

        internal FetchTarget Target { get; }

        internal PrefetchPriority Priority { get; }

        internal long Began { get; init; }

        public void Dispose()
        {
            _ended(this);
            _unwanted.Dispose();
        }

        /// <summary>Whoever says so does not wait for the connection to be closed.</summary>
        internal void Cancel() => _ = _stop.CancelAsync();
    }

    /// <summary>One backend's: who waits, who runs ahead, and who wants to.</summary>
    private sealed class BackendQueue(BackendScheduler scheduler, string backend)
    {
        private readonly Lock _lock = new();
        private readonly List<ForegroundRequest> _clients = [];
        private readonly List<FetchSlot> _running = [];
        private readonly PriorityQueue<PendingFetch, (PrefetchPriority, long, long)> _pending = new();
        private long _enqueued;
        private long? _lastClient;
        private long _paused;
        private TimeSpan _pause;
        private ITimer? _timer;

        private sealed class ForegroundRequest(BackendQueue lane, FetchTarget? target) : IDisposable
        {
            public readonly FetchTarget? Target = target;

            /// <summary>Null while it waits.</summary>
            public long? EndedAt;

            public void Dispose() => lane.EndForeground(this);
        }

        private sealed record PendingFetch(
            FetchTarget Target, PrefetchPriority Priority, int MaxRunning, TaskCompletionSource<FetchSlot> Granted,
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
            List<FetchSlot> broken;
            lock (_lock)
            {
                _clients.Add(client);
                broken = _running.FindAll(slot => !RunsBeside(client, slot.Target, slot.Priority));
                _running.RemoveAll(broken.Contains);
                // What is broken off again and again only takes the line from clients.
                if (broken.Exists(slot => slot.Priority != PrefetchPriority.ReadAhead))
                    Pause(2 * _pause > FirstPause ? 2 * _pause : FirstPause);
            }
            foreach (var slot in broken) slot.Cancel();
            return client;
        }

        public async Task<FetchSlot> AcquireAsync(
            FetchTarget target, PrefetchPriority priority, long order, int most, CancellationToken patience, CancellationToken cancellation)
        {
            var fetch = new PendingFetch(target, priority, most, new(TaskCreationOptions.RunContinuationsAsynchronously), cancellation);
            lock (_lock) _pending.Enqueue(fetch, (priority, order, _enqueued++));
            await using var gone = cancellation.UnsafeRegister(
                static (fetch, token) => ((PendingFetch)fetch!).Granted.TrySetCanceled(token), fetch);
            await using var late = patience.UnsafeRegister(
                static (fetch, token) => ((PendingFetch)fetch!).Granted.TrySetCanceled(token), fetch);
            GrantPending();
            return await fetch.Granted.Task;
        }

        private void EndForeground(ForegroundRequest client)
        {
            lock (_lock)
            {
                _lastClient = client.EndedAt = scheduler.Now;
                SetTimer();
            }
        }

        private void End(FetchSlot slot)
        {
            lock (_lock)
            {
                _running.Remove(slot);
                if (slot.Priority != PrefetchPriority.ReadAhead && !slot.Stopped.IsCancellationRequested)
                    Pause(2 * scheduler.Since(slot.Began));
            }
            GrantPending();
        }

        private void Pause(TimeSpan pause) => (_paused, _pause) = (scheduler.Now, pause < LongestPause ? pause : LongestPause);

        private void GrantPending()
        {
            lock (_lock)
            {
                _clients.RemoveAll(c => c.EndedAt is { } ended && scheduler.Since(ended) >= IdleAfterClient);
                var mayAsk = scheduler.MayAsk(backend);
                List<(PendingFetch Wish, (PrefetchPriority, long, long) Order)> later = [];
                while (_pending.TryDequeue(out var fetch, out var order))
                {
                    if (fetch.Granted.Task.IsCompleted) continue;
                    if (!mayAsk || IsFullFor(fetch) || _clients.Exists(c => !RunsBeside(c, fetch.Target, fetch.Priority)))
                    {
                        later.Add((fetch, order));
                        continue;
                    }
                    var slot = new FetchSlot(fetch.Target, fetch.Priority, End, fetch.Cancellation) { Began = scheduler.Now };
                    if (fetch.Granted.TrySetResult(slot)) _running.Add(slot);
                }
                foreach (var (fetch, order) in later) _pending.Enqueue(fetch, order);
                if (later.Count > 0) SetTimer();
            }
        }

        /// <summary>
        /// Where a client was of late another one may come: what is under way by then is in his way although it is broken off.
        /// </summary>
        private bool IsFullFor(PendingFetch fetch) =>
            fetch.Priority == PrefetchPriority.ReadAhead || !IsClientExpected
                ? _running.Count >= fetch.MaxRunning
                : scheduler.Since(_paused) < _pause || _running.Exists(slot => slot.Priority != PrefetchPriority.ReadAhead);

        private bool IsClientExpected => _lastClient is { } last && scheduler.Since(last) < ClientExpectedFor;

        /// <summary>Whether this runs beside what the client waits for.</summary>
        private static bool RunsBeside(ForegroundRequest client, FetchTarget target, PrefetchPriority priority) =>
            client.Target is { } waited ? target.Serves(waited) : priority == PrefetchPriority.ReadAhead;

        private void SetTimer()
        {
            var due = IsClientExpected && _pause - scheduler.Since(_paused) is var pause && pause > TimeSpan.Zero
                && pause < RecheckInterval ? pause : RecheckInterval;
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
            foreach (var one in all) one.Dispose();
        }
    }

    private long Now => time.GetTimestamp();

    private TimeSpan Since(long then) => time.GetElapsedTime(then);

    private bool MayAsk(string backend) =>
        states.GetCircuit(backend) is { IsClosed: true, IsProbeDue: false } && !states.IsOverloaded(backend);

    private ITimer MakeTimer(Action act) => time.CreateTimer(_ => act(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
}
