using System.Runtime.CompilerServices;
using Proxy.Dicom;
using Proxy.Events;
using Proxy.Metadata.Persistence;

namespace Proxy.Metadata;

/// <summary>All known metadata of studies, by backend: OHIF's DicomMetadataStore for many clients at once.</summary>
/// <remarks>
/// A <see cref="Study"/> is immutable: a reader may hold it for any time, and a writer swaps in a new one. Studies evicted from memory
/// come back from the file; without a file the backends are asked again. Events follow the order of the changes of a study, and announce
/// each change once (<see cref="StoreEvents"/>).
/// </remarks>
/// <param name="preferenceOf">Orders backends that hold the same series: the lowest number wins.</param>
/// <param name="time">The clock that dates the answers.</param>
/// <param name="events">Receives the events.</param>
/// <param name="maxBytes">The memory budget of the studies, in bytes.</param>
/// <param name="file">The persistent copy; null for none.</param>
/// <param name="maxDiskBytes">The disk budget, in bytes.</param>
public sealed partial class DicomMetadataStore(
    Func<string, int> preferenceOf, TimeProvider time, EventLog events, long maxBytes, IStudyPersistence? file = null,
    long maxDiskBytes = long.MaxValue)
{
    private readonly PersistentStudyTable _studies = new(
        maxBytes, file, maxDiskBytes, (before, after) =>
    {
        foreach (var change in StoreEvents.Between(before, after)) events.Publish(change);
    });

    /// <summary>The size of the studies in memory, in bytes.</summary>
    public long Bytes => _studies.Bytes;

    /// <summary>The number of studies in memory and on disk.</summary>
    public int Count => _studies.Count;

    /// <summary>The number of studies in memory that each backend holds; studies on disk only are not counted.</summary>
    public IReadOnlyDictionary<string, int> CountByBackend() => _studies.CountByBackend();

    /// <summary>The UIDs of all studies, in memory and on disk, in order.</summary>
    public IAsyncEnumerable<Uid> ReadUidsAsync(CancellationToken cancellation) => _studies.ReadUidsAsync(cancellation);

    /// <summary>Sets new budgets, in bytes, and evicts the excess.</summary>
    public void Resize(long bytes, long diskBytes = long.MaxValue) => _studies.Resize(bytes, diskBytes);

    /// <summary>
    /// Loads a study from the file into memory without blocking a thread, and keeps it there until the lease is disposed. Await it before
    /// using the methods below for that study, so that they need not read the disk. Completes at once when it is in memory. Gives up
    /// after <see cref="Disk.CacheFolder.Timeout"/> when the disk does not answer: the study is then unknown.
    /// </summary>
    public ValueTask<StudyLease> LeaseAsync(Uid study, CancellationToken cancellation) => _studies.LeaseAsync(study, cancellation);

    /// <summary>Requests a flush on another thread when memory is full; set by <see cref="StoreWriter"/>.</summary>
    internal Action? Full
    {
        set => _studies.Full = value;
    }

    /// <summary>Writes the changes and evicts the excess over the budget.</summary>
    internal Task ShrinkAsync() => _studies.ShrinkAsync();

    /// <summary>Writes the changes to the file.</summary>
    /// <param name="withUses">Write also which studies were used.</param>
    /// <returns>False when the file cannot be written.</returns>
    public Task<bool> FlushAsync(bool withUses = false) => _studies.FlushAsync(withUses);

    /// <summary>Removes all answers of a backend that is no longer configured, or whose identity changed.</summary>
    /// <returns>False when the disk cannot be changed.</returns>
    public Task<bool> RemoveBackendAsync(string backend) => _studies.RemoveBackendAsync(backend);

    /// <summary>Removes the studies that no backend has confirmed since a time, from memory and disk.</summary>
    public Task RemoveUnconfirmedAsync(DateTimeOffset before, CancellationToken cancellation) =>
        _studies.RemoveUnconfirmedAsync(before, cancellation);

    /// <summary>Deletes all answers of a backend from memory and disk.</summary>
    /// <returns>False when the disk cannot be changed.</returns>
    public Task<bool> PurgeBackendAsync(string backend) => _studies.PurgeBackendAsync(backend);

    /// <summary>Removes a study from memory and disk.</summary>
    /// <returns>False when the disk cannot be changed.</returns>
    public Task<bool> RemoveStudyAsync(Uid study) => _studies.RemoveAsync(study);

    /// <summary>Removes all studies from memory and disk.</summary>
    /// <returns>False when the disk cannot be changed.</returns>
    public Task<bool> RemoveAllAsync() => _studies.RemoveAllAsync();

    /// <summary>The current version of a study; null when it is unknown.</summary>
    public Study? GetStudy(Uid studyInstanceUid) => _studies.Find(studyInstanceUid);

    /// <summary>
    /// All studies in the order of their UIDs, read one by one; none is loaded into memory or marked as used. A study that the disk
    /// does not return in time is left out.
    /// </summary>
    public async IAsyncEnumerable<Study> ReadStudiesAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var uid in ReadUidsAsync(cancellation))
        {
            if (await _studies.PeekAsync(uid, cancellation) is { } study) yield return study;
        }
    }

    /// <summary>A series from its first holder's list; null when no backend has named it.</summary>
    public Series? GetSeries(SeriesPath path) =>
        GetStudy(path.Study)?.GetHolders(path.Series, preferenceOf).FirstOrDefault()?.FindSeries(path.Series);

    /// <summary>An instance from the first backend, in the order of <see cref="Study.GetHolders"/>, whose list names it.</summary>
    public Instance? GetInstance(InstancePath path) =>
        GetStudy(path.Study)?.FindInstance(path, preferenceOf);

    /// <summary>
    /// The instance named by a viewer's image id (<see cref="ImageId"/>); null when it is unknown, or the id is invalid.
    /// </summary>
    public Instance? GetInstanceFromImageId(string imageId) => ImageId.TryParse(imageId, out var id) ? GetInstance(id.Instance) : null;

    /// <summary>Marks a backend's list of a study as sent to a client; raises the events of its prefetched series, once.</summary>
    /// <returns>True when there were any.</returns>
    public bool MarkSeriesRequested(string backend, Uid study) =>
        _studies.Find(study)?.SeriesLists.GetValueOrDefault(backend)?.HasPrefetched == true
            && Show(backend, study, static list => list.MarkRequested());

    /// <summary>Marks the metadata or pixels of a series as sent to a client; raises the events of its prefetched data, once.</summary>
    /// <returns>True when there was any.</returns>
    public bool MarkMetadataRequested(string backend, SeriesPath path) =>
        _studies.Find(path.Study)?.SeriesLists.GetValueOrDefault(backend)?.FindSeries(path.Series)?.HasPrefetched == true
            && MarkSeriesRequested(backend, path);

    /// <summary>
    /// Calls <paramref name="handler"/> asynchronously for each event of this name, until the handle is disposed.
    /// </summary>
    public IDisposable Subscribe(string name, Action<ProxyEvent> handler) => events.Subscribe(name, handler);

    private bool MarkSeriesRequested(string backend, SeriesPath path) =>
        Show(
            backend, path.Study,
            list => list.FindSeries(path.Series) is { HasPrefetched: true } series ? list.With(series.MarkRequested()) : list);

    private bool Show(string backend, Uid uid, Func<SeriesList, SeriesList> markRequested)
    {
        var (before, after) = _studies.Update(uid, study =>
        {
            var list = study.GetList(backend);
            var shown = markRequested(list);
            return ReferenceEquals(list, shown) ? study : study.With(shown);
        });
        return !ReferenceEquals(before, after);
    }
}
