using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Operations;

namespace Proxy.Cache;

/// <summary>Logs once a minute how many entries each tier evicted because it was full, so that an operator can enlarge it.</summary>
/// <param name="memory">The memory tier.</param>
/// <param name="disk">The disk tier.</param>
/// <param name="time">The clock.</param>
/// <param name="log">The log.</param>
public sealed class EvictionLog(MemoryParts memory, DiskWriter disk, TimeProvider time, ILogger<EvictionLog> log) : BackgroundService
{
    /// <summary>The time between two messages about a tier.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        var (inMemory, onDisk) = (memory.Evictions, disk.Evictions);
        while (!stoppingToken.IsCancellationRequested)
        {
            Task tick = timer.WaitForNextTickAsync(stoppingToken).AsTask();
            await tick.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            inMemory = Write("memory", inMemory, memory.Evictions, "Cache:Memory:MaxBytes");
            onDisk = Write("disk", onDisk, disk.Evictions, "Cache:Disk:MaxBytes");
        }
    }

    private long Write(string tier, long before, long now, string key)
    {
        if (now > before) log.EntriesEvicted(tier, now - before, key);
        return now;
    }
}
