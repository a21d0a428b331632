using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Prefetch.Jobs;
using Proxy.Prefetch.Planning;
using Proxy.Retrieve;

namespace Proxy.Prefetch.Fetching;

/// <summary>
/// Fetches what a viewer loads of a study besides metadata: in viewing order, as far as the cache has room and the job's
/// limits go.
/// </summary>
/// <remarks>Frame by frame, or a whole series in one answer where the backend was found to give that faster.</remarks>
public sealed class PixelFetch(
    JobSlots scheduler, BackendSet backends, BodyReader bodies, BulkDataReader bulkData, WholeSeries wholeSeries,
    ThroughputEstimator throughput, EntryCache cache,
    Reloadable<PrefetchOptions> options, TimeProvider time)
{
    /// <summary>How often one frame is asked for again when its backend fails.</summary>
    private const int MostAttempts = 3;

    /// <summary>Bodies that are being fetched, for which there has to be room, too.</summary>
    private int _underWay;

    internal async Task RunAsync(JobHandle job, IReadOnlyList<Backlog.Part> parts, CancellationToken cancellation)
    {
        var backlog = new Backlog(time);
        foreach (var part in parts) await AddAsync(job, backlog, part, cancellation);
        await Task.WhenAll(Enumerable.Range(0, options.Value.MaxConcurrentRequests).Select(_ => FetchAllAsync(job, backlog, cancellation)));
    }

    /// <summary>Puts what is to be fetched of a series on the list; what is kept is done.</summary>
    private async Task AddAsync(JobHandle job, Backlog backlog, Backlog.Part part, CancellationToken cancellation)
    {
        for (var at = 0; at < part.Items.Length; at++)
        {
            if (!await IsKeptAsync(part, part.Items[at], cancellation)) continue;
            part.Skip(at);
            Finish(job, backlog, part, at, bytes: null, wasCached: true);
        }
        backlog.Add(part);
    }

    private async ValueTask<bool> IsKeptAsync(Backlog.Part part, FetchItem item, CancellationToken cancellation)
    {
        if (item.BulkData is { } place)
            return backends.Find(part.Backend) is { } backend && await bulkData.IsCachedAsync(backend, place, cancellation);
        var path = new InstancePath(part.Path.Study, part.Path.Series, item.Instance);
        return await bodies.IsCachedAsync(part.Backend, path, item.Frame, isCut: !item.IsKeptAlone, cancellation);
    }

    private async Task FetchAllAsync(JobHandle job, Backlog backlog, CancellationToken cancellation)
    {
        while (backlog.Choose(job.Focus) is { } part)
        {
            if (job.Job.Bytes.Done >= options.Value.MaxBytes)
            {
                job.Update(j => j.With(new(part.Path.Study, null, $"the limit of {options.Value.MaxBytes} bytes of one job")));
                return;
            }
            if (backends.Find(part.Backend) is not { } backend || !await HasRoomAsync(job, part, cancellation)
                || await scheduler.TakeAsync(job, part.Backend, new(part.Path.Study, part.Path.Series), cancellation) is not { } slot)
            {
                backlog.Drop(part.Backend);
                continue;
            }
            using (slot)
            {
                // Who reads ahead of a viewer meets him frame by frame.
                if (job.Job.Reason != PrefetchReason.ReadAhead && throughput.PrefersWholeSeries(part.Backend)
                    && cache.HasRoomForPrefetched(job.Job.MeanBytes * part.Items.Length) && backlog.TakeWhole(part) is { } all)
                    await FetchWholeAsync(job, backlog, part, all, backend, slot, cancellation);
                else if (backlog.Take(part, job.Focus) is { } at) await FetchAsync(job, backlog, part, at, backend, slot, cancellation);
            }
        }
    }

    private async Task FetchAsync(
        JobHandle job, Backlog backlog, Backlog.Part part, int at, BackendOptions backend, BackendScheduler.FetchSlot slot,
        CancellationToken cancellation)
    {
        var item = part.Items[at];
        BackendAnswer<long> answer;
        Interlocked.Increment(ref _underWay);
        try
        {
            answer = item.BulkData is { } place
                ? await bulkData.PrefetchAsync(backend, place, slot.Stopped)
                : await bodies.PrefetchAsync(backend, new(part.Path.Study, part.Path.Series, item.Instance), item.Frame, slot.Stopped);
        }
        catch (OperationCanceledException)
        {
            backlog.PutBack(part, at);
            cancellation.ThrowIfCancellationRequested();
            return;
        }
        finally
        {
            Interlocked.Decrement(ref _underWay);
        }
        if (!answer.IsFound)
        {
            // The backend may be down: a probe decides, and the next turn waits for that.
            if (answer.Failure is { IsOutage: true } && !scheduler.IsWell(part.Backend))
            {
                backlog.PutBack(part, at);
                return;
            }
            if (answer.Failure is { Error: not (BackendError.NotGiven or BackendError.NotInThisForm) }
                && backlog.CountAttempt(part, at) < MostAttempts)
            {
                backlog.PutBack(part, at);
                return;
            }
            var series = $"series/{part.Path.Series}";
            var below = item.BulkData is not null ? "/bulkdata" : item.Frame is { } frame ? $"/frames/{frame}" : "";
            var reason = answer.Failure?.Detail ?? "the backend does not have it";
            job.Update(j => j.With(new(part.Path.Study, $"{series}/instances/{item.Instance}{below}", reason)));
            if (backlog.CountFailure(part))
                job.Update(j => j.With(new(part.Path.Study, series, $"given up after {Backlog.MostFailures} failures in a row")));
        }
        Finish(job, backlog, part, at, answer.IsFound ? answer.Value : null);
    }

    private async Task FetchWholeAsync(
        JobHandle job, Backlog backlog, Backlog.Part part, IReadOnlyList<int> all, BackendOptions backend, BackendScheduler.FetchSlot slot,
        CancellationToken cancellation)
    {
        var left = all.GroupBy(at => part.Items[at].Instance).ToDictionary(instance => instance.Key, instance => instance.ToList());
        try
        {
            await wholeSeries.PrefetchAsync(backend, part.Path, Came, slot.Stopped);
            if (left.Count > 0) throughput.NoteRefusesWholeSeries(part.Backend);
        }
        catch (OperationCanceledException)
        {
            cancellation.ThrowIfCancellationRequested();
        }
        finally
        {
            // What did not come so is fetched frame by frame.
            foreach (var at in left.Values.SelectMany(items => items)) backlog.PutBack(part, at);
        }

        void Came(Uid instance, long bytes)
        {
            if (!left.Remove(instance, out var items)) return;
            foreach (var at in items) Finish(job, backlog, part, at, bytes / items.Count);
        }
    }

    private void Finish(JobHandle job, Backlog backlog, Backlog.Part part, int at, long? bytes, bool wasCached = false)
    {
        var finished = backlog.Finish(part, at, bytes);
        if (finished.Bytes is { } whole) throughput.Note(part.Backend, part.IsWhole, whole, finished.Elapsed);
        job.Update(j => j.WithItem(part.Items[at].Frame is not null, bytes, wasCached) with
        {
            Instances = j.Instances.Add(finished.IsInstanceDone ? 1 : 0),
            Series = j.Series.Add(finished.IsSeriesDone ? 1 : 0),
            Waiting = null,
        });
    }

    private async Task<bool> HasRoomAsync(JobHandle job, Backlog.Part part, CancellationToken cancellation)
    {
        for (var waited = TimeSpan.Zero; !cache.HasRoomForPrefetched(
            job.Job.MeanBytes * (Volatile.Read(ref _underWay) + 1)); waited += JobHandle.RecheckInterval)
        {
            if (job.Job.Reason == PrefetchReason.ReadAhead || waited >= JobHandle.Patience)
            {
                job.Update(
                    j => j.With(new(part.Path.Study, $"series/{part.Path.Series}", "the cache has no room for what nobody asked for")));
                return false;
            }
            job.Wait("the cache has no room");
            await Task.Delay(JobHandle.RecheckInterval, time, cancellation);
        }
        return true;
    }
}
