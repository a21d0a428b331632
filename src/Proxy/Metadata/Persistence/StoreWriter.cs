using System.Threading.Channels;
using Proxy.Disk;

namespace Proxy.Metadata.Persistence;

/// <summary>Writes what changed in the store about every second, and the last of it when the process ends in order.</summary>
/// <remarks>A process that is killed loses that second, which is only asked for again.</remarks>
public sealed class StoreWriter(DicomMetadataStore store, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);

    /// <summary>What was only looked at is noted as often as this, in rounds.</summary>
    private const int UsesEvery = 300;

    /// <summary>Whether memory is full; many notes are one.</summary>
    private readonly Channel<bool> _full = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Looks into the file before the first request does, as far as the disk answers.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        store.Full = () => _full.Writer.TryWrite(true);
        await Task.WhenAny(
            Task.Run(() => store.Flush(), CancellationToken.None),
            Task.Delay(CacheFolder.Patience, TimeProvider.System, cancellationToken));
        await base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        // A disk that does not answer is not waited for.
        await Task.Run(() => store.Flush(withUses: true), CancellationToken.None).WaitAsync(cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(WriteAsync(stoppingToken), ShrinkAsync(stoppingToken));

    private async Task ShrinkAsync(CancellationToken stopping)
    {
        try
        {
            await foreach (var _ in _full.Reader.ReadAllAsync(stopping)) store.Shrink();
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    private async Task WriteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, time);
        try
        {
            for (var round = 1; await timer.WaitForNextTickAsync(stoppingToken); round++) store.Flush(withUses: round % UsesEvery == 0);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }
}
