using System.Buffers;
using Proxy.Backends;
using Proxy.Backends.Health;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Prefetch.Planning;
using Proxy.Retrieve;
using Proxy.Search;
using Proxy.Store;
using Proxy.Wire;

namespace Proxy.Prefetch.Jobs;

/// <summary>Fetches one study of a job, each thing in a turn of its own.</summary>
/// <remarks>
/// <code>
/// 1 lists      what each backend has of the study; one that cannot say is named
/// 2 metadata   of every series, from its owner
/// 3 pixels     what a viewer loads, in viewing order; what is kept already is not fetched. Frame by frame, or the
///              whole series in one answer where the backend was found to give that faster
/// </code>
/// A turn that is broken off, because a client waits for something else, is taken again later. Nothing is fetched while
/// the cache has no room for it, or beyond the job's limits.
/// </remarks>
public sealed class StudyFetch(
    Turns turns, BackendSet backends, BackendStates states, SeriesListReader lists, SeriesReader seriesReader, BodyReader bodies, WholeSeries wholeSeries, Paces paces, EntryCache cache, DicomMetadataStore store,
    Reloadable<PrefetchOptions> options, TimeProvider time)
{
    /// <summary>How often one frame is asked for again when its backend fails.</summary>
    private const int MostAttempts = 3;

    /// <summary>How long a job waits for a backend that is not asked, and for room.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    /// <summary>Once one backend has named the series of an open study, how long the others' are waited for.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    /// <summary>A viewer that has the metadata asks for pixels within this time, or not at all.</summary>
    private static readonly TimeSpan LookPatience = TimeSpan.FromSeconds(30);

    /// <summary>Bodies that are being fetched, for which there has to be room, too.</summary>
    private int _underWay;

    public async Task RunAsync(JobHolder job, Uid study, CancellationToken cancellation)
    {
        var root = job.Job.Root;
        var scope = root.Length == 0 ? backends.AsOne : new BackendScope(root, backends.Find(root) is { } only ? [only] : []);
        // 1
        var failures = await LocateAsync(job, scope, study, cancellation);
        var known = store.GetStudy(study);
        var series = PrefetchPlan.InViewingOrder(UidsOf(known, scope).Select(uid => seriesReader.HoldersOf(known, scope, uid).First().FindSeries(uid)!));
        if (series.IsEmpty && failures.Count == 0) job.Update(j => j.With(new(study, null, "no backend holds it")));
        foreach (var failure in failures) job.Update(j => j.With(new(study, null, $"{failure.Backend}: {failure.Detail}")));

        // 2
        job.Update(j => j with { Series = j.Series.Add(0, series.Length) });
        var parts = await Task.WhenAll(series.Select(one => ReadMetadataAsync(job, scope, new(study, one.Uid), cancellation)));

        // 3
        if (job.Job.Why == Why.ReadAhead && !await IsLookedAtAsync(job, cancellation)) return;
        var backlog = new Backlog(time);
        foreach (var part in parts.OfType<Backlog.Part>()) await AddAsync(job, backlog, part, cancellation);
        await Task.WhenAll(Enumerable.Range(0, options.Value.MaxConcurrentRequests).Select(_ => FetchPixelsAsync(job, backlog, cancellation)));
    }

    // 1
    private async Task<IReadOnlyList<BackendFailure>> LocateAsync(JobHolder job, BackendScope scope, Uid study, CancellationToken cancellation)
    {
        var asking = scope.Backends.Select(backend => LocateAsync(job, backend, study, cancellation)).ToList();
        var all = Task.WhenAll(asking);
        if (job.Job.Why != Why.ReadAhead) return [.. (await all).OfType<BackendFailure>()];
        while (!all.IsCompleted && UidsOf(store.GetStudy(study), scope).Count == 0) await Task.WhenAny([all, .. asking.Where(a => !a.IsCompleted)]);
        await Task.WhenAny(all, Task.Delay(Grace, time, cancellation));
        cancellation.ThrowIfCancellationRequested();
        return [.. asking.Where(a => a.IsCompletedSuccessfully).Select(a => a.Result).OfType<BackendFailure>()];
    }

    private async Task<BackendFailure?> LocateAsync(JobHolder job, BackendOptions backend, Uid study, CancellationToken cancellation)
    {
        if (lists.IsKnown(backend, study)) return null;
        if (states.FindRefusal(backend.Name) is { } refusal) return refusal;
        var places = await InTurnAsync(
            job, backend.Name, new(study), stopped => lists.LocateAsync(new(backend.Name, [backend]), study, isHurried: false, asksAnew: false, stopped, isAhead: true), cancellation);
        return places is null ? states.FindRefusal(backend.Name) : places.Failures is [var first, ..] ? first : null;
    }

    // 2
    private async Task<Backlog.Part?> ReadMetadataAsync(JobHolder job, BackendScope scope, SeriesPath path, CancellationToken cancellation)
    {
        if (seriesReader.HoldersOf(store.GetStudy(path.Study), scope, path.Series).FirstOrDefault() is not { } owner) return null;
        var result = seriesReader.FindFresh(scope, path) ?? await InTurnAsync(job, owner.Backend, new(path.Study), stopped => seriesReader.ReadAheadAsync(scope, path, stopped), cancellation);
        if (result?.Metadata is not { } metadata)
        {
            job.Update(j => j.With(new(path.Study, $"series/{path.Series}", result?.Failures is [var failure, ..] ? failure.Detail : "its backend is not asked now")));
            return null;
        }
        if (job.Job.Instances.Total + metadata.Count > options.Value.MaxInstances)
        {
            job.Update(j => j.With(new(path.Study, $"series/{path.Series}", $"more than the {options.Value.MaxInstances} instances of one job")));
            return null;
        }
        var items = PrefetchPlan.ItemsOf(await ReadAsync(metadata, cancellation));
        var others = metadata.Count - items.Select(item => item.Instance).Distinct().Count();
        job.Update(j => j with
        {
            Series = items.IsEmpty ? j.Series.Add(1) : j.Series,
            Instances = j.Instances.Add(others, metadata.Count),
            Frames = j.Frames.Add(0, items.Length),
        });
        return items.IsEmpty ? null : new(path, result.Backend, items);
    }

    private static async Task<List<(Uid, Dataset)>> ReadAsync(PackedInstances metadata, CancellationToken cancellation)
    {
        var instances = new List<(Uid, Dataset)>(metadata.Count);
        foreach (var piece in metadata.ReadText())
        {
            var text = new ArrayBufferWriter<byte>(piece.Length + 2);
            text.Write("["u8);
            DicomJsonWriter.Write(text, piece.Span.Trim(","u8), root: []);
            text.Write("]"u8);
            using var stream = new MemoryStream(text.WrittenSpan.ToArray());
            await foreach (var dataset in DicomJsonReader.ReadAsync(stream, cancellation))
            {
                if (dataset.FindUid(Tag.SopInstanceUid) is { } uid) instances.Add((uid, dataset));
            }
        }
        return instances;
    }

    // 3
    private async Task<bool> IsLookedAtAsync(JobHolder job, CancellationToken cancellation)
    {
        await Task.WhenAny(job.Focus.First, Task.Delay(LookPatience, time, cancellation));
        return job.Focus.First.IsCompleted;
    }

    /// <summary>Puts what is to be fetched of a series on the list; what is kept is done.</summary>
    private async Task AddAsync(JobHolder job, Backlog backlog, Backlog.Part part, CancellationToken cancellation)
    {
        for (var at = 0; at < part.Items.Length; at++)
        {
            var (instance, frame) = part.Items[at];
            if (!await bodies.IsKeptAsync(part.Backend, new(part.Path.Study, part.Path.Series, instance), frame, cancellation)) continue;
            part.Skip(at);
            Finish(job, backlog, part, at, bytes: null);
        }
        backlog.Add(part);
    }

    private async Task FetchPixelsAsync(JobHolder job, Backlog backlog, CancellationToken cancellation)
    {
        while (backlog.Choose(job.Focus) is { } part)
        {
            if (job.Job.Bytes.Done >= options.Value.MaxBytes)
            {
                job.Update(j => j.Errors.Any(e => e.Reason.StartsWith("the limit", StringComparison.Ordinal)) ? j : j.With(new(part.Path.Study, null, $"the limit of {options.Value.MaxBytes} bytes of one job")));
                return;
            }
            if (backends.Find(part.Backend) is not { } backend || !await HasRoomAsync(job, part, cancellation) || await TakeTurnAsync(job, part.Backend, new(part.Path.Study, part.Path.Series), cancellation) is not { } turn)
            {
                backlog.Drop(part.Backend);
                continue;
            }
            using (turn)
            {
                // Who reads ahead of a viewer meets him frame by frame.
                if (job.Job.Why != Why.ReadAhead && paces.ChoosesWhole(part.Backend) && cache.HasRoomAhead(job.Job.MeanBytes * part.Items.Length) && backlog.TakeWhole(part) is { } all) await FetchWholeAsync(job, backlog, part, all, backend, turn, cancellation);
                else if (backlog.Take(part, job.Focus) is { } at) await FetchAsync(job, backlog, part, at, backend, turn, cancellation);
            }
        }
    }

    private async Task FetchAsync(JobHolder job, Backlog backlog, Backlog.Part part, int at, BackendOptions backend, Turns.Turn turn, CancellationToken cancellation)
    {
        var (instance, frame) = part.Items[at];
        BackendAnswer<long> answer;
        Interlocked.Increment(ref _underWay);
        try
        {
            answer = await bodies.FetchAheadAsync(backend, new(part.Path.Study, part.Path.Series, instance), frame, turn.Stopped);
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
            if (answer.Failure is not null && backlog.CountAttempt(part, at) < MostAttempts)
            {
                backlog.PutBack(part, at);
                return;
            }
            var place = $"series/{part.Path.Series}/instances/{instance}" + (frame is null ? "" : $"/frames/{frame}");
            job.Update(j => j.With(new(part.Path.Study, place, answer.Failure?.Detail ?? "the backend does not have it")));
        }
        Finish(job, backlog, part, at, answer.IsFound ? answer.Value : null);
    }

    private async Task FetchWholeAsync(JobHolder job, Backlog backlog, Backlog.Part part, IReadOnlyList<int> all, BackendOptions backend, Turns.Turn turn, CancellationToken cancellation)
    {
        var left = all.GroupBy(at => part.Items[at].Instance).ToDictionary(instance => instance.Key, instance => instance.ToList());
        try
        {
            await wholeSeries.FetchAheadAsync(backend, part.Path, Came, turn.Stopped);
            if (left.Count > 0) paces.NoteNoWhole(part.Backend);
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

    private void Finish(JobHolder job, Backlog backlog, Backlog.Part part, int at, long? bytes)
    {
        var finished = backlog.Finish(part, at, bytes);
        if (finished.Bytes is { } whole) paces.Note(part.Backend, part.IsWhole, whole, finished.Elapsed);
        job.Update(j => j.WithFrame(bytes) with
        {
            Instances = j.Instances.Add(finished.IsInstanceDone ? 1 : 0),
            Series = j.Series.Add(finished.IsSeriesDone ? 1 : 0),
            Waiting = null,
        });
    }

    /// <summary>Does something in a turn, and again when it was broken off; null when the backend is not asked for long.</summary>
    private async Task<T?> InTurnAsync<T>(JobHolder job, string backend, Errand errand, Func<CancellationToken, Task<T>> work, CancellationToken cancellation) where T : class
    {
        while (await TakeTurnAsync(job, backend, errand, cancellation) is { } turn)
        {
            using (turn)
            {
                try
                {
                    return await work(turn.Stopped);
                }
                catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
                {
                    // A client came first.
                }
            }
        }
        return null;
    }

    private async Task<Turns.Turn?> TakeTurnAsync(JobHolder job, string backend, Errand errand, CancellationToken cancellation)
    {
        using var given = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var taking = turns.TakeAsync(backend, errand, job.Job.Rank, job.Number, options.Value.MaxConcurrentRequests, given.Token);
        for (var refused = TimeSpan.Zero; !taking.IsCompleted && refused < Patience;)
        {
            await Task.WhenAny(taking, Task.Delay(LookAgain, time, cancellation));
            if (taking.IsCompleted) break;
            var refusal = states.FindRefusal(backend);
            refused = refusal is null ? TimeSpan.Zero : refused + LookAgain;
            SetWaiting(job, refusal is null ? "its turn" : $"{backend} is not asked now");
        }
        if (!taking.IsCompleted) await given.CancelAsync();
        try
        {
            return await taking;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return null;
        }
    }

    private async Task<bool> HasRoomAsync(JobHolder job, Backlog.Part part, CancellationToken cancellation)
    {
        for (var waited = TimeSpan.Zero; !cache.HasRoomAhead(job.Job.MeanBytes * (Volatile.Read(ref _underWay) + 1)); waited += LookAgain)
        {
            if (job.Job.Why == Why.ReadAhead || waited >= Patience)
            {
                job.Update(j => j.With(new(part.Path.Study, $"series/{part.Path.Series}", "the cache has no room for what nobody asked for")));
                return false;
            }
            SetWaiting(job, "the cache has no room");
            await Task.Delay(LookAgain, time, cancellation);
        }
        return true;
    }

    private static void SetWaiting(JobHolder job, string what) => job.Update(j => j.Waiting == what ? j : j with { Waiting = what });

    private static IReadOnlyList<Uid> UidsOf(Study? study, BackendScope scope) => new StudyPlaces(study, [], false).SeriesIn(scope);
}
