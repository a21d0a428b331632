using Proxy.Disk;

namespace Proxy.Prefetch.Jobs;

/// <summary>Brings the jobs of the process before this one back, and writes down what becomes of them.</summary>
public sealed class JobPersistence(JobRegistry registry, JobFile file, CacheFolder folder, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);

    private long _written;

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var job in await file.ReadAsync(cancellationToken)) registry.Restore(job);
        await base.StartAsync(cancellationToken);
    }

    /// <summary>What had not ended is to begin again with the next process, however this one ends.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (folder.State.CanWrite && registry.Changes != Interlocked.Read(ref _written)) await WriteAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                if (folder.State.CanWrite && registry.Changes != Interlocked.Read(ref _written)) await WriteAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    private async Task WriteAsync(CancellationToken cancellation)
    {
        var changes = registry.Changes;
        if (await file.WriteAsync(registry.All.Select(holder => holder.Job), cancellation)) Interlocked.Exchange(ref _written, changes);
    }
}
