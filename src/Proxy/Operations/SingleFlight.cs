using System.Collections.Concurrent;

namespace Proxy.Operations;

/// <summary>Shares one run of an operation among concurrent callers with the same key; the last caller to leave cancels it.</summary>
/// <typeparam name="TKey">Identifies the operation.</typeparam>
/// <typeparam name="T">The result of the operation.</typeparam>
public sealed class SingleFlight<TKey, T> where TKey : notnull
{
    private readonly ConcurrentDictionary<TKey, Flight> _flights = new();

    /// <summary>Joins the running operation, or starts it.</summary>
    /// <returns>The result, and whether another caller started the operation.</returns>
    public async Task<(T Result, bool IsShared)> RunAsync(TKey key, Func<CancellationToken, Task<T>> work, CancellationToken cancellation)
    {
        while (true)
        {
            var flight = new Flight();
            var current = _flights.GetOrAdd(key, flight);
            if (!current.TryJoin())
            {
                _flights.TryRemove(new(key, current));
                continue;
            }
            if (current == flight) _ = RunFlightAsync(key, flight, work);
            try
            {
                return (await current.Completed.Task.WaitAsync(cancellation), current != flight);
            }
            finally
            {
                current.Leave();
            }
        }
    }

    /// <summary>Runs the work. The flight is over before its result is known: a caller that has one result never gets it again.</summary>
    private async Task RunFlightAsync(TKey key, Flight flight, Func<CancellationToken, Task<T>> work)
    {
        Action complete;
        try
        {
            var result = await work(flight.Stopped);
            complete = () => flight.Completed.TrySetResult(result);
        }
        catch (OperationCanceledException e)
        {
            complete = () => flight.Completed.TrySetCanceled(e.CancellationToken);
        }
        catch (Exception e)
        {
            complete = () =>
            {
                flight.Completed.TrySetException(e);
                _ = flight.Completed.Task.Exception;
            };
        }
        _flights.TryRemove(new(key, flight));
        complete();
    }

    private sealed class Flight
    {
        private readonly CancellationTokenSource _stop = new();
        private int _callers;

        public TaskCompletionSource<T> Completed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public CancellationToken Stopped => _stop.Token;

        /// <summary>False when the last caller has left: this flight is over.</summary>
        public bool TryJoin()
        {
            lock (_stop)
            {
                if (_callers < 0) return false;
                _callers++;
                return true;
            }
        }

        public void Leave()
        {
            lock (_stop)
            {
                if (--_callers > 0 || Completed.Task.IsCompleted) return;
                _callers = -1;
            }
            _stop.Cancel();
        }
    }
}
