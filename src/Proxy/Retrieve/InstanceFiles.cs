using Proxy.Backends;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Operations;
using Proxy.Retrieve.Checks;

namespace Proxy.Retrieve;

/// <summary>Reads the metadata of single instances from their own files, when a client has retrieved the whole instance.</summary>
/// <remarks>
/// <code>
/// 1 received   an instance that was requested alone is complete and verified: its dataset goes into the store, if that has none
/// 2 asked      metadata of the instance: from the store, else from the cached file; no backend is asked
/// </code>
/// Step 1 runs behind the answer to the client. Step 2 needs it for no correct answer, only for speed: the file is in the cache. Files
/// that are not in memory, or cannot be read as a dataset, are left to the backend's own metadata.
/// </remarks>
public sealed class InstanceFiles(
    EntryCache cache, FileMetadataReader reader, SeriesLocator locator, DicomMetadataStore store, Reloadable<CacheOptions> options,
    TimeProvider time, ILogger<InstanceFiles> log) : IHostedService
{
    /// <summary>The forms in which an instance is usually cached.</summary>
    private static readonly BodyFormat[] Formats =
        [new(BodyFormat.Dicom, BodyFormat.Any), new(BodyFormat.Dicom, BodyFormat.ExplicitLittleEndian)];

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        cache.InstanceReceived += OnReceived;
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        cache.InstanceReceived -= OnReceived;
        return Task.CompletedTask;
    }

    /// <summary>
    /// The metadata of an instance of the owner of its series, from its file; null when the file is not known, or too old.
    /// </summary>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="path">The instance.</param>
    /// <param name="failures">
    /// The backends that failed, for stale metadata up to its maximum age; null for fresh metadata.
    /// </param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public async ValueTask<SeriesResult?> FindAsync(
        Access access, InstancePath path, IReadOnlyList<BackendFailure>? failures, CancellationToken cancellation)
    {
        var owner = locator.GetHolders(store.GetStudy(path.Study), access, path.Series).FirstOrDefault();
        if (owner?.FindSeries(path.Series) is not { } series) return null;
        var lifetime = failures is null ? options.Value.MetadataFreshness : options.Value.MetadataMaxStale;
        var found = series.FindFileMetadata(path.Instance);
        if (found is null || !Freshness.IsWithin(found.ReceivedAt, lifetime, time.GetUtcNow()))
            found = await ReadCachedAsync(owner.Backend, path, lifetime, cancellation);
        if (found is null) return null;
        store.MarkMetadataRequested(owner.Backend, path.SeriesPath);
        return new(
            found.Instance, owner.Backend, found.ReceivedAt, failures is null ? CacheStatus.Hit : CacheStatus.Stale, failures ?? []);
    }

    // 1
    private void OnReceived(EntryKey key, Entry entry) => _ = FileAsync(key, entry);

    private async Task FileAsync(EntryKey key, Entry entry)
    {
        try
        {
            if (!EntryCheck.TryParsePath(key.Path, out var path, out var frame) || frame is not null) return;
            using var lease = await store.LeaseAsync(path.Study, CancellationToken.None);
            var series = store.GetStudy(path.Study)?.GetList(key.Backend).FindSeries(path.Series);
            if (series?.Metadata?.Has(path.Instance) == true) return;
            using var body = new MemoryBody(entry);
            await reader.ReadAsync(key.Backend, path, body, CancellationToken.None);
        }
        catch (Exception e)
        {
            log.UnhandledException(e);
        }
    }

    // 2
    private async ValueTask<FileMetadata?> ReadCachedAsync(
        string backend, InstancePath path, TimeSpan lifetime, CancellationToken cancellation)
    {
        var wanted = Formats.Select(format => new AcceptableEntry(new(backend, path.ToString(), format)));
        if (await cache.FindAsync(wanted, cancellation) is not var (_, body)) return null;
        using (body)
        {
            return body.Stored is { } stored && Freshness.IsWithin(stored, lifetime, time.GetUtcNow())
                ? await reader.ReadAsync(backend, path, body, cancellation)
                : null;
        }
    }
}
