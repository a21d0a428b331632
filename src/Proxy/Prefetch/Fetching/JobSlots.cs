using Proxy.Backends;
using Proxy.Backends.Health;
using Proxy.Operations;
using Proxy.Prefetch.Jobs;

namespace Proxy.Prefetch.Fetching;

/// <summary>Turns for jobs: taken again when one was broken off, because a client waits for something else.</summary>
public sealed class JobSlots(BackendScheduler scheduler, BackendStates states, Reloadable<PrefetchOptions> options, TimeProvider time)
{
    /// <summary>Whether the backend is neither down nor waiting for a probe to decide that.</summary>
    public bool IsWell(string backend) => states.GetCircuit(backend) is { IsClosed: true, IsProbeDue: false };

    /// <summary>Does something in a turn, and again when it was broken off; null when the backend is not asked for long.</summary>
    public async Task<T?> RunAsync<T>(
        JobHandle job, string backend, FetchTarget target, Func<CancellationToken, Task<T>> work,
        CancellationToken cancellation) where T : class
    {
        while (await TakeAsync(job, backend, target, cancellation) is { } slot)
        {
            using (slot)
            {
                try
                {
                    return await work(slot.Stopped);
                }
                catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
                {
                    // A client came first.
                }
            }
        }
        return null;
    }

    /// <summary>A turn on a backend; null when it is not asked for long. The job says meanwhile what it waits for.</summary>
    public async Task<BackendScheduler.FetchSlot?> TakeAsync(
        JobHandle job, string backend, FetchTarget target, CancellationToken cancellation)
    {
        // It ends the waiting alone: the turn itself is stopped with the job.
        using var patience = new CancellationTokenSource();
        var taking = scheduler.AcquireAsync(
            backend, target, job.Job.Priority, job.Number, options.Value.MaxConcurrentRequests, patience.Token, cancellation);
        for (var refused = TimeSpan.Zero; !taking.IsCompleted && !cancellation.IsCancellationRequested && refused < JobHandle.Patience;)
        {
            await Task.WhenAny(taking, Task.Delay(JobHandle.RecheckInterval, time, cancellation));
            if (taking.IsCompleted) break;
            var refusal = states.FindRefusal(backend);
            refused = refusal is null ? TimeSpan.Zero : refused + JobHandle.RecheckInterval;
            job.Wait(refusal is null ? "its turn" : $"{backend} is not asked now");
        }
        if (!taking.IsCompleted) await patience.CancelAsync();
        try
        {
            return await taking;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return null;
        }
    }
}
