using System.Collections.Immutable;
using Proxy.Dicom;
using Proxy.Events;

namespace Proxy.Metadata;

/// <summary>The answers of backends, each of which changes what is known of a study.</summary>
public sealed partial class DicomMetadataStore
{
    /// <summary>Stores the search row of a study, unless a newer one is stored. Raises no event, as in OHIF.</summary>
    /// <param name="backend">The backend that answered.</param>
    /// <param name="row">The row.</param>
    /// <param name="asked">The time of the answer; null for now.</param>
    /// <param name="fields">The fields requested beyond those of every search, as tag paths.</param>
    /// <param name="madeInClient">
    /// True when a prefetch searched for it: its removal raises no event until a client has seen the study.
    /// </param>
    public void AddStudy(
        string backend, Dataset row, DateTimeOffset? asked = null, IImmutableSet<string>? fields = null, bool madeInClient = false)
    {
        if (row.FindUid(Tag.StudyInstanceUid) is not { } uid) return;
        var now = time.GetUtcNow();
        var when = asked ?? now;
        _studies.Update(uid, study =>
        {
            var list = study.GetList(backend);
            var isUnseen = madeInClient && (list.StudyRow is null || list.StudyRowMadeInClient);
            // A cached result page may be served, and stored here, repeatedly.
            var isCurrent = list.StudyRow is not null && list.StudyRowAsked >= when && when < now;
            if (isCurrent)
                return list.StudyRowMadeInClient == isUnseen ? study : study.With(list with { StudyRowMadeInClient = isUnseen });
            return study.With(list with
            {
                StudyRow = row,
                StudyRowMadeInClient = isUnseen,
                StudyRowAsked = when,
                StudyRowFields = fields ?? ImmutableSortedSet<string>.Empty,
            });
        });
    }

    /// <summary>Removes the search row of a study that the backend no longer has.</summary>
    public void RemoveStudyRow(string backend, Uid study) =>
        _studies.Update(
            study,
            current => current.GetList(backend) is { StudyRow: not null } list ? current.With(list with { StudyRow = null }) : current);

    /// <summary>
    /// Stores summaries of a study's series and raises <see cref="ProxyEvent.SeriesAdded"/> for those that are new to clients.
    /// </summary>
    /// <param name="backend">The backend that answered.</param>
    /// <param name="study">The requested study; a summary need not name it.</param>
    /// <param name="summaries">One row per series.</param>
    /// <param name="madeInClient">True when they were prefetched: no event until a client requests them.</param>
    public void AddSeriesMetadata(string backend, Uid study, IReadOnlyCollection<Dataset> summaries, bool madeInClient = false) =>
        ChangeSeries(backend, study, summaries, madeInClient, null, null);

    /// <summary><see cref="AddSeriesMetadata"/> for all series that the backend holds: others are removed.</summary>
    /// <param name="backend">The backend that answered.</param>
    /// <param name="study">The requested study; a summary need not name it.</param>
    /// <param name="summaries">One row per series.</param>
    /// <param name="madeInClient">True when they were prefetched: no event until a client requests them.</param>
    /// <param name="revision">
    /// The <see cref="SeriesList.Revision"/> at the time of the request: after a change, the answer may lack new series. Null for now.
    /// </param>
    /// <returns>The removed series.</returns>
    public IReadOnlyList<Uid> SetSeriesMetadata(
        string backend, Uid study, IReadOnlyCollection<Dataset> summaries, bool madeInClient = false, int? revision = null) =>
        ChangeSeries(backend, study, summaries, madeInClient, time.GetUtcNow(), revision);

    /// <summary>
    /// Records that a client changed a study in a backend: nothing that the backend said about it is fresh any more. Raises no event.
    /// </summary>
    /// <param name="backend">The backend.</param>
    /// <param name="study">The study; null for all studies in memory, when the changed one is not known.</param>
    /// <param name="series">The series whose instances changed; null for all.</param>
    /// <param name="age">The age at which no answer is fresh.</param>
    public void RecordChange(string backend, Uid? study, IReadOnlySet<Uid>? series, TimeSpan age)
    {
        var oldest = time.GetUtcNow() - age;
        foreach (var uid in study is { } only ? [only] : _studies.FindInMemory())
        {
            _studies.Update(
                uid,
                current => study is not null || current.SeriesLists.ContainsKey(backend)
                    ? current.With(current.GetList(backend).WithChange(series, oldest))
                    : current);
        }
    }

    /// <summary>Stores summaries; with the time of a list, they are all series of the backend.</summary>
    private IReadOnlyList<Uid> ChangeSeries(
        string backend, Uid study, IReadOnlyCollection<Dataset> summaries, bool madeInClient, DateTimeOffset? asked, int? revision)
    {
        var rows = new Dictionary<Uid, Dataset>();
        foreach (var summary in summaries)
        {
            if (summary.FindUid(Tag.SeriesInstanceUid) is { } uid) rows[uid] = summary;
        }
        var (before, after) = _studies.Update(study, current =>
        {
            var list = current.GetList(backend);
            var listedAt = IsCurrent(list, revision) ? asked : null;
            var series = listedAt is not null
                ? list.Series.RemoveRange(list.Series.Keys.Where(uid => !rows.ContainsKey(uid)))
                : list.Series;
            foreach (var (uid, row) in rows)
            {
                var known = series.GetValueOrDefault(uid)
                    ?? new Series(uid) { MadeInClient = madeInClient, MetadataMadeInClient = madeInClient };
                series = series.SetItem(uid, known.WithSummary(row) with { MadeInClient = madeInClient && known.MadeInClient });
            }
            return current.With(list with
            {
                Series = series,
                ListedAt = listedAt ?? list.ListedAt,
                ListedRevision = listedAt is null ? list.ListedRevision : list.Revision,
                IsUnlisted = false,
                // An archive has no study without a series.
                StudyRow = listedAt is not null && series.IsEmpty ? null : list.StudyRow,
            });
        });
        return RemovedBetween(before, after, backend);
    }

    /// <summary>Records that a backend answered "not found" to a search for a study's series; removes the series it once listed.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="study">The study.</param>
    /// <param name="isGone">True when a search for the study itself did not find it either: removes its row too.</param>
    /// <param name="revision">The <see cref="SeriesList.Revision"/> at the time of the request; null for now.</param>
    /// <returns>The removed series.</returns>
    public IReadOnlyList<Uid> RecordUnlisted(string backend, Uid study, bool isGone = false, int? revision = null)
    {
        var now = time.GetUtcNow();
        var (before, after) = _studies.Update(
            study,
            current => current.GetList(backend) is var list && IsCurrent(list, revision)
                ? current.With(list with
                {
                    Series = ImmutableDictionary<Uid, Series>.Empty,
                    ListedAt = now,
                    ListedRevision = list.Revision,
                    IsUnlisted = true,
                    StudyRow = isGone ? null : list.StudyRow,
                })
                : current);
        return RemovedBetween(before, after, backend);
    }

    /// <summary>
    /// Stores instances, each under its own study and series. A newer dataset replaces an older one;
    /// <see cref="ProxyEvent.InstancesAdded"/> names only instances that are new to clients.
    /// </summary>
    public void AddInstances(string backend, IReadOnlyCollection<Dataset> instances, bool madeInClient = false)
    {
        foreach (var (path, newer) in GroupBySeries(instances))
        {
            SetMetadata(backend, path, series => series with { Metadata = series.Metadata?.With(newer) ?? Pack(newer) }, madeInClient);
        }
    }

    /// <summary>Stores the complete metadata of a series: instances that it does not name are removed.</summary>
    /// <param name="backend">The backend that answered.</param>
    /// <param name="path">The requested series.</param>
    /// <param name="instances">All instances.</param>
    /// <param name="validators">The validators of the answer.</param>
    /// <param name="summary">The series' search row at the time of the request.</param>
    /// <param name="madeInClient">
    /// True when they were prefetched: no event until a client requests them. In a series whose metadata a client has requested before, new
    /// instances raise events at once.
    /// </param>
    /// <param name="revision">
    /// The <see cref="SeriesList.Revision"/> at the time of the request: after a change, the answer may lack new instances. Null for now.
    /// </param>
    /// <returns>The removed instances.</returns>
    public IReadOnlyList<Uid> AddInstances(
        string backend, SeriesPath path, PackedInstances instances, Validators? validators = null, Dataset? summary = null,
        bool madeInClient = false, int? revision = null)
    {
        var before = SetMetadata(backend, path, series => series.WithAll(instances, validators, summary), madeInClient, revision);
        return before?.Metadata is { } older && older.Hash != instances.Hash ? [.. older.Uids.Where(uid => !instances.Has(uid))] : [];
    }

    /// <summary>Stores search rows of instances. They are not metadata, so no event is raised.</summary>
    public void AddInstanceRows(string backend, IReadOnlyCollection<Dataset> rows)
    {
        foreach (var (path, newer) in GroupBySeries(rows))
        {
            _studies.Update(path.Study, study =>
            {
                var list = study.GetList(backend);
                var series = list.FindSeries(path.Series) ?? new Series(path.Series);
                return study.With(list.With(series with { InstanceRows = series.InstanceRows?.With(newer) ?? Pack(newer) }));
            });
        }
    }

    /// <summary>Records that a backend still holds the stored metadata of a series.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="path">The series.</param>
    /// <param name="asked">The time of the confirmation, which may be that of an earlier series list.</param>
    public void Confirm(string backend, SeriesPath path, DateTimeOffset asked) => _studies.Update(path.Study, study =>
    {
        var list = study.GetList(backend);
        return list.FindSeries(path.Series) is { } series && series.MetadataConfirmedAt != asked
            ? study.With(list.With(series with { MetadataConfirmedAt = asked }))
            : study;
    });

    /// <summary>Sets the backend that a series is served from.</summary>
    public void SetOwner(string backend, SeriesPath path)
    {
        if (_studies.Find(path.Study) is not { } known || known.Owners.GetValueOrDefault(path.Series) == backend) return;
        _studies.Update(
            path.Study, study => study.SeriesLists.IsEmpty ? study : study with { Owners = study.Owners.SetItem(path.Series, backend) });
    }

    /// <summary>Removes a series that a backend no longer has.</summary>
    public void RemoveSeries(string backend, SeriesPath path) => _studies.Update(path.Study, study =>
    {
        var list = study.GetList(backend);
        return list.FindSeries(path.Series) is null ? study : study.With(list with { Series = list.Series.Remove(path.Series) });
    });

    /// <summary>Changes the metadata of a series.</summary>
    /// <returns>The series before the change; null when it was unknown.</returns>
    private Series? SetMetadata(
        string backend, SeriesPath path, Func<Series, Series> change, bool madeInClient, int? revision = null)
    {
        var now = time.GetUtcNow();
        var (before, _) = _studies.Update(path.Study, study =>
        {
            var list = study.GetList(backend);
            var known = list.FindSeries(path.Series);
            var isMadeInClient = madeInClient && (known?.Metadata is null || known.MetadataMadeInClient);
            var changed = change(known ?? new Series(path.Series));
            if (!IsCurrent(list, revision)) changed = changed.WithChange(now);
            return study.With(list.With(changed with
            {
                MetadataConfirmedAt = now,
                MadeInClient = madeInClient && (known is null || known.MadeInClient),
                MetadataMadeInClient = isMadeInClient,
                FileMetadata = isMadeInClient ? changed.FileMetadata : ImmutableDictionary<Uid, FileMetadata>.Empty,
            }));
        });
        return before.GetList(backend).FindSeries(path.Series);
    }

    private static bool IsCurrent(SeriesList list, int? revision) => revision is null || revision == list.Revision;

    private static Uid[] RemovedBetween(Study before, Study after, string backend) =>
        [.. before.GetList(backend).Series.Keys.Where(uid => after.GetList(backend).FindSeries(uid) is null)];

    private static Dictionary<SeriesPath, Dictionary<Uid, byte[]>> GroupBySeries(IReadOnlyCollection<Dataset> instances)
    {
        var groups = new Dictionary<SeriesPath, Dictionary<Uid, byte[]>>();
        foreach (var dataset in instances)
        {
            if (dataset.FindUid(Tag.StudyInstanceUid) is not { } study || dataset.FindUid(Tag.SeriesInstanceUid) is not { } series)
                continue;
            if (dataset.FindUid(Tag.SopInstanceUid) is not { } instance) continue;
            if (!groups.TryGetValue(new(study, series), out var group)) groups.Add(new(study, series), group = []);
            group[instance] = dataset.Json.ToArray();
        }
        return groups;
    }

    private static PackedInstances Pack(Dictionary<Uid, byte[]> datasets)
    {
        var builder = new PackedInstances.Builder();
        foreach (var (uid, json) in datasets) builder.Add(uid, json);
        return builder.Build();
    }
}
