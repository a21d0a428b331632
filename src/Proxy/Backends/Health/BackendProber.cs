using System.Collections.Concurrent;

namespace Proxy.Backends.Health;

/// <summary>Asks a backend whose circuit is open whether it is back, so that no client has to wait to find out.</summary>
public sealed class BackendProber(BackendSet backends, BackendStates states, BackendClient client, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(500);

    private readonly ConcurrentDictionary<string, bool> _asking = new(StringComparer.OrdinalIgnoreCase);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Tick, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                foreach (var backend in backends.All)
                {
                    // One that hangs must not keep the others waiting.
                    if (states.GetCircuit(backend.Name).IsProbeDue && _asking.TryAdd(backend.Name, true))
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
            await client.ProbeAsync(backend, stopping);
        }
        catch (OperationCanceledException)
        {
            // The process ends.
        }
        finally
        {
            _asking.TryRemove(backend.Name, out _);
        }
    }
}
