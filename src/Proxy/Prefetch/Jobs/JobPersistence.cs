using Proxy.Disk;

namespace Proxy.Prefetch.Jobs;

/// <summary>Restores the jobs of the previous process and saves changes.</summary>
public sealed class JobPersistence(JobRegistry registry, JobFile file, CacheFolder folder, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private long _written;

    /// <summary>Restores the jobs.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var job in await file.ReadAsync(cancellationToken)) registry.Restore(job);
        await base.StartAsync(cancellationToken);
    }

    /// <summary>Saves the jobs without cancelling them, so that the next process restarts them.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (folder.State.CanWrite && registry.Changes != Interlocked.Read(ref _written)) await WriteAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                if (folder.State.CanWrite && registry.Changes != Interlocked.Read(ref _written)) await WriteAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process is stopping.
        }
    }

    /// <summary>Saves the jobs now.</summary>
    /// <returns>False when they cannot be saved.</returns>
    public async Task<bool> SaveAsync(CancellationToken cancellation) => !folder.IsConfigured || await WriteAsync(cancellation);

    private async Task<bool> WriteAsync(CancellationToken cancellation)
    {
        var changes = registry.Changes;
        if (!await file.WriteAsync(registry.All.Select(handle => handle.Job), cancellation)) return false;
        Interlocked.Exchange(ref _written, changes);
        return true;
    }
}
