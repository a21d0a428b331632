using Proxy.Operations;

namespace Proxy.Events;

/// <summary>A reader inside the process. A handler that is slow or throws does not affect other readers.</summary>
internal sealed class Subscription : IDisposable
{
    private readonly CancellationTokenSource _ended = new();
    private readonly string _name;
    private readonly Action<ProxyEvent> _handler;
    private readonly ILogger _log;

    /// <summary>Starts reading in the background.</summary>
    public Subscription(string name, Action<ProxyEvent> handler, EventReader reader, ILogger log)
    {
        _name = name;
        _handler = handler;
        _log = log;
        _ = Task.Run(() => ReadAsync(reader, _ended.Token));
    }

    /// <summary>Stops reading.</summary>
    public void Dispose() => _ended.Cancel();

    private async Task ReadAsync(EventReader reader, CancellationToken ended)
    {
        while (!ended.IsCancellationRequested)
        {
            var news = reader.News;
            while (!ended.IsCancellationRequested && reader.Read() is { Event: { } read })
            {
                if (read.Name == ProxyEvent.Gap) _log.SubscriberTooSlow(_name, read.More["lost"].GetInt64());
                else if (read.Name == _name) Handle(read);
            }
            await news.WaitAsync(ended).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Handle(ProxyEvent read)
    {
        try
        {
            _handler(read);
        }
        catch (Exception e)
        {
            _log.SubscriberFailed(e, _name);
        }
    }
}
