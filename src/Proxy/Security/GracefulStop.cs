using Proxy.Operations;

namespace Proxy.Security;

/// <summary>Lets running requests end before the listeners close.</summary>
/// <remarks>
/// <code>
/// 1 announce   /health/ready answers 503 from now on; event streams end; load balancers take the proxy out of service
/// 2 drain      the listeners stay open until no request runs, at most for Shutdown:Drain
/// 3 close      what still runs is aborted; then the listeners close, and the other services stop and write what they hold
/// </code>
/// </remarks>
internal sealed class GracefulStop(
    RunningRequests running, IHostApplicationLifetime lifetime, ShutdownOptions options, TimeProvider time, ILogger<GracefulStop> log)
    : IHostedLifecycleService
{
    private readonly Lock _lock = new();
    private Task? _stop;

    /// <summary>Stops once: a host may be stopped by a signal and by its owner.</summary>
    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        // 1. A signal has already announced it; a stop by the host itself has not.
        lifetime.StopApplication();
        lock (_lock) return _stop ??= StopOnceAsync(cancellationToken);
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task StopOnceAsync(CancellationToken cancellationToken)
    {
        // 2
        var idle = running.BeginDrain();
        if (!idle.IsCompleted) log.DrainStarted(running.Count, options.Drain.TotalSeconds);
        try
        {
            await idle.WaitAsync(options.Drain, time, cancellationToken);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            log.DrainEnded(running.Count);
        }
        // 3
        await running.AbortAsync();
    }
}
