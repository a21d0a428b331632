namespace Proxy.Disk;

/// <summary>Acquires the folder before the first request, if the disk answers in time, and checks it at intervals.</summary>
public sealed class CacheFolderMonitor(CacheFolder folder, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(5);

    /// <summary>The maximum time for which a start waits for the previous process to release the folder.</summary>
    private static readonly TimeSpan ReleaseTimeout = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(50);

    /// <summary>Acquires the folder.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        var started = TimeProvider.System.GetTimestamp();
        await folder.CheckAsync();
        while (folder.IsOwnedByAnother && TimeProvider.System.GetElapsedTime(started) < ReleaseTimeout)
        {
            await Task.Delay(RetryInterval, TimeProvider.System, cancellationToken);
            await folder.CheckAsync();
        }
        await base.StartAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!folder.IsConfigured) return;
        using var timer = new PeriodicTimer(CheckInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) await folder.CheckAsync();
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Shutdown.
        }
    }
}
