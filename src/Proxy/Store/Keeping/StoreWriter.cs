namespace Proxy.Store.Keeping;

/// <summary>Writes what changed in the store about every second, and the last of it when the process ends in order.</summary>
/// <remarks>A process that is killed loses that second, which is only asked for again.</remarks>
public sealed class StoreWriter(DicomMetadataStore store, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);

    /// <summary>What was only looked at is noted as often as this, in rounds.</summary>
    private const int UsesEvery = 300;

    /// <summary>Looks into the file before the first request does.</summary>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        store.Flush();
        return base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        // A disk that does not answer is not waited for.
        await Task.Run(() => store.Flush(withUses: true), CancellationToken.None).WaitAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
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
