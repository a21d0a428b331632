using Proxy.Operations;

namespace Proxy.Audit.Delivery;

/// <summary>
/// Carries records from the outbox to one sink, in order and at least once. A failing sink is tried again after 1 s to 60 s.
/// </summary>
/// <param name="folder">The outbox.</param>
/// <param name="sink">The sink.</param>
/// <param name="time">The clock.</param>
/// <param name="log">Receives the failures, each once.</param>
internal sealed class AuditDelivery(OutboxFolder folder, IAuditSink sink, TimeProvider time, ILogger log) : IDisposable
{
    private const int MaxBatch = 256;

    private static readonly TimeSpan MinDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxDelay = TimeSpan.FromSeconds(60);

    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly CancellationTokenSource _stopping = new();
    private Task _running = Task.CompletedTask;
    private readonly TaskCompletionSource _ending = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _damaged;

    /// <summary>The name of the sink.</summary>
    public string Sink => sink.Name;

    /// <summary>The lines of the outbox that were no records.</summary>
    public long Damaged => Interlocked.Read(ref _damaged);

    /// <summary>Begins to deliver.</summary>
    public void Start() => _running = Task.Run(RunAsync, CancellationToken.None);

    /// <summary>Announces new records.</summary>
    public void Wake()
    {
        try
        {
            _wake.Release();
        }
        catch (SemaphoreFullException)
        {
            // It is awake.
        }
    }

    /// <summary>Delivers what waits, until the sink fails or the stop takes too long.</summary>
    public async Task StopAsync(CancellationToken cancellation)
    {
        _ending.TrySetResult();
        Wake();
        await using var stop = cancellation.UnsafeRegister(static stopping => ((CancellationTokenSource)stopping!).Cancel(), _stopping);
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await sink.CloseAsync();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stopping.Dispose();
        _wake.Dispose();
    }

    private async Task RunAsync()
    {
        var (delay, stopped) = (MinDelay, _stopping.Token);
        var hasFailed = false;
        while (!stopped.IsCancellationRequested)
        {
            try
            {
                var isLast = _ending.Task.IsCompleted;
                if (!await DeliverAsync(stopped))
                {
                    if (isLast) return;
                    await _wake.WaitAsync(stopped);
                    continue;
                }
                if (hasFailed) log.AuditSinkRecovered(sink.Name);
                (hasFailed, delay) = (false, MinDelay);
            }
            catch (Exception e) when (!stopped.IsCancellationRequested)
            {
                await sink.CloseAsync();
                if (!hasFailed) log.AuditSinkFailed(sink.Name, Describe(e));
                hasFailed = true;
                if (_ending.Task.IsCompleted) return;
                // A stop ends the wait: there is one more attempt.
                await Task.WhenAny(Task.Delay(delay, time, stopped), _ending.Task);
                delay = delay * 2 < MaxDelay ? delay * 2 : MaxDelay;
            }
        }
    }

    /// <summary>False if nothing waits.</summary>
    private async Task<bool> DeliverAsync(CancellationToken cancellation)
    {
        var (records, end, damaged) = folder.Read(sink.Name, MaxBatch);
        if (records.Count == 0 && damaged == 0) return false;
        if (records.Count > 0) await sink.SendAsync(records, cancellation);
        Interlocked.Add(ref _damaged, damaged);
        folder.Commit(sink.Name, end);
        return true;
    }

    /// <summary>The failure without addresses and paths.</summary>
    private static string Describe(Exception failure) => failure switch
    {
        System.Net.Sockets.SocketException socket => socket.SocketErrorCode.ToString(),
        System.Security.Authentication.AuthenticationException => "the TLS handshake failed; check the certificates on both sides",
        _ => failure.GetType().Name,
    };
}
