using System.Collections.Concurrent;

namespace Proxy.Cache;

/// <summary>Runs one piece of work for all who want the same at the same time; it ends early when the last of them leaves.</summary>
public sealed class SingleFlight<TKey, T> where TKey : notnull
{
    private readonly ConcurrentDictionary<TKey, Flight> _flights = new();

    /// <summary>The result, and whether another's work gave it.</summary>
    public async Task<(T Result, bool IsShared)> RunAsync(TKey key, Func<CancellationToken, Task<T>> work, CancellationToken cancellation)
    {
        while (true)
        {
            var flight = new Flight();
            var current = _flights.GetOrAdd(key, flight);
            if (!current.TryBoard())
            {
                _flights.TryRemove(new(key, current));
                continue;
            }
            if (current == flight) _ = FlyAsync(key, flight, work);
            try
            {
                return (await current.Landed.Task.WaitAsync(cancellation), current != flight);
            }
            finally
            {
                current.Leave();
            }
        }
    }

    private async Task FlyAsync(TKey key, Flight flight, Func<CancellationToken, Task<T>> work)
    {
        try
        {
            flight.Landed.TrySetResult(await work(flight.Stopped));
        }
        catch (OperationCanceledException e)
        {
            flight.Landed.TrySetCanceled(e.CancellationToken);
        }
        catch (Exception e)
        {
            flight.Landed.TrySetException(e);
            _ = flight.Landed.Task.Exception;
        }
        finally
        {
            _flights.TryRemove(new(key, flight));
        }
    }

    private sealed class Flight
    {
        private readonly CancellationTokenSource _stop = new();
        private int _aboard;

        public TaskCompletionSource<T> Landed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public CancellationToken Stopped => _stop.Token;

        /// <summary>False when the last one left: that flight is over.</summary>
        public bool TryBoard()
        {
            lock (_stop)
            {
                if (_aboard < 0) return false;
                _aboard++;
                return true;
            }
        }

        public void Leave()
        {
            lock (_stop)
            {
                if (--_aboard > 0 || Landed.Task.IsCompleted) return;
                _aboard = -1;
            }
            _stop.Cancel();
        }
    }
}
