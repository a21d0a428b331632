using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Metadata;

namespace Proxy.Storing;

/// <summary>
/// Fills the store and the cache with the instances of a request that the backend accepted, so that it need not be asked for them.
/// </summary>
/// <remarks>
/// <code>
/// 1 capture   the bytes, while they pass (StowCaptures)
/// 2 accept    only instances that the backend references with its own Retrieve URL and without a warning, and did not hold before
/// 3 add       the dataset to the store; a file that is not a dataset of this instance is dropped
/// 4 cache     the file as the stored form of the instance
/// </code>
/// Call it after the invalidation: that would remove what is added here.
/// </remarks>
public sealed class WriteThrough(
    EntryCache cache, FileMetadataReader reader, DicomMetadataStore store, StudyInvalidation invalidation, AbsenceCheck absence,
    TimeProvider time)
{
    /// <summary>Begins with a request that stores in a backend. Dispose the captures after <see cref="KeepAsync"/>.</summary>
    internal StowCaptures Begin(BackendOptions backend) => new(backend, cache, absence, reader, time);

    /// <summary>Keeps what the backend accepted.</summary>
    /// <param name="captures">The instances that passed, all of them completely.</param>
    /// <param name="accepted">The instances that the backend stored unchanged, as far as it tells.</param>
    internal async Task KeepAsync(StowCaptures captures, IReadOnlySet<InstancePath> accepted)
    {
        var backend = captures.Backend.Name;
        // 2
        foreach (var one in captures.Proven.Where(one => accepted.Contains(one.Path)).ToList())
        {
            if (await one.Dataset is not { } dataset) continue;
            var now = time.GetUtcNow();
            if (one.Bytes.Build(one.TransferSyntax, now) is not { } entry) continue;
            // 3
            store.AddFileMetadata(backend, one.Path, new(dataset, now));
            // 4
            if (await cache.AddCapturedAsync(one.Bytes, entry)) continue;
            // It was deleted or stored again meanwhile.
            invalidation.Follow(StudyChange.Of(backend, one.Path.Study, one.Path.Series, one.Path.Instance));
        }
    }
}
