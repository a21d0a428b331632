using Proxy.Backends;
using Proxy.Backends.Health;
using Proxy.Operations;
using Proxy.Prefetch.Jobs;

namespace Proxy.Prefetch.Fetching;

/// <summary>Acquires fetch slots for jobs, and again after a client request has cancelled one.</summary>
public sealed class JobSlots(BackendScheduler scheduler, BackendStates states, Reloadable<PrefetchOptions> options, TimeProvider time)
{
    /// <summary>Whether the circuit of the backend is closed and no probe is due.</summary>
    public bool IsHealthy(string backend) => states.GetCircuit(backend) is { IsClosed: true, IsProbeDue: false };

    /// <summary>Why the backend is not asked now; null when it is.</summary>
    public BackendFailure? FindRefusal(string backend) => states.FindRefusal(backend);

    /// <summary>Runs work within a slot, again after a cancelled slot; null when the backend stays unavailable.</summary>
    public async Task<T?> RunAsync<T>(
        JobHandle job, string backend, FetchTarget target, Func<CancellationToken, Task<T>> work,
        CancellationToken cancellation) where T : class
    {
        while (await AcquireAsync(job, backend, target, cancellation) is { } slot)
        {
            using (slot)
            {
                try
                {
                    return await work(slot.Cancelled);
                }
                catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
                {
                    // A client request cancelled the slot.
                }
            }
        }
        return null;
    }

    /// <summary>Acquires a slot and reports the wait on the job; null when the backend stays unavailable.</summary>
    public async Task<BackendScheduler.FetchSlot?> AcquireAsync(
        JobHandle job, string backend, FetchTarget target, CancellationToken cancellation)
    {
        // Ends only the wait; a granted slot is cancelled with the job.
        using var waiting = new CancellationTokenSource();
        var acquiring = scheduler.AcquireAsync(
            backend, target, job.Job.Priority.ToFetchPriority(), job.Number, options.Value.MaxConcurrentRequests, waiting.Token,
            cancellation);
        for (var refused = TimeSpan.Zero; !acquiring.IsCompleted && !cancellation.IsCancellationRequested && refused < JobHandle.MaxWait;)
        {
            await Task.WhenAny(acquiring, Task.Delay(JobHandle.RecheckInterval, time, cancellation));
            if (acquiring.IsCompleted) break;
            var refusal = states.FindRefusal(backend);
            refused = refusal is null ? TimeSpan.Zero : refused + JobHandle.RecheckInterval;
            job.SetWaiting(refusal is null ? "waiting for a fetch slot" : $"backend '{backend}' is unavailable");
        }
        if (!acquiring.IsCompleted) await waiting.CancelAsync();
        try
        {
            return await acquiring;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return null;
        }
    }
}
