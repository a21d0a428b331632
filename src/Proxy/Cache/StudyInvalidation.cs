using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Cache;

/// <summary>The one way to clear what is no longer valid: of a study, a series, an instance or a whole backend.</summary>
/// <remarks>
/// <code>
///                     metadata store    denials       bodies             derived answers
/// series gone         the series        -             of the series      -
/// instances gone      -                 -             of the instances   -
/// purge of a study    the study         of the study  of the study       all
/// purge of all        all               all           all                all
/// purge of a backend  of the backend    of it         of the backend     all
/// backend removed     of the backend    of it         of the backend     search results of it
/// study changed       not fresh         of the study  of the change      search results of the backend
/// </code>
/// A change by a client leaves the metadata in the store, because a later answer is compared with it to announce what is new.
/// The store comes first, so that no request finds metadata of removed bodies. Derived answers are search results and pages, ready
/// metadata and packed frames. Where none is cleared, they are made from a version of the metadata or of a body, which no request finds
/// any more, or they end with their freshness. A purge clears them last, because until then they can be made from cached data.
/// </remarks>
public sealed class StudyInvalidation(
    DicomMetadataStore store, IArchive archive, EntryCache entries, AnswerCache answers, Reloadable<CacheOptions> cache,
    Reloadable<SearchOptions> search)
{
    /// <summary>
    /// Raised with what was cleared, after no request finds its metadata and bodies, and before a purge clears derived answers.
    /// A handler must not block.
    /// </summary>
    public event Action<Removal>? Invalidated;

    /// <summary>
    /// Tells the other proxies to purge a patient; its argument is the Patient ID (0010,0020). The task completes when they are told.
    /// Null for a proxy alone.
    /// </summary>
    public Func<string, Task>? PatientPurged { get; set; }

    /// <summary>
    /// Follows a change that a client made, or may have made, through the proxy. Call it before the client gets its answer: the next
    /// request then sees the change.
    /// </summary>
    public void Follow(StudyChange change)
    {
        MarkAsChanged(change);
        foreach (var bodies in change.Bodies) entries.Remove(bodies);
        RaiseInvalidated(change);
    }

    /// <summary>Follows a change that another proxy announced.</summary>
    /// <returns>True once no trace of its bodies is left on disk; false when the disk cannot be changed now.</returns>
    public async Task<bool> FollowAsync(StudyChange change)
    {
        MarkAsChanged(change);
        var onDisk = Task.WhenAll([.. change.Bodies.Select(entries.RemoveAsync)]);
        RaiseInvalidated(change);
        return Array.TrueForAll(await onDisk, isRemoved => isRemoved);
    }

    /// <summary>Removes a series that a backend no longer holds.</summary>
    public void RemoveSeries(string backend, SeriesPath path)
    {
        store.RemoveSeries(backend, path);
        RemoveBodies(backend, path);
    }

    /// <summary>Removes the bodies of series that a newer series list no longer names; the store has filed that list.</summary>
    /// <param name="backend">The backend of the list.</param>
    /// <param name="study">The study.</param>
    /// <param name="series">The series that were in the older list only.</param>
    public void RemoveBodies(string backend, Uid study, IReadOnlyList<Uid> series)
    {
        foreach (var uid in series) RemoveBodies(backend, new SeriesPath(study, uid));
    }

    /// <summary>Removes the bodies of instances that newer metadata no longer names; the store has filed that metadata.</summary>
    /// <param name="backend">The backend of the metadata.</param>
    /// <param name="path">The series.</param>
    /// <param name="instances">The instances that were in the older metadata only.</param>
    public void RemoveBodies(string backend, SeriesPath path, IReadOnlyList<Uid> instances)
    {
        foreach (var uid in instances)
        {
            var instance = new InstancePath(path.Study, path.Series, uid);
            entries.Remove(backend, instance);
            Invalidated?.Invoke(new(backend, instance));
        }
    }

    /// <summary>Removes everything that a backend said; it was removed from the settings or has a new address.</summary>
    public void RemoveBackend(string backend)
    {
        // A reload has a thread of its own, and its next step must not begin before the removal.
        store.RemoveBackendAsync(backend).GetAwaiter().GetResult();
        var removal = new Removal(backend) { IsLocal = true };
        entries.Remove(removal);
        archive.Forget(backend);
        Invalidated?.Invoke(removal);
    }

    /// <summary>Removes a study of all backends, or everything, for an operator.</summary>
    /// <param name="study">The study; null for all studies.</param>
    /// <returns>True once no trace is left on disk; false when the disk cannot be changed now.</returns>
    public async Task<bool> PurgeAsync(Uid? study)
    {
        var isStoreCleared = await (study is { } uid ? store.RemoveStudyAsync(uid) : store.RemoveAllAsync());
        archive.Purge(study);
        var removal = new Removal(Study: study);
        var onDisk = entries.RemoveAsync(removal);
        Invalidated?.Invoke(removal);
        answers.Clear();
        return await onDisk && isStoreCleared;
    }

    /// <summary>Deletes everything that a configured backend said, for an operator.</summary>
    /// <returns>True once no trace is left on disk; false when the disk cannot be changed now.</returns>
    public async Task<bool> PurgeBackendAsync(string backend)
    {
        var isStoreCleared = await store.PurgeBackendAsync(backend);
        archive.Forget(backend);
        var removal = new Removal(backend);
        var onDisk = entries.RemoveAsync(removal);
        Invalidated?.Invoke(removal);
        answers.Clear();
        return await onDisk && isStoreCleared;
    }

    private void MarkAsChanged(StudyChange change)
    {
        var (metadata, results) = (cache.Value.MetadataFreshness, search.Value.Freshness);
        store.RecordChange(change.Backend, change.Study, change.Series, metadata > results ? metadata : results);
        archive.ForgetStudy(change.Backend, change.Study);
    }

    private void RaiseInvalidated(StudyChange change)
    {
        // Without a study, the removal would select the whole backend.
        Invalidated?.Invoke(new(change.Backend, change.Study ?? default(Uid)) { KeepsBodies = change.Study is not null });
        foreach (var bodies in change.Bodies) Invalidated?.Invoke(bodies);
    }

    private void RemoveBodies(string backend, SeriesPath path)
    {
        entries.Remove(backend, path);
        Invalidated?.Invoke(new(backend, path));
    }
}
