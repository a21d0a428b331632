using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Proxy.Dicom;
using Proxy.Events;
using Proxy.Metadata.Persistence;

namespace Proxy.Metadata;

/// <summary>What is known about studies, by backend: OHIF's DicomMetadataStore, for many clients at once.</summary>
/// <remarks>
/// A reader takes a <see cref="Study"/> and keeps it as long as it likes: it never changes. A writer makes a new one and
/// swaps it in. What left memory, because there was no room for it, comes back from the file; where there is none it is
/// asked for again. Events come in the order of the changes of a study, and tell each once (<see cref="StoreEvents"/>).
/// </remarks>
/// <param name="preferenceOf">The order of backends that hold the same series: the lower wins.</param>
/// <param name="time">The clock that answers are dated by.</param>
/// <param name="events">Where what is new, gone or moved is told.</param>
/// <param name="maxBytes">The most memory that studies may hold, in bytes.</param>
/// <param name="file">Where they outlive the process; null for nowhere.</param>
/// <param name="maxDiskBytes">The most that they may hold there, in bytes.</param>
public sealed class DicomMetadataStore(
    Func<string, int> preferenceOf, TimeProvider time, EventLog events, long maxBytes, StudyFile? file = null,
    long maxDiskBytes = long.MaxValue)
{
    private readonly PersistentStudyTable _studies = new(
        maxBytes, file?.IsConfigured == true ? file : null, maxDiskBytes, (before, after) =>
    {
        foreach (var told in StoreEvents.Between(before, after)) events.Publish(told);
    });

    /// <summary>In memory.</summary>
    public long Bytes => _studies.Bytes;

    /// <summary>Of all studies, in memory and on disk.</summary>
    public int Count => _studies.Count;

    /// <summary>How many of the studies in memory each backend holds; those that are on disk alone are not read for it.</summary>
    public IReadOnlyDictionary<string, int> CountByBackend() => _studies.CountByBackend();

    /// <summary>All, in memory and on disk, in their order.</summary>
    public IEnumerable<Uid> StudyInstanceUids => _studies.FindUids();

    /// <summary>Takes new budgets, in bytes; what is over them leaves.</summary>
    public void Resize(long bytes, long diskBytes = long.MaxValue) => _studies.Resize(bytes, diskBytes);

    /// <summary>
    /// Takes a study into memory when the file has it, without holding a thread; whoever handles a study awaits this
    /// first, and then uses the methods below, which find it there. It costs nothing when the study is in memory.
    /// A disk that does not answer is given up on after <see cref="Disk.CacheFolder.Patience"/>: then the study is unknown.
    /// </summary>
    public ValueTask LoadAsync(Uid study, CancellationToken cancellation) => _studies.LoadAsync(study, cancellation);

    /// <summary>Asked to write, on another thread, when memory is full; set by <see cref="StoreWriter"/>.</summary>
    internal Action? Full
    {
        set => _studies.Full = value;
    }

    /// <summary>Writes what changed, and lets go of what is over the budget.</summary>
    internal void Shrink() => _studies.Shrink();

    /// <summary>Writes what changed to the file.</summary>
    /// <param name="withUses">Also which studies were looked at.</param>
    /// <returns>False when it could not.</returns>
    public bool Flush(bool withUses = false) => _studies.Flush(withUses);

    /// <summary>Files the row that a search in <paramref name="backend"/> gave of a study. Fires nothing, as in OHIF.</summary>
    /// <param name="backend">Who said it.</param>
    /// <param name="row">What it said.</param>
    /// <param name="asked">When; null for now.</param>
    /// <param name="fields">What was asked for besides what every search asks for.</param>
    public void AddStudy(string backend, Dataset row, DateTimeOffset? asked = null, IImmutableSet<string>? fields = null)
    {
        if (row.FindUid(Tag.StudyInstanceUid) is not { } uid) return;
        var now = time.GetUtcNow();
        var when = asked ?? now;
        _studies.Update(uid, study =>
        {
            var list = study.GetList(backend);
            // The page of a result that is kept may be shown again and again.
            if (list.StudyRow is not null && list.StudyRowAsked >= when && list.StudyRowAsked < now) return study;
            return study.With(
                list with { StudyRow = row, StudyRowAsked = when, StudyRowFields = fields ?? ImmutableSortedSet<string>.Empty });
        });
    }

    /// <summary>Notes that a backend, asked for a study, does not have it: a row that it once gave is gone.</summary>
    public void RemoveStudyRow(string backend, Uid study) =>
        _studies.Update(
            study,
            current => current.GetList(backend) is { StudyRow: not null } list ? current.With(list with { StudyRow = null }) : current);

    /// <summary>
    /// Files summaries of series of one study and fires <see cref="ProxyEvent.SeriesAdded"/> for those that are new to clients.
    /// </summary>
    /// <param name="backend">Who said it.</param>
    /// <param name="study">The study that was asked about; a summary need not name it.</param>
    /// <param name="summaries">One row a series.</param>
    /// <param name="areAll">These are all series that the backend holds: others are gone.</param>
    /// <param name="madeInClient">They were fetched ahead: no event, until a client asks for them.</param>
    /// <returns>The series that were here and are gone.</returns>
    public IReadOnlyList<Uid> AddSeriesMetadata(
        string backend, Uid study, IReadOnlyCollection<Dataset> summaries, bool areAll = false, bool madeInClient = false)
    {
        var rows = new Dictionary<Uid, Dataset>();
        foreach (var summary in summaries)
        {
            if (summary.FindUid(Tag.SeriesInstanceUid) is { } uid) rows[uid] = summary;
        }
        var now = time.GetUtcNow();
        var (before, after) = _studies.Update(study, current =>
        {
            var list = current.GetList(backend);
            var series = areAll ? list.Series.RemoveRange(list.Series.Keys.Where(uid => !rows.ContainsKey(uid))) : list.Series;
            foreach (var (uid, row) in rows)
            {
                var known = series.GetValueOrDefault(uid)
                    ?? new Series(uid) { MadeInClient = madeInClient, MetadataMadeInClient = madeInClient };
                series = series.SetItem(uid, known.WithSummary(row) with { MadeInClient = madeInClient && known.MadeInClient });
            }
            return current.With(list with
            {
                Series = series,
                Asked = areAll ? now : list.Asked,
                IsUnlisted = false,
                // A study without a series is none.
                StudyRow = areAll && series.IsEmpty ? null : list.StudyRow,
            });
        });
        return GoneBetween(before, after, backend);
    }

    /// <summary>Notes that a backend says "not found" to a search for the series of a study: what it once named is gone.</summary>
    /// <returns>The series that were here and are gone.</returns>
    public IReadOnlyList<Uid> AddUnlisted(string backend, Uid study)
    {
        var now = time.GetUtcNow();
        var (before, after) = _studies.Update(
            study,
            current => current.With(
                current.GetList(backend) with { Series = ImmutableDictionary<Uid, Series>.Empty, Asked = now, IsUnlisted = true }));
        return GoneBetween(before, after, backend);
    }

    /// <summary>
    /// Files instances by their own study and series, whatever else comes in the same call. Of an instance that is here
    /// already the newer dataset stands; <see cref="ProxyEvent.InstancesAdded"/> names only those that are new to clients.
    /// </summary>
    public void AddInstances(string backend, IReadOnlyCollection<Dataset> instances, bool madeInClient = false)
    {
        foreach (var (path, newer) in GroupBySeries(instances))
        {
            SetMetadata(backend, path, series => series with { Metadata = series.Metadata?.With(newer) ?? Pack(newer) }, madeInClient);
        }
    }

    /// <summary>Files a whole answer to "all instances of this series": those that it does not name are gone.</summary>
    /// <param name="backend">Who said it.</param>
    /// <param name="path">The series that was asked for.</param>
    /// <param name="instances">All of them.</param>
    /// <param name="validators">What came with the answer.</param>
    /// <param name="summary">The series' row that stood when it was asked for.</param>
    /// <param name="madeInClient">
    /// They were fetched ahead: no event, until a client asks for them. In a series whose metadata one asked for already, what is new
    /// fires.
    /// </param>
    /// <returns>The instances that were here and are gone.</returns>
    public IReadOnlyList<Uid> AddInstances(
        string backend, SeriesPath path, PackedInstances instances, Validators? validators = null, Dataset? summary = null,
        bool madeInClient = false)
    {
        var before = SetMetadata(backend, path, series => series.WithAll(instances, validators, summary), madeInClient);
        return before?.Metadata is { } older && older.Hash != instances.Hash ? [.. older.Uids.Where(uid => !instances.Has(uid))] : [];
    }

    /// <summary>Files the rows that a search for instances gave. They are no metadata, so nothing fires.</summary>
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

    /// <summary>Notes that a backend still holds what is kept of a series.</summary>
    /// <param name="backend">Whose metadata.</param>
    /// <param name="path">Which series.</param>
    /// <param name="asked">When it was asked: what vouches for the metadata may be a list that is older than now.</param>
    public void Confirm(string backend, SeriesPath path, DateTimeOffset asked) => _studies.Update(path.Study, study =>
    {
        var list = study.GetList(backend);
        return list.FindSeries(path.Series) is { } series && series.MetadataAsked != asked
            ? study.With(list.With(series with { MetadataAsked = asked }))
            : study;
    });

    /// <summary>Binds a series to the backend that it is given from.</summary>
    public void SetOwner(string backend, SeriesPath path)
    {
        if (_studies.Find(path.Study) is not { } known || known.Owners.GetValueOrDefault(path.Series) == backend) return;
        _studies.Update(
            path.Study, study => study.SeriesLists.IsEmpty ? study : study with { Owners = study.Owners.SetItem(path.Series, backend) });
    }

    /// <summary>Forgets all that a backend said: it is configured no more, or it is another one now.</summary>
    public void RemoveBackend(string backend) => _studies.RemoveBackend(backend);

    /// <summary>Forgets what a backend said of a series, because it no longer has it.</summary>
    public void RemoveSeries(string backend, SeriesPath path) => _studies.Update(path.Study, study =>
    {
        var list = study.GetList(backend);
        return list.FindSeries(path.Series) is null ? study : study.With(list with { Series = list.Series.Remove(path.Series) });
    });

    /// <summary>Forgets all that is known of a study, in memory and on disk.</summary>
    /// <returns>False when the disk could not be changed.</returns>
    public bool RemoveStudy(Uid study) => _studies.Remove(study);

    /// <summary><see cref="RemoveStudy"/> without holding a thread for the disk.</summary>
    /// <returns>False when the disk could not be changed.</returns>
    public Task<bool> RemoveStudyAsync(Uid study) => _studies.RemoveAsync(study);

    /// <summary><see cref="RemoveAll"/> without holding a thread for the disk.</summary>
    /// <returns>False when the disk could not be changed.</returns>
    public Task<bool> RemoveAllAsync() => _studies.RemoveAllAsync();

    /// <summary>Forgets everything, in memory and on disk.</summary>
    /// <returns>False when the disk could not be changed.</returns>
    public bool RemoveAll() => _studies.RemoveAll();

    /// <summary>A study as it is known now; null when it is not.</summary>
    public Study? GetStudy(Uid studyInstanceUid) => _studies.Find(studyInstanceUid);

    /// <summary>All studies in the order of their UIDs, one after the other; none is kept in memory that is not there already.</summary>
    public IEnumerable<Study> ReadStudies() => StudyInstanceUids.Select(_studies.Peek).OfType<Study>();

    /// <summary><see cref="ReadStudies"/> without holding a thread for the disk: it ends early when that does not answer.</summary>
    public async IAsyncEnumerable<Study> ReadStudiesAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        const int Page = 50;
        using var studies = ReadStudies().GetEnumerator();
        while (true)
        {
            var page = new List<Study>(Page);
            var reading = Task.Run(
                () =>
                {
                    while (page.Count < Page && studies.MoveNext()) page.Add(studies.Current);
                },
                cancellation);
            await Task.WhenAny(reading, Task.Delay(Disk.CacheFolder.Patience, time, cancellation));
            if (!reading.IsCompleted) yield break;
            await reading;
            foreach (var study in page) yield return study;
            if (page.Count < Page) yield break;
        }
    }

    /// <summary>A series in its owner's list; null when no backend named it.</summary>
    public Series? GetSeries(SeriesPath path) =>
        GetStudy(path.Study)?.GetHolders(path.Series, preferenceOf).FirstOrDefault()?.FindSeries(path.Series);

    /// <summary>An instance, from the first backend in the order of <see cref="Study.GetHolders"/> that named it.</summary>
    public Instance? GetInstance(InstancePath path) =>
        GetStudy(path.Study)?.FindInstance(path, preferenceOf);

    /// <summary>
    /// The instance that a viewer's image id names (<see cref="ImageId"/>); null when it is not known, or is no image id.
    /// </summary>
    public Instance? GetInstanceFromImageId(string imageId) => ImageId.TryParse(imageId, out var id) ? GetInstance(id.Instance) : null;

    /// <summary>A client was given this backend's list of a study: what was fetched ahead in it fires now, once.</summary>
    /// <returns>Whether something was.</returns>
    public bool ShowSeries(string backend, Uid study) =>
        _studies.Find(study)?.SeriesLists.GetValueOrDefault(backend)?.HasPrefetched == true
            && Show(backend, study, static list => list.MarkRequested());

    /// <summary>A client was given a series' metadata or pixels from this backend: what of it was fetched ahead fires now, once.</summary>
    /// <returns>Whether something was.</returns>
    public bool ShowMetadata(string backend, SeriesPath path) =>
        _studies.Find(path.Study)?.SeriesLists.GetValueOrDefault(backend)?.FindSeries(path.Series)?.HasPrefetched == true
            && ShowSeries(backend, path);

    /// <summary>
    /// Calls <paramref name="handler"/> for each event of this name from now on, on its own time, until the handle is disposed of.
    /// </summary>
    public IDisposable Subscribe(string name, Action<ProxyEvent> handler) => events.Subscribe(name, handler);

    private bool ShowSeries(string backend, SeriesPath path) =>
        Show(
            backend, path.Study,
            list => list.FindSeries(path.Series) is { HasPrefetched: true } series ? list.With(series.MarkRequested()) : list);

    private bool Show(string backend, Uid uid, Func<SeriesList, SeriesList> show)
    {
        var (before, after) = _studies.Update(uid, study =>
        {
            var list = study.GetList(backend);
            var shown = show(list);
            return ReferenceEquals(list, shown) ? study : study.With(shown);
        });
        return !ReferenceEquals(before, after);
    }

    /// <returns>What the series was before; null when it was not known.</returns>
    private Series? SetMetadata(string backend, SeriesPath path, Func<Series, Series> change, bool madeInClient)
    {
        var now = time.GetUtcNow();
        var (before, _) = _studies.Update(path.Study, study =>
        {
            var list = study.GetList(backend);
            var known = list.FindSeries(path.Series);
            return study.With(list.With(change(known ?? new Series(path.Series)) with
            {
                MetadataAsked = now,
                MadeInClient = madeInClient && (known is null || known.MadeInClient),
                MetadataMadeInClient = madeInClient && (known?.Metadata is null || known.MetadataMadeInClient),
            }));
        });
        return before.GetList(backend).FindSeries(path.Series);
    }

    private static Uid[] GoneBetween(Study before, Study after, string backend) =>
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
