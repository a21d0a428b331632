using System.Globalization;
using Proxy.Cache;
using Proxy.Operations;
using StackExchange.Redis;

namespace Proxy.Cluster.Changes;

/// <summary>
/// Tells the other nodes what was purged or changed, and applies what they tell. It reads the log on each announcement, and at least twice
/// a second; at the start before the first request.
/// </summary>
/// <remarks>
/// A shared value carries the number of the last change that its writer had applied. A later change that selects it makes it invalid, so
/// that a node which has not heard of a purge yet cannot bring back what was purged, and no clocks are compared. A value older than the
/// whole log is invalid too. Reading the log is also the probe of <see cref="EngineHealth"/>: after an outage the engine is not used before
/// missed changes are applied and the own ones are announced.
/// <code>
/// state of the node                                        what it does
/// it is new to the cluster                                 applies the whole log
/// it stopped at a position that the log still has          applies what follows
/// it runs, and the log has begun again                     announces the changes of the last two hours again, if they are not there
/// it runs, and has read no log within the last hour        drops its data, if the log has begun again
/// it was at a position that the log has no more            drops its data
/// </code>
/// </remarks>
internal sealed partial class ChangeLog : BackgroundService
{
    /// <summary>The most changes in the log; older ones are dropped.</summary>
    private const int MaxChanges = 100_000;

    /// <summary>The most changes that wait for the engine, and that are announced again.</summary>
    private const int MaxPending = 4_096;

    private const int Page = 1_000;

    private const string ReadScript =
        """
        local epoch = redis.call('GET', KEYS[1])
        if not epoch or (epoch == ARGV[4] and tonumber(redis.call('GET', KEYS[2]) or '0') < tonumber(ARGV[2])) then
          epoch = ARGV[1]
          redis.call('SET', KEYS[1], epoch)
        end
        local lowest = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
        return {epoch, redis.call('GET', KEYS[2]) or '0', lowest[2] or '0',
          redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. ARGV[2], '+inf', 'LIMIT', 0, ARGV[3])}
        """;

    private const string AddScript =
        """
        redis.call('SETNX', KEYS[1], ARGV[1])
        local number = redis.call('INCR', KEYS[2])
        redis.call('ZADD', KEYS[3], number, number .. '\n' .. ARGV[2])
        redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - ARGV[3])
        redis.call('PUBLISH', ARGV[4], number)
        return {redis.call('GET', KEYS[1]), number}
        """;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(400);

    /// <summary>How long after its last look into the log a node has missed nothing that others still announce again.</summary>
    private static readonly TimeSpan MaxAbsence = RecentChanges.Lifetime / 2;

    private readonly SharedEngine _engine;
    private readonly SharedKeys _keys;
    private readonly SharedDeletion _deletion;
    private readonly Lazy<ChangeApplication> _application;
    private readonly PositionFile _file;
    private readonly TimeProvider _time;
    private readonly ILogger<ChangeLog> _log;
    private readonly SemaphoreSlim _wake = new(0);
    private readonly SemaphoreSlim _reading = new(1);
    private readonly KnownChanges _known = new(MaxChanges);
    private readonly PendingChanges _pending = new(MaxPending);
    private readonly RecentChanges _recent;

    private LogPosition? _position, _settled;
    private long _readAt, _applied;
    private bool _isSubscribed;

    /// <summary>Creates the log.</summary>
    /// <param name="engine">The connections.</param>
    /// <param name="keys">The keys.</param>
    /// <param name="deletion">Deletes the bodies in the engine that own changes select.</param>
    /// <param name="application">Applies changes, and raises the own ones; it uses the tier that uses this log.</param>
    /// <param name="file">The position that the data in the cache folder has.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Logs bugs.</param>
    public ChangeLog(
        SharedEngine engine, SharedKeys keys, SharedDeletion deletion, Lazy<ChangeApplication> application, PositionFile file,
        TimeProvider time, ILogger<ChangeLog> log)
    {
        (_engine, _keys, _deletion, _application, _file, _time, _log) = (engine, keys, deletion, application, file, time, log);
        _recent = new(MaxPending, time);
        _engine.Health.Failed += _ => Wake();
    }

    /// <summary>The last change that this node has applied; null before the log was read.</summary>
    public LogPosition? Position => Volatile.Read(ref _position);

    /// <summary>The last position at which this node had nothing to announce.</summary>
    public LogPosition? Settled => Volatile.Read(ref _settled);

    /// <summary>Changes of other nodes that were applied.</summary>
    public long Applied => Interlocked.Read(ref _applied);

    /// <summary>Tells the other nodes; what the removal selects is not found in the engine from this call on.</summary>
    /// <returns>Completes when the change is in the log, and the engine has no body that it selects.</returns>
    public Task AnnounceAsync(Removal removal) =>
        removal.IsLocal || ChangeApplication.IsRunning ? Task.CompletedTask : AnnounceAsync(new Change(removal));

    /// <summary>Whether a body may be used that was written at a position.</summary>
    /// <param name="written">The position.</param>
    /// <param name="key">The key of the body, with the name of the backend.</param>
    public bool IsValid(LogPosition written, EntryKey key) =>
        Position is { } now && written.Epoch == now.Epoch && _known.IsValid(key, written.Number) && !_pending.Select(key);

    /// <summary>Connects and reads the log before the first request, but waits for the engine 3 s at most.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        var invalidation = _application.Value.Invalidation;
        invalidation.Invalidated += AnnounceMetadata;
        invalidation.PatientPurged = patientId => AnnounceAsync(Change.Of(PatientMark.Create(patientId)));
        var first = StepAsync(cancellationToken);
        await Task.WhenAny(first, Task.Delay(TimeSpan.FromSeconds(3), TimeProvider.System, cancellationToken));
        _isStarted = true;
        await base.StartAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        // One that is being saved, and the last one.
        for (var i = 0; i < 2; i++)
        {
            _savedAt = 0;
            await SaveAsync(cancellationToken);
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            using var woken = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
            await Task.WhenAny(_wake.WaitAsync(woken.Token), Task.Delay(Interval, TimeProvider.System, woken.Token));
            await woken.CancelAsync();
            if (stoppingToken.IsCancellationRequested) return;
            await StepAsync(stoppingToken);
        }
    }

    private Task AnnounceAsync(Change change)
    {
        var pending = _pending.Add(change);
        Wake();
        return pending.Done.Task;
    }

    /// <summary>Announces what the tier does not see: changes that select no body.</summary>
    private void AnnounceMetadata(Removal removal)
    {
        if (removal.KeepsBodies || removal.Study == default(Dicom.Uid)) _ = AnnounceAsync(removal);
    }

    private void Wake()
    {
        if (_wake.CurrentCount == 0) _wake.Release();
    }

    /// <summary>1. Applies the changes of other nodes. 2. Announces the own ones. 3. Opens the engine to requests.</summary>
    private async Task StepAsync(CancellationToken cancellation)
    {
        if (!_engine.Health.IsProbeDue || !await _reading.WaitAsync(0, cancellation)) return;
        try
        {
            if (await ConnectAsync() && await ReadAsync(cancellation) && await CatchUpAsync(cancellation)
                && await SendAsync(cancellation) is { } sent)
            {
                _engine.Health.Succeed();
                if (sent == 0) Volatile.Write(ref _settled, Position);
            }
            await SaveAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            // The process ends.
        }
        catch (Exception e)
        {
            _log.UnhandledException(e);
        }
        finally
        {
            _reading.Release();
        }
    }

    private async Task<bool> ConnectAsync()
    {
        if (_isSubscribed) return true;
        try
        {
            if (!await _engine.ConnectAsync()) return false;
            _isSubscribed = await _engine.SubscribeAsync(_keys.Bell, Wake);
        }
        catch (RedisException e)
        {
            // Until the subscription is made, the log is read at intervals.
            _log.EngineFailed(e.GetType().Name);
        }
        return true;
    }

    private async Task<bool> ReadAsync(CancellationToken cancellation)
    {
        var hasBegunAgain = false;
        while (true)
        {
            var after = Position;
            if (await ReadPageAsync(after, after?.Number ?? 0, cancellation) is not { } page) return false;
            var isAbsent = after is not null && _time.GetElapsedTime(_readAt) > MaxAbsence;
            if (after is not null && after.Epoch != page.Epoch)
            {
                // The engine has lost data: numbers above its last one are given a second time.
                _known.Clear();
                if (isAbsent) await DropAllAsync();
                Volatile.Write(ref _position, new(page.Epoch, 0));
                (_readAt, hasBegunAgain) = (_time.GetTimestamp(), true);
                continue;
            }
            _known.SetLowest(page.Lowest);
            if (after is not null && !hasBegunAgain && after.Number < page.Lowest - 1) await DropAllAsync();
            // Before the first look into the log, it is not known which of the changes this node has applied.
            var number = after?.Number ?? 0;
            foreach (var line in page.Lines) number = await FollowAsync(line, page.Epoch, isNews: after is not null);
            // The start of a long log is read in several pages.
            if (after is null && page.Lines.Length == Page) number = await RememberAsync(page.Epoch, number, cancellation);
            Volatile.Write(ref _position, new(page.Epoch, number));
            _readAt = _time.GetTimestamp();
            if (page.Lines.Length < Page || after is null) return true;
        }
    }

    private async Task<long> FollowAsync(string line, Guid epoch, bool isNews)
    {
        var fields = line.Split('\n');
        var number = long.Parse(fields[0], CultureInfo.InvariantCulture);
        if (ChangeText.Read(fields) is not var (node, change)) return number;
        _known.Add(change, number);
        _recent.Add(change, epoch);
        if (!isNews || node == _engine.Node) return number;
        await _application.Value.ApplyAsync(change, _onDisk);
        Interlocked.Increment(ref _applied);
        return number;
    }

    private async Task<PageOfLog?> ReadPageAsync(LogPosition? last, long after, CancellationToken cancellation)
    {
        RedisValue[] arguments = [$"{Guid.NewGuid():n}", after, Page, last is null ? "" : $"{last.Epoch:n}"];
        var answer = await _engine.ProbeAsync(db => db.ScriptEvaluateAsync(ReadScript, _keys.Log, arguments), cancellation);
        if (!answer.IsAnswered) return null;
        var parts = (RedisResult[])answer.Value!;
        return new(
            Guid.ParseExact((string)parts[0]!, "n"), long.Parse((string)parts[1]!, CultureInfo.InvariantCulture),
            (long)double.Parse((string)parts[2]!, CultureInfo.InvariantCulture), (string[])parts[3]!);
    }

    /// <summary>Announces the own changes, and deletes their bodies from the engine.</summary>
    /// <returns>How many were announced; null when the engine did not answer.</returns>
    private async Task<int?> SendAsync(CancellationToken cancellation)
    {
        var sent = 0;
        foreach (var change in _recent.TakeMissing(Position!.Epoch)) _pending.Add(change);
        while (_pending.FindUnannounced() is { } pending)
        {
            RedisValue[] arguments =
                [$"{Guid.NewGuid():n}", ChangeText.Write(_engine.Node, pending.Change, _time.GetUtcNow()), MaxChanges, _keys.Bell];
            var answer = await _engine.ProbeAsync(db => db.ScriptEvaluateAsync(AddScript, _keys.Log, arguments), cancellation);
            if (!answer.IsAnswered) return null;
            sent++;
            var parts = (RedisResult[])answer.Value!;
            var position = new LogPosition(Guid.ParseExact((string)parts[0]!, "n"), (long)parts[1]);
            // Before it leaves the pending ones: no moment in which a value is valid, also when this node has not read that log yet.
            _known.Add(pending.Change, position.Epoch == Position.Epoch ? position.Number : long.MaxValue);
            _recent.Add(pending.Change, position.Epoch);
            pending.Position = position;
            if (await _deletion.DeleteAsync(pending.Change, position, cancellation)) _pending.End(pending);
        }
        foreach (var pending in _pending.FindUndeleted())
        {
            if (!await _deletion.DeleteAsync(pending.Change, pending.Position!, cancellation)) break;
            _pending.End(pending);
        }
        return sent;
    }

    private sealed record PageOfLog(Guid Epoch, long Last, long Lowest, string[] Lines);
}
