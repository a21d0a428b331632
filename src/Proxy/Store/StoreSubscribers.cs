using System.Collections.Immutable;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Store;

/// <summary>Who hears of additions, by the name of the event.</summary>
/// <param name="log">Where a subscriber's exception goes.</param>
internal sealed class StoreSubscribers(ILogger log)
{
    private ImmutableArray<(string Name, Action<StoreEvent> Handler)> _all = [];

    public IDisposable Add(string name, Action<StoreEvent> handler)
    {
        var subscriber = (name, handler);
        ImmutableInterlocked.Update(ref _all, (all, one) => all.Add(one), subscriber);
        return new Subscription(() => ImmutableInterlocked.Update(ref _all, (all, one) => all.Remove(one), subscriber));
    }

    public void Fire(string name, Uid study, Uid? series, string backend, IEnumerable<Uid> added)
    {
        var uids = added.ToImmutableArray();
        if (uids.IsEmpty) return;
        var storeEvent = new StoreEvent(name, study, series, backend, uids);
        foreach (var subscriber in _all)
        {
            if (subscriber.Name != name) continue;
            try
            {
                subscriber.Handler(storeEvent);
            }
            catch (Exception e)
            {
                log.SubscriberFailed(e, name);
            }
        }
    }

    private sealed class Subscription(Action dispose) : IDisposable
    {
        private Action? _dispose = dispose;

        public void Dispose() => Interlocked.Exchange(ref _dispose, null)?.Invoke();
    }
}
