using System.Collections.Concurrent;

namespace Proxy.Backends.Health;

/// <summary>
/// Probes backends whose circuit is open or suspect, so that no client request has to test them, and all backends while they are watched.
/// </summary>
public sealed class BackendProber(BackendSet backends, BackendStates states, IArchive archive, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(500);

    /// <summary>While backends are watched, one that gave no answer for this long is probed, and not more often.</summary>
    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(3);

    /// <summary>How long backends are watched after the last <see cref="Watch"/>.</summary>
    private static readonly TimeSpan WatchTime = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, bool> _probing = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentDictionary<string, DateTimeOffset> _probed = new(StringComparer.OrdinalIgnoreCase);
    private long _watchedUntil;

    /// <summary>
    /// Watches all backends for the next 10 s: the state of an idle backend is then about 4 s old at most. The number of callers does not
    /// matter.
    /// </summary>
    public void Watch() => Interlocked.Exchange(ref _watchedUntil, (time.GetUtcNow() + WatchTime).UtcTicks);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(PollInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                foreach (var backend in backends.All)
                {
                    // Not awaited: a hanging probe must not delay the other backends.
                    if (IsDue(backend.Name) && _probing.TryAdd(backend.Name, true))
                        _ = ProbeAsync(backend, stoppingToken);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    private bool IsDue(string backend)
    {
        var circuit = states.GetCircuit(backend);
        if (circuit.IsProbeDue) return true;
        var now = time.GetUtcNow();
        return circuit.IsClosed && now.UtcTicks < Interlocked.Read(ref _watchedUntil) && !states.HasAnswered(backend, WatchInterval)
            && now - _probed.GetValueOrDefault(backend) >= WatchInterval;
    }

    private async Task ProbeAsync(BackendOptions backend, CancellationToken stopping)
    {
        _probed[backend.Name] = time.GetUtcNow();
        try
        {
            await archive.ProbeAsync(backend, stopping);
        }
        catch (OperationCanceledException)
        {
            // The process ends.
        }
        finally
        {
            _probing.TryRemove(backend.Name, out _);
        }
    }
}
