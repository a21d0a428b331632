using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Prefetch.Jobs;
using Proxy.Retrieve;

namespace Proxy.Prefetch.Fetching;

/// <summary>
/// Fetches the frames, whole instances and bulk data of a study, in viewing order, within the limits of the job and the free
/// cache space.
/// </summary>
/// <remarks>
/// Read-ahead fetches single frames, to follow the viewer. Other jobs fetch a whole series in one request, or a large instance with
/// many frames, unless the backend cannot give them.
/// </remarks>
public sealed class PixelFetch(
    JobSlots slots, BackendSet backends, ItemFetch items, ThroughputEstimator throughput, EntryCache cache,
    Reloadable<PrefetchOptions> options, TimeProvider time)
{
    /// <summary>The most attempts to fetch an item.</summary>
    private const int MaxAttempts = 3;

    /// <summary>The wait for the viewer's first frame request; without one, read-ahead fetches no pixels.</summary>
    private static readonly TimeSpan ViewportTimeout = TimeSpan.FromSeconds(30);

    /// <summary>The number of bodies in flight, which need cache space, too.</summary>
    private int _inFlight;

    internal async Task RunAsync(JobHandle job, IReadOnlyList<Backlog.SeriesBacklog> parts, CancellationToken cancellation)
    {
        if (job.Job.Reason == PrefetchReason.ReadAhead && !await IsViewedAsync(job, cancellation)) return;
        var backlog = new Backlog(time);
        foreach (var part in parts) await AddAsync(job, backlog, part, cancellation);
        await Task.WhenAll(Enumerable.Range(0, options.Value.MaxConcurrentRequests).Select(_ => FetchAllAsync(job, backlog, cancellation)));
    }

    /// <summary>Adds a series to the backlog; cached items count as completed.</summary>
    private async Task AddAsync(JobHandle job, Backlog backlog, Backlog.SeriesBacklog part, CancellationToken cancellation)
    {
        for (var at = 0; at < part.Items.Length && backends.Find(part.Backend) is { } backend; at++)
        {
            if (!await items.IsCachedAsync(backend, part.Path, part.Items[at], cancellation)) continue;
            part.Skip(at);
            Finish(job, backlog, part, at, bytes: null, wasCached: true);
        }
        backlog.Add(part);
    }

    private async Task<bool> IsViewedAsync(JobHandle job, CancellationToken cancellation)
    {
        await Task.WhenAny(job.Viewport.FirstFrame, Task.Delay(ViewportTimeout, time, cancellation));
        cancellation.ThrowIfCancellationRequested();
        return job.Viewport.FirstFrame.IsCompleted;
    }

    private async Task FetchAllAsync(JobHandle job, Backlog backlog, CancellationToken cancellation)
    {
        while (backlog.Choose(job.Viewport) is { } part)
        {
            if (job.Job.Bytes.Done >= options.Value.MaxBytes)
            {
                job.Update(j => j.With(new(part.Path.Study, null, $"reached the limit of {options.Value.MaxBytes} bytes per job")));
                return;
            }
            if (backends.Find(part.Backend) is not { } backend || !await HasRoomAsync(job, part, cancellation)
                || await slots.AcquireAsync(job, part.Backend, new(part.Path.Study, part.Path.Series), cancellation) is not { } slot)
            {
                backlog.Drop(part.Backend);
                continue;
            }
            using (slot)
            {
                if (await FetchManyAsync(job, backlog, part, backend, slot, cancellation)) continue;
                if (backlog.Take(part, job.Viewport) is { } at) await FetchAsync(job, backlog, part, at, backend, slot, cancellation);
            }
        }
    }

    /// <summary>Fetches the waiting frames of a series or of its next instance in one request; false when single frames are due.</summary>
    private async Task<bool> FetchManyAsync(
        JobHandle job, Backlog backlog, Backlog.SeriesBacklog part, BackendOptions backend, BackendScheduler.FetchSlot slot,
        CancellationToken cancellation)
    {
        if (job.Job.Reason == PrefetchReason.ReadAhead) return false;
        var waiting = Math.Max(backlog.GetWaitingBytes(part), job.Job.MeanBytes * part.Items.Length);
        var hasRoom = cache.HasRoomForPrefetched(waiting) && job.Job.Bytes.Done + waiting <= options.Value.MaxBytes;
        if (hasRoom && throughput.PrefersWholeSeries(part.Backend)
            && backlog.TakeWhole(part, WholeSeries.MaxInstanceBytes) is { } all)
        {
            await FetchWholeAsync(job, backlog, part, all, backend, slot, cancellation);
            return true;
        }
        if (!hasRoom || !throughput.PrefersWholeInstances(part.Backend) || backlog.TakeInstance(part) is not { } frames) return false;
        await FetchInstanceAsync(job, backlog, part, frames, backend, slot, cancellation);
        return true;
    }

    private async Task FetchAsync(
        JobHandle job, Backlog backlog, Backlog.SeriesBacklog part, int at, BackendOptions backend, BackendScheduler.FetchSlot slot,
        CancellationToken cancellation)
    {
        var item = part.Items[at];
        BackendAnswer<long> answer;
        Interlocked.Increment(ref _inFlight);
        try
        {
            answer = await items.FetchAsync(backend, part.Path, item, slot.Cancelled);
        }
        catch (OperationCanceledException)
        {
            backlog.PutBack(part, at);
            cancellation.ThrowIfCancellationRequested();
            return;
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
        }
        if (!answer.IsFound)
        {
            // The backend may be down: a probe decides, and the next slot waits for it.
            if (answer.Failure is { IsOutage: true } && !slots.IsHealthy(part.Backend))
            {
                backlog.PutBack(part, at);
                return;
            }
            if (answer.Failure is { Error: not (BackendError.NotGiven or BackendError.NotInThisForm) }
                && backlog.CountAttempt(part, at) < MaxAttempts)
            {
                backlog.PutBack(part, at);
                return;
            }
            var series = $"series/{part.Path.Series}";
            var below = item.BulkData is not null ? "/bulkdata" : item.Frame is { } frame ? $"/frames/{frame}" : "";
            var reason = answer.Failure?.Detail ?? "the backend does not have it";
            job.Update(j => j.With(new(part.Path.Study, $"{series}/instances/{item.Instance}{below}", reason)));
            if (backlog.CountFailure(part))
                job.Update(j => j.With(new(part.Path.Study, series, $"skipped the rest after {Backlog.MaxFailures} consecutive failures")));
        }
        Finish(job, backlog, part, at, answer.IsFound ? answer.Value : null);
    }

    private async Task FetchWholeAsync(
        JobHandle job, Backlog backlog, Backlog.SeriesBacklog part, IReadOnlyList<int> all, BackendOptions backend,
        BackendScheduler.FetchSlot slot, CancellationToken cancellation)
    {
        var remaining = all.GroupBy(at => part.Items[at].Instance).ToDictionary(instance => instance.Key, instance => instance.ToList());
        var wanted = remaining.Count;
        try
        {
            var answer = await items.FetchAllAsync(backend, part.Path, remaining.ContainsKey, FinishInstance, slot.Cancelled);
            // An outage says nothing about the request; what did not arrive is fetched later.
            if (answer.Failure is not { IsOutage: true } && 2 * remaining.Count > wanted) throughput.NoteRefusesWholeSeries(part.Backend);
        }
        catch (OperationCanceledException)
        {
            cancellation.ThrowIfCancellationRequested();
        }
        finally
        {
            foreach (var at in remaining.Values.SelectMany(missing => missing)) backlog.PutBack(part, at);
        }

        void FinishInstance(Uid instance, long bytes)
        {
            if (!remaining.Remove(instance, out var done)) return;
            foreach (var at in done) Finish(job, backlog, part, at, bytes / done.Count);
        }
    }

    /// <summary>Fetches an instance, out of which its frames are cut; those that cannot be cut are put back.</summary>
    private async Task FetchInstanceAsync(
        JobHandle job, Backlog backlog, Backlog.SeriesBacklog part, IReadOnlyList<int> frames, BackendOptions backend,
        BackendScheduler.FetchSlot slot, CancellationToken cancellation)
    {
        var remaining = new Queue<int>(frames);
        Interlocked.Increment(ref _inFlight);
        try
        {
            var answer = await items.FetchFileAsync(backend, part.Path, part.Items[frames[0]].Instance, slot.Cancelled);
            while (answer.IsFound && remaining.TryPeek(out var at)
                && await items.IsCachedAsync(backend, part.Path, part.Items[at], cancellation))
            {
                items.Transcode(backend, part.Path, part.Items[at]);
                Finish(job, backlog, part, remaining.Dequeue(), answer.Value / frames.Count);
            }
            if (remaining.Count > 0 && answer.Failure is not { IsOutage: true }) throughput.NoteRefusesInstances(part.Backend);
        }
        catch (OperationCanceledException)
        {
            cancellation.ThrowIfCancellationRequested();
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
            foreach (var at in remaining) backlog.PutBack(part, at);
        }
    }

    private void Finish(JobHandle job, Backlog backlog, Backlog.SeriesBacklog part, int at, long? bytes, bool wasCached = false)
    {
        var finished = backlog.Finish(part, at, bytes);
        // Each instance that is large enough for one request has one such frame.
        if (!wasCached && part.Items[at].Frame == Backlog.MinFrames) throughput.NoteInstance(part.Backend);
        if (finished.Bytes is { } whole) throughput.Note(part.Backend, part.IsWhole, whole, finished.Elapsed);
        job.Update(j => j.WithItem(part.Items[at].Frame is not null, bytes, wasCached) with
        {
            Instances = j.Instances.Add(finished.IsInstanceDone ? 1 : 0),
            Series = j.Series.Add(finished.IsSeriesDone ? 1 : 0),
            Waiting = null,
        });
    }

    private async Task<bool> HasRoomAsync(JobHandle job, Backlog.SeriesBacklog part, CancellationToken cancellation)
    {
        for (var waited = TimeSpan.Zero; !HasRoom(); waited += JobHandle.RecheckInterval)
        {
            if (job.Job.Reason == PrefetchReason.ReadAhead || waited >= JobHandle.MaxWait)
            {
                var error = new JobError(part.Path.Study, $"series/{part.Path.Series}", "not enough free cache for prefetching");
                job.Update(j => j.With(error));
                return false;
            }
            job.SetWaiting("waiting for free cache space");
            await Task.Delay(JobHandle.RecheckInterval, time, cancellation);
        }
        return true;

        bool HasRoom() => cache.HasRoomForPrefetched(job.Job.MeanBytes * (Volatile.Read(ref _inFlight) + 1));
    }
}
