using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Store;

namespace Proxy.Search;

/// <summary>What is known of a study's place: its series lists, and the backends that could not say.</summary>
/// <param name="Study">Null when no backend named it.</param>
/// <param name="Failures">Backends whose list is old or was never given.</param>
/// <param name="WasAsked">Whether a backend had to be asked.</param>
public sealed record StudyPlaces(Study? Study, IReadOnlyList<BackendFailure> Failures, bool WasAsked)
{
    /// <summary>Every series of the study that a backend of the scope holds, in order of their UIDs.</summary>
    public IReadOnlyList<Uid> SeriesIn(BackendScope scope) =>
        [.. Study?.SeriesLists.Values.Where(list => scope.Has(list.Backend)).SelectMany(list => list.Series.Keys).Distinct().Order() ?? Enumerable.Empty<Uid>()];
}

/// <summary>Finds out which backend holds which series of a study: from the store, else by asking all backends at once.</summary>
public sealed class SeriesListReader(
    BackendClient client, DicomMetadataStore store, Reloadable<SearchOptions> search, Reloadable<CacheOptions> cache, TimeProvider time)
{
    /// <summary>When one backend has named the series, how long the others may still take to name theirs.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    private readonly SingleFlight<(string Backend, Uid Study), BackendAnswer<SeriesList>> _asking = new();

    /// <summary>The series lists of a study in every backend of the scope, each at most as old as metadata may be.</summary>
    /// <param name="scope">Whose lists.</param>
    /// <param name="study">Which study.</param>
    /// <param name="isHurried">Do not wait for every backend once one has named the study: a picture is waited for.</param>
    /// <param name="asksAnew">Ask although what is kept is fresh.</param>
    /// <param name="cancellation">Ends the asking.</param>
    public async Task<StudyPlaces> LocateAsync(BackendScope scope, Uid study, bool isHurried, bool asksAnew, CancellationToken cancellation)
    {
        var known = store.GetStudy(study);
        var now = time.GetUtcNow();
        var unknown = asksAnew ? scope.Backends : [.. scope.Backends.Where(b => !IsKnown(known?.ListOf(b.Name), now))];
        if (unknown.Count == 0) return new(known, [], WasAsked: false);

        var asking = unknown.ToDictionary(b => b.Name, b => AskInTimeAsync(b, study, asksAnew, cancellation));
        if (isHurried) await WaitHurriedAsync(scope, study, asking.Values, cancellation);
        else await Task.WhenAll(asking.Values);

        var failures = asking.Select(a => a.Value.IsCompleted ? a.Value.Result.Failure : new BackendFailure(a.Key, BackendError.TimedOut, "slower than the others"));
        return new(store.GetStudy(study), [.. failures.OfType<BackendFailure>()], WasAsked: true);
    }

    /// <summary>"Not here" is believed as briefly as a search's result.</summary>
    private bool IsKnown(SeriesList? list, DateTimeOffset now) =>
        list?.IsFresh(list.Series.IsEmpty ? search.Value.Freshness : cache.Value.MetadataFreshness, now) == true;

    private async Task<BackendAnswer<SeriesList>> AskInTimeAsync(BackendOptions backend, Uid study, bool asksAnew, CancellationToken cancellation)
    {
        // The deadline is its own, for nobody may be waiting any more when it comes.
        using var deadline = new CancellationTokenSource(search.Value.Deadline, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellation);
        try
        {
            return (await _asking.RunAsync((backend.Name, study), stopped => AskOnceAsync(backend, study, asksAnew, stopped), both.Token)).Result;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return new(client.GiveUp(backend, new(new StudyPath(study).ToString(), MediaType.DicomJson)));
        }
    }

    /// <summary>One backend's list of a study, asked for now and filed.</summary>
    private async Task<BackendAnswer<SeriesList>> AskOnceAsync(BackendOptions backend, Uid study, bool asksAnew, CancellationToken cancellation)
    {
        // Between the first look and now another's asking may have come to its end.
        if (!asksAnew && store.GetStudy(study)?.ListOf(backend.Name) is { } known && IsKnown(known, time.GetUtcNow())) return new(known);
        var query = SearchQuery.SeriesOf(study);
        var isNotFound = false;
        var answer = await client.AskAsync(
            backend, new(query.ToRequest(limit: null), MediaType.DicomJson) { IsMissing = status => isNotFound = (int)status is 404 or 410 },
            (r, c) => SearchAnswer.ReadAsync(r, query, c), cancellation);
        if (answer.Failure is { } failure) return new(failure);
        if (isNotFound) store.AddUnlisted(backend.Name, study);
        else store.AddSeriesMetadata(backend.Name, study, answer.IsFound ? answer.Value.Rows : [], areAll: true);
        return new(store.GetStudy(study)?.ListOf(backend.Name) ?? new SeriesList(backend.Name));
    }

    private async Task WaitHurriedAsync(BackendScope scope, Uid study, IEnumerable<Task<BackendAnswer<SeriesList>>> asking, CancellationToken cancellation)
    {
        var waiting = asking.ToList();
        Task? grace = null;
        while (waiting.Count > 0)
        {
            var done = await Task.WhenAny(grace is null ? waiting : [.. waiting, grace]);
            if (done == grace) return;
            waiting.Remove((Task<BackendAnswer<SeriesList>>)done);
            await done;
            var isHere = scope.Backends.Any(b => store.GetStudy(study)?.ListOf(b.Name).Series.IsEmpty == false);
            if (isHere) grace ??= Task.Delay(Grace, time, cancellation);
        }
    }
}
