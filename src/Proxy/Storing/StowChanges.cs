using Proxy.Backends;
using Proxy.Backends.PassThrough;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Metadata;

namespace Proxy.Storing;

/// <summary>Derives from a request that stores or deletes what it changed, and makes the rest of the proxy follow.</summary>
public sealed class StowChanges(
    BackendSet backends, StudyInvalidation invalidation, DicomMetadataStore store, StudyRefresh refresh, WriteThrough writeThrough)
{
    /// <summary>Invalidates what the request made stale.</summary>
    /// <param name="captures">The instances as they passed to the backend.</param>
    /// <param name="study">The study in the address; null for none.</param>
    /// <param name="contents">The instances that arrived.</param>
    /// <param name="outcome">The outcome; null when the client left before it.</param>
    internal async Task FollowAsync(StowCaptures captures, Uid? study, StowContents contents, StoreOutcome? outcome)
    {
        var backend = captures.Backend;
        // Nothing was sent.
        if (outcome is { Answer: null, IsUnknown: false }) return;
        foreach (var named in outcome?.Answer?.Instances ?? []) contents.Add(named);
        var isWhole = contents.HasMore || contents.HasUnknown && outcome?.Answer?.Instances is not { Count: > 0 };
        // The client may have left, and the change is followed nevertheless.
        using var leases = new LeasedStudies(store);
        await leases.AddAsync(contents.Read().Select(series => series.Path.Study), CancellationToken.None);
        if (study is { } addressed) await leases.AddAsync([addressed], CancellationToken.None);
        var changes = contents.Read().GroupBy(series => series.Path.Study).Select(series => Create(backend.Name, series.Key, [.. series]))
            .ToDictionary(change => change.Study!.Value);
        if (isWhole && study is { } of) changes[of] = StudyChange.Of(backend.Name, of, null, null);
        else if (study is { } uid && !changes.ContainsKey(uid)) changes[uid] = new(backend.Name, uid) { Series = new HashSet<Uid>() };
        foreach (var change in changes.Values) invalidation.Follow(change);
        if (isWhole && study is null) invalidation.Follow(new(backend.Name, null));
        if (outcome?.Answer is { } answer) await writeThrough.KeepAsync(captures, answer.Unchanged);
        foreach (var uid in changes.Keys) refresh.Start(backend, uid);
    }

    /// <summary>Invalidates what a forwarded deletion or rejection made stale.</summary>
    public async Task FollowAsync(ForwardedChange change)
    {
        using var lease = await store.LeaseAsync(change.Study, CancellationToken.None);
        invalidation.Follow(StudyChange.Of(change.Backend, change.Study, change.Series, change.Instance));
        var isKnown = store.GetStudy(change.Study)?.GetList(change.Backend).HoldsStudy == true;
        if (isKnown && backends.Find(change.Backend) is { } backend) refresh.Start(backend, change.Study);
    }

    private StudyChange Create(string backend, Uid study, IReadOnlyList<(SeriesPath Path, IReadOnlySet<Uid> Instances)> series)
    {
        var list = store.GetStudy(study)?.GetList(backend);
        return new(backend, study)
        {
            Series = series.Select(s => s.Path.Series).ToHashSet(),
            Bodies =
            [
                .. from one in series
                   let replaced = one.Instances.Where(uid => MayBeKnown(list, one.Path.Series, uid)).Select(uid => $"{uid}").ToHashSet()
                   where replaced.Count > 0
                   select new Removal(backend, one.Path) { Instances = replaced },
            ],
        };
    }

    /// <summary>False when the store proves that the instance is new: then nothing of it is cached.</summary>
    private static bool MayBeKnown(SeriesList? list, Uid series, Uid instance) =>
        list?.ListedAt is null
        || list.FindSeries(series) is { } known && (!known.IsMetadataComplete || known.Metadata!.Has(instance));
}
