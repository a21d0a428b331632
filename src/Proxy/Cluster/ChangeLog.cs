using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using Proxy.Cache;
using Proxy.Operations;
using StackExchange.Redis;

namespace Proxy.Cluster;

/// <summary>
/// Tells the other nodes what was purged or changed, and applies what they tell. It reads the log on each announcement, and at least twice
/// a second; at the start before the first request.
/// </summary>
/// <remarks>
/// A shared value carries the number of the last change that its writer had applied. A later change of its study makes it invalid, so
/// that a node which has not heard of a purge yet cannot bring back what was purged, and no clocks are compared. A value older than the
/// whole log is invalid too. Reading the log is also the probe of <see cref="EngineHealth"/>: after an outage the engine is not used before
/// missed changes are applied and the own ones are announced.
/// </remarks>
internal sealed class ChangeLog : BackgroundService
{
    /// <summary>The most changes in the log; older ones are dropped.</summary>
    private const int MaxChanges = 100_000;

    /// <summary>The most changes that wait for the engine; more become one change of everything.</summary>
    private const int MaxPending = 1_000;

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
        return number
        """;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(400);

    private readonly SharedEngine _engine;
    private readonly SharedKeys _keys;
    private readonly Lazy<StudyInvalidation> _invalidation;
    private readonly bool _hasHistory;
    private readonly ILogger<ChangeLog> _log;
    private readonly TimeProvider _time;
    private readonly AsyncLocal<bool> _isApplying = new();
    private readonly SemaphoreSlim _wake = new(0);
    private readonly SemaphoreSlim _reading = new(1);

    /// <summary>The number of the last change by study.</summary>
    private readonly ConcurrentDictionary<string, long> _changes = new(StringComparer.Ordinal);

    private ImmutableList<Change> _pending = [];
    private LogPosition? _position;
    private long _lowest, _lastOfAll, _applied;

    /// <summary>Creates the log.</summary>
    /// <param name="engine">The connections.</param>
    /// <param name="keys">The keys.</param>
    /// <param name="invalidation">Applies changes, and raises the own ones; it uses the tier that uses this log.</param>
    /// <param name="hasHistory">Whether this node has data of earlier processes, which changes from before its start concern.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Logs bugs.</param>
    public ChangeLog(
        SharedEngine engine, SharedKeys keys, Lazy<StudyInvalidation> invalidation, bool hasHistory, TimeProvider time,
        ILogger<ChangeLog> log)
    {
        (_engine, _keys, _invalidation, _hasHistory, _time, _log) = (engine, keys, invalidation, hasHistory, time, log);
        _engine.Health.Failed += _ => Wake();
    }

    /// <summary>A change that waits for the engine.</summary>
    private sealed record Change(Removal Removal, TaskCompletionSource Announced);

    /// <summary>The last change that this node has applied; null before the log was read.</summary>
    public LogPosition? Position => Volatile.Read(ref _position);

    /// <summary>Changes of other nodes that were applied.</summary>
    public long Applied => Interlocked.Read(ref _applied);

    /// <summary>Tells the other nodes.</summary>
    public void Announce(Removal removal)
    {
        if (!_isApplying.Value) _ = AnnounceAsync(removal);
    }

    /// <summary>Tells the other nodes; what the removal selects is not found in the engine from this call on.</summary>
    /// <returns>Completes when the change is in the log.</returns>
    public Task AnnounceAsync(Removal removal)
    {
        if (_isApplying.Value) return Task.CompletedTask;
        var change = new Change(removal, new(TaskCreationOptions.RunContinuationsAsynchronously));
        ImmutableInterlocked.Update(
            ref _pending,
            static (pending, added) => pending.Find(p => p.Removal == added.Removal) is not null ? pending
                : pending.Count < MaxPending ? pending.Add(added)
                : [new(new Removal(), new(TaskCreationOptions.RunContinuationsAsynchronously)), added],
            change);
        Wake();
        // An equal change may wait already.
        return Volatile.Read(ref _pending).Find(p => p.Removal == removal)?.Announced.Task ?? change.Announced.Task;
    }

    /// <summary>Whether a value of a study may be used that was written at a position.</summary>
    public bool IsValid(LogPosition written, ReadOnlySpan<char> study)
    {
        if (Position is not { } now || written.Epoch != now.Epoch) return false;
        if (written.Number < Interlocked.Read(ref _lastOfAll) || written.Number < Interlocked.Read(ref _lowest) - 1) return false;
        if (_changes.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(study, out var last) && written.Number < last) return false;
        foreach (var change in Volatile.Read(ref _pending))
        {
            if (change.Removal.KeepsBodies) continue;
            if (change.Removal.Study is not { } uid || uid == default || study.SequenceEqual(uid.ToString())) return false;
        }
        return true;
    }

    /// <summary>Connects and reads the log before the first request, but waits for the engine 3 s at most.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        _invalidation.Value.Invalidated += Announce;
        var first = ConnectAsync(cancellationToken);
        await Task.WhenAny(first, Task.Delay(TimeSpan.FromSeconds(3), TimeProvider.System, cancellationToken));
        await base.StartAsync(cancellationToken);
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

    private async Task ConnectAsync(CancellationToken cancellation)
    {
        try
        {
            await _engine.ConnectAsync();
            await _engine.SubscribeAsync(_keys.Bell, Wake);
        }
        catch (RedisException e)
        {
            // The subscription is made when the connection is there; until then the log is read at intervals.
            _log.EngineFailed(e.GetType().Name);
        }
        await StepAsync(cancellation);
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
            if (await ReadAsync(cancellation) && await SendAsync(cancellation)) _engine.Health.Succeed();
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

    private async Task<bool> ReadAsync(CancellationToken cancellation)
    {
        while (true)
        {
            var after = Position;
            RedisValue[] arguments = [$"{Guid.NewGuid():n}", after?.Number ?? 0, Page, after is null ? "" : $"{after.Epoch:n}"];
            var answer = await _engine.ProbeAsync(db => db.ScriptEvaluateAsync(ReadScript, _keys.Log, arguments), cancellation);
            if (!answer.IsAnswered) return false;
            var parts = (RedisResult[])answer.Value!;
            var epoch = Guid.ParseExact((string)parts[0]!, "n");
            if (after is not null && after.Epoch != epoch)
            {
                // The engine has lost data: numbers above its last one are given a second time.
                _changes.Clear();
                (_lowest, _lastOfAll) = (0, 0);
                Volatile.Write(ref _position, new(epoch, 0));
                continue;
            }
            Interlocked.Exchange(ref _lowest, (long)double.Parse((string)parts[2]!, CultureInfo.InvariantCulture));
            var lines = (string[])parts[3]!;
            var number = after?.Number ?? 0;
            foreach (var line in lines) number = await ApplyAsync(line, isNews: after is not null || _hasHistory);
            Volatile.Write(ref _position, new(epoch, number));
            if (lines.Length < Page) return true;
        }
    }

    private async Task<long> ApplyAsync(string line, bool isNews)
    {
        var fields = line.Split('\n');
        var number = long.Parse(fields[0], CultureInfo.InvariantCulture);
        if (ChangeText.Read(fields) is not var (node, removal)) return number;
        Remember(removal, number);
        if (!isNews || node == _engine.Node) return number;
        Interlocked.Increment(ref _applied);
        _isApplying.Value = true;
        if (removal.Backend is null) await _invalidation.Value.PurgeAsync(removal.Study);
        else if (removal.Study is not { } changed) await _invalidation.Value.PurgeBackendAsync(removal.Backend);
        else
        {
            IReadOnlyList<Removal> bodies = changed == default || removal.KeepsBodies ? [] : [removal];
            _invalidation.Value.Follow(new(removal.Backend, changed == default ? null : changed) { Bodies = bodies });
        }
        _isApplying.Value = false;
        return number;
    }

    /// <summary>From here on, the values that the change selects are not valid.</summary>
    private void Remember(Removal removal, long number)
    {
        if (removal.KeepsBodies) return;
        if (removal.Study is { } study && study != default)
            _changes.AddOrUpdate(study.ToString(), number, (_, before) => Math.Max(before, number));
        else Interlocked.Exchange(ref _lastOfAll, Math.Max(number, Interlocked.Read(ref _lastOfAll)));
    }

    private async Task<bool> SendAsync(CancellationToken cancellation)
    {
        while (Volatile.Read(ref _pending) is [var change, ..])
        {
            RedisValue[] arguments =
                [$"{Guid.NewGuid():n}", ChangeText.Write(_engine.Node, change.Removal, _time.GetUtcNow()), MaxChanges, _keys.Bell];
            var answer = await _engine.ProbeAsync(db => db.ScriptEvaluateAsync(AddScript, _keys.Log, arguments), cancellation);
            if (!answer.IsAnswered) return false;
            var number = (long)answer.Value!;
            // Before the change leaves the pending ones: no moment in which the value is valid.
            Remember(change.Removal, number);
            if (!change.Removal.KeepsBodies) await DeleteAsync(change.Removal, cancellation);
            ImmutableInterlocked.Update(ref _pending, static (pending, sent) => pending.Remove(sent), change);
            change.Announced.TrySetResult();
        }
        return true;
    }

    /// <summary>Deletes what the removal selects, as far as it is indexed; what remains is invalid and expires.</summary>
    private async Task DeleteAsync(Removal removal, CancellationToken cancellation)
    {
        if (removal.Study is { } uid)
        {
            if (uid == default) return;
            var (index, study) = (_keys.GetIndex(uid.ToString()), _keys.GetStudy(uid.ToString()));
            var members = await _engine.ProbeAsync(db => db.SetMembersAsync(index), cancellation);
            RedisKey[] keys = [.. (members.Value ?? []).Select(member => (RedisKey)(string)member!), index, study];
            foreach (var some in keys.Chunk(500)) await _engine.ProbeAsync(db => db.KeyDeleteAsync(some), cancellation);
            return;
        }
        foreach (var server in _engine.GetServers())
        {
            var found = new List<RedisKey>();
            try
            {
                await foreach (var key in server.KeysAsync(pattern: _keys.AllStudies, pageSize: 500).WithCancellation(cancellation))
                    found.Add(key);
            }
            catch (Exception e) when (e is RedisException or TimeoutException)
            {
                _log.EngineFailed(e.GetType().Name);
            }
            // One key at a time: a cluster of engines refuses keys of several slots.
            foreach (var some in found.Chunk(500))
                await _engine.ProbeAsync(db => Task.WhenAll(some.Select(key => db.KeyDeleteAsync(key))), cancellation);
        }
    }
}
