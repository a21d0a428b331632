using Proxy.Operations;
using StackExchange.Redis;

namespace Proxy.Cluster;

/// <summary>The connections to the engine: one for small values and one for bodies, so that a body delays no small value.</summary>
/// <remarks>
/// Every question has a time limit. One without an answer in time, or without a connection, is no answer and closes the engine to requests
/// (<see cref="Health"/>). An error that the engine reports, such as a full memory, is no answer either, but the engine works.
/// </remarks>
/// <param name="options">The settings; <see cref="ClusterOptions.Redis"/> is set.</param>
/// <param name="time">The clock.</param>
/// <param name="log">Logs the loss and the return of the engine.</param>
internal sealed class SharedEngine(ClusterOptions options, TimeProvider time, ILogger<SharedEngine> log) : IAsyncDisposable
{
    private IConnectionMultiplexer? _small;
    private IConnectionMultiplexer? _bulk;
    /// <summary>How long an error of the engine itself is shown: a full engine still answers look-ups.</summary>
    private static readonly TimeSpan ErrorLifetime = TimeSpan.FromSeconds(2);

    private string? _lastError;
    private long _lastErrorAt;
    private long _refused;

    /// <summary>The name of this process among the nodes: the machine and a random number.</summary>
    public string Node { get; } = $"{Environment.MachineName}-{Guid.NewGuid():n}"[..Math.Min(Environment.MachineName.Length + 9, 60)];

    /// <summary>Whether requests use the engine.</summary>
    public EngineHealth Health { get; } = Follow(new(time), log);

    /// <summary>The last error that the engine itself reported; null after 2 s without another one.</summary>
    public string? LastError =>
        Volatile.Read(ref _lastError) is { } error && time.GetElapsedTime(Volatile.Read(ref _lastErrorAt)) < ErrorLifetime ? error : null;

    /// <summary>Questions that were not sent because the engine is not used.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>The prefix of all keys.</summary>
    public string Prefix { get; } = options.Name + ":v1:";

    /// <summary>How long a request waits for a small value.</summary>
    public TimeSpan Timeout => options.Timeout;

    /// <summary>Opens the connections; they are opened again in the background as long as the engine cannot be reached.</summary>
    /// <returns>False when the settings cannot be read now, because they are in a file: call it again.</returns>
    public async Task<bool> ConnectAsync()
    {
        if (_bulk is not null) return true;
        if (!options.Redis!.TryRead(out var text, out _) || ClusterOptions.TryParse(text) is not { } parsed)
        {
            Health.FailProbe("the file with the settings of the engine cannot be read");
            return false;
        }
        parsed.ClientName = Node;
        _small ??= await ConnectionMultiplexer.ConnectAsync(parsed);
        _bulk = await ConnectionMultiplexer.ConnectAsync(parsed);
        return true;
    }

    /// <summary>Calls a handler for each message of a channel.</summary>
    /// <returns>False without a connection.</returns>
    public async Task<bool> SubscribeAsync(string channel, Action handler)
    {
        if (_small is not { IsConnected: true }) return false;
        await _small.GetSubscriber().SubscribeAsync(RedisChannel.Literal(channel), (_, _) => handler());
        return true;
    }

    /// <summary>Asks for a small value on behalf of a request.</summary>
    public ValueTask<Answer<T>> AskAsync<T>(Func<IDatabase, Task<T>> ask, CancellationToken cancellation) =>
        AskAsync(_small, ask, options.Timeout, cancellation);

    /// <summary>Asks for bytes on behalf of a request; the time limit grows with their number.</summary>
    public ValueTask<Answer<T>> AskBulkAsync<T>(long bytes, Func<IDatabase, Task<T>> ask, CancellationToken cancellation) =>
        AskAsync(_bulk, ask, 2 * options.Timeout + TimeSpan.FromSeconds(bytes / 50e6), cancellation);

    /// <summary>Probes the engine with a question of the background work; requests use the engine after it succeeds.</summary>
    public async Task<Answer<T>> ProbeAsync<T>(Func<IDatabase, Task<T>> ask, CancellationToken cancellation)
    {
        try
        {
            if (_small is null) throw new TimeoutException();
            return new(true, await ask(_small.GetDatabase()).WaitAsync(TimeSpan.FromSeconds(1), time, cancellation));
        }
        catch (Exception e) when (e is TimeoutException or RedisException)
        {
            Health.FailProbe(Describe(e));
            return default;
        }
    }

    /// <summary>Asks for the background work. An error of the engine itself, such as a missing right, is no failed probe.</summary>
    public async Task<Answer<T>> WorkAsync<T>(Func<IDatabase, Task<T>> ask, CancellationToken cancellation)
    {
        try
        {
            return await ProbeAsync(
                async db =>
                {
                    try
                    {
                        return new Answer<T>(true, await ask(db));
                    }
                    catch (RedisServerException e)
                    {
                        Note(e);
                        return default;
                    }
                },
                cancellation) is { IsAnswered: true } answer ? answer.Value : default;
        }
        catch (ObjectDisposedException)
        {
            return default;
        }
    }

    /// <summary>The first server, for a scan of all keys; null without a connection.</summary>
    public IEnumerable<IServer> GetServers() => _bulk?.GetServers().Where(s => s is { IsConnected: true, IsReplica: false }) ?? [];

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_small is not null) await _small.DisposeAsync();
        if (_bulk is not null) await _bulk.DisposeAsync();
    }

    private async ValueTask<Answer<T>> AskAsync<T>(
        IConnectionMultiplexer? connection, Func<IDatabase, Task<T>> ask, TimeSpan limit, CancellationToken cancellation)
    {
        if (!Health.IsUsable || connection is null)
        {
            Interlocked.Increment(ref _refused);
            return default;
        }
        try
        {
            return new(true, await ask(connection.GetDatabase()).WaitAsync(limit, time, cancellation));
        }
        catch (RedisServerException e)
        {
            Note(e);
            return default;
        }
        catch (Exception e) when (e is TimeoutException or RedisException or ObjectDisposedException)
        {
            Health.Fail(Describe(e));
            return default;
        }
    }

    private void Note(RedisServerException e)
    {
        Volatile.Write(ref _lastErrorAt, time.GetTimestamp());
        Volatile.Write(ref _lastError, Describe(e));
    }

    /// <summary>The kind of an error: messages of the client contain addresses, and those of the server keys.</summary>
    private static string Describe(Exception e) => e switch
    {
        RedisServerException server => "the engine reports " + server.Message.Split(' ', 2)[0],
        RedisConnectionException connection => "no connection: " + connection.FailureType,
        _ => "no answer in time",
    };

    private static EngineHealth Follow(EngineHealth health, ILogger log)
    {
        health.Failed += reason => log.EngineFailed(reason);
        health.Recovered += () => log.EngineRecovered();
        return health;
    }

    /// <summary>An answer of the engine.</summary>
    /// <param name="IsAnswered">False when there was none.</param>
    /// <param name="Value">The answer.</param>
    public readonly record struct Answer<T>(bool IsAnswered, T? Value);
}
