using Proxy.Disk;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Cache;

/// <summary>Deletes bodies and studies that are older than <c>Cache:MaxAge</c>, at the start and then at intervals.</summary>
/// <remarks>
/// A body is as old as its fetch; on disk a series is deleted with its oldest body. A study is as old as the last answer of a backend that
/// confirmed it. Between two rounds an older body is not served.
/// </remarks>
public sealed class Expiry(EntryCache entries, DicomMetadataStore store, Reloadable<CacheOptions> options, TimeProvider time)
    : BackgroundService
{
    /// <summary>The time between two rounds.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(10);

    /// <summary>Runs the first round before the first request, if the disk answers in time.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await Task.WhenAny(RunAsync(cancellationToken), Task.Delay(CacheFolder.Timeout, TimeProvider.System, cancellationToken));
        await base.StartAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) await RunAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Shutdown.
        }
    }

    private async Task RunAsync(CancellationToken cancellation)
    {
        if (options.Value.MaxAge == TimeSpan.Zero) return;
        var before = time.GetUtcNow() - options.Value.MaxAge;
        entries.Expire(before);
        await store.RemoveUnconfirmedAsync(before, cancellation);
    }
}
