using System.Collections.Concurrent;

namespace Proxy.Backends.Health;

/// <summary>Probes backends whose circuit is open or suspect, so that no client request has to test them.</summary>
public sealed class BackendProber(BackendSet backends, BackendStates states, IArchive archive, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(500);

    private readonly ConcurrentDictionary<string, bool> _probing = new(StringComparer.OrdinalIgnoreCase);

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
                    if (states.GetCircuit(backend.Name).IsProbeDue && _probing.TryAdd(backend.Name, true))
                        _ = ProbeAsync(backend, stoppingToken);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    private async Task ProbeAsync(BackendOptions backend, CancellationToken stopping)
    {
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
