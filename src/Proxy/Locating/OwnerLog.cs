using Proxy.Events;
using Proxy.Operations;

namespace Proxy.Locating;

/// <summary>Logs each change of the backend that a series is read from.</summary>
/// <param name="events">The events of the metadata store.</param>
/// <param name="log">The log.</param>
internal sealed class OwnerLog(EventLog events, ILogger<OwnerLog> log) : IHostedService, IDisposable
{
    private IDisposable? _subscription;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _subscription = events.Subscribe(
            ProxyEvent.SeriesMoved, moved => log.SeriesMoved(moved.Backend!, moved.More["from"].GetString()!));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        Dispose();
        return Task.CompletedTask;
    }

    public void Dispose() => _subscription?.Dispose();
}
