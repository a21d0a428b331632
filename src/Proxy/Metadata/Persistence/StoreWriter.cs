using System.Threading.Channels;
using Proxy.Disk;

namespace Proxy.Metadata.Persistence;

/// <summary>Writes the changes of the store about every second, and the last ones at an orderly shutdown.</summary>
/// <remarks>A killed process loses the last second, which is requested from the backends again.</remarks>
public sealed class StoreWriter(DicomMetadataStore store, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>Uses without a change are written once in this number of rounds.</summary>
    private const int RoundsPerUses = 300;

    /// <summary>Signals that memory is full; pending signals are merged.</summary>
    private readonly Channel<bool> _full = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Reads the index before the first request, if the disk answers in time.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        store.Full = () => _full.Writer.TryWrite(true);
        await Task.WhenAny(store.FlushAsync(), Task.Delay(CacheFolder.Timeout, TimeProvider.System, cancellationToken));
        await base.StartAsync(cancellationToken);
    }

    /// <summary>Writes the last changes, if the disk answers in time.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        // The host's token ends the wait when the disk does not answer.
        await store.FlushAsync(withUses: true).WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(WriteAsync(stoppingToken), ShrinkAsync(stoppingToken));

    private async Task ShrinkAsync(CancellationToken stopping)
    {
        try
        {
            await foreach (var _ in _full.Reader.ReadAllAsync(stopping)) await store.ShrinkAsync();
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Shutdown.
        }
    }

    private async Task WriteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            for (var round = 1; await timer.WaitForNextTickAsync(stoppingToken); round++)
                await store.FlushAsync(withUses: round % RoundsPerUses == 0);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Shutdown.
        }
    }
}
