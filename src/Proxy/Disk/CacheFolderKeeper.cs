namespace Proxy.Disk;

/// <summary>Takes the folder before the first request is answered, as far as the disk answers, and looks after it from then on.</summary>
public sealed class CacheFolderKeeper(CacheFolder folder, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(5);

    /// <summary>So long, at most, a start waits for the process before it to let go.</summary>
    private static readonly TimeSpan HandOver = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        var started = TimeProvider.System.GetTimestamp();
        await folder.CheckAsync();
        while (folder.IsOwnedByAnother && TimeProvider.System.GetElapsedTime(started) < HandOver)
        {
            await Task.Delay(Pause, TimeProvider.System, cancellationToken);
            await folder.CheckAsync();
        }
        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!folder.IsConfigured) return;
        using var timer = new PeriodicTimer(Every, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) await folder.CheckAsync();
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }
}
