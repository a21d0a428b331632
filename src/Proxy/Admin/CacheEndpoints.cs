using Proxy.Backends;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Admin;

/// <summary><c>/cache</c>: statistics of the cache by tier and backend, and purging.</summary>
internal static class CacheEndpoints
{
    /// <summary>Maps <c>/cache</c>.</summary>
    public static void MapCache(this IEndpointRouteBuilder app)
    {
        app.MapGet(
            "/cache",
            (HttpContext context, DicomMetadataStore store, MemoryParts memory, EntryCache entries, DiskTier disk,
            Reloadable<CacheOptions> options) =>
            TypedResults.Json(Show(context.GetAccess(), store, memory, entries, disk, options.Value)));
        app.MapDelete("/cache", PurgeAllAsync);
        app.MapDelete("/cache/studies/{study}", PurgeStudyAsync);
    }

    private static object Show(
        Access access, DicomMetadataStore store, MemoryParts memory, EntryCache entries, DiskTier disk, CacheOptions options)
    {
        var held = memory.ReadAll<EntryKey, Entry>().ToLookup(e => e.Key.Backend, e => e.Value, StringComparer.OrdinalIgnoreCase);
        var shares = disk.Writer.Shares.ToDictionary(s => s.Backend, StringComparer.OrdinalIgnoreCase);
        var (writer, state, studies) = (disk.Writer, disk.State, store.CountByBackend());
        return new Dictionary<string, object>
        {
            ["store"] = new { studies = store.Count, bytes = store.Bytes, maxBytes = options.StoreMaxBytes },
            ["memory"] = new Dictionary<string, object?>(ShowNumbers(
                memory.Entries, memory.Bytes, entries.Statistics.Hits, entries.Statistics.Misses, memory.Evictions,
                FindOldest(held.SelectMany(e => e))))
            {
                ["maxBytes"] = options.MemoryMaxBytes,
                ["inFlight"] = memory.InFlight.Bytes,
                ["ahead"] = memory.PrefetchedBytes,
            },
            ["disk"] = new Dictionary<string, object?>(ShowNumbers(
                writer.Entries, writer.Bytes, disk.Statistics.Hits, disk.Statistics.Misses, writer.Evictions,
                shares.Values.Select(s => (DateTimeOffset?)s.Oldest).Min()))
            {
                ["maxBytes"] = options.DiskMaxBytes,
                ["ahead"] = writer.PrefetchedBytes,
                ["state"] = state.Name,
                ["reason"] = state.Reason,
                ["damaged"] = disk.Damaged,
                ["unkept"] = writer.WriteFailures,
                ["scanning"] = writer.IsScanning,
            },
            ["backends"] = access.Backends.ToDictionary(b => b.Name, b =>
            {
                var (share, ofMemory, ofDisk) = (
                    shares.GetValueOrDefault(b.Name), entries.Statistics.Get(b.Name), disk.Statistics.Get(b.Name));
                return new
                {
                    studies = studies.GetValueOrDefault(b.Name),
                    memory = ShowNumbers(
                        held[b.Name].Count(), held[b.Name].Sum(e => e.Length), ofMemory.Hits, ofMemory.Misses, ofMemory.Evictions,
                        FindOldest(held[b.Name])),
                    disk = ShowNumbers(
                        share?.Entries ?? 0, share?.Bytes ?? 0, ofDisk.Hits, ofDisk.Misses, ofDisk.Evictions, share?.Oldest),
                };
            }),
        };
    }

    /// <summary>The statistics of a tier, for all backends or for one.</summary>
    private static Dictionary<string, object?> ShowNumbers(
        long entries, long bytes, long hits, long misses, long evictions, DateTimeOffset? oldest) => new()
        {
            ["entries"] = entries,
            ["bytes"] = bytes,
            ["hits"] = hits,
            ["misses"] = misses,
            ["evictions"] = evictions,
            ["hitRatio"] = GetRatio(hits, misses),
            ["oldest"] = oldest,
        };

    private static async Task<IResult> PurgeAllAsync(StudyInvalidation invalidation) =>
        AnswerPurge(await invalidation.PurgeAsync(study: null));

    private static async Task<IResult> PurgeStudyAsync(HttpContext context, StudyInvalidation invalidation) =>
        context.TryReadUids(out var study, out _, out _, out var problem)
            ? AnswerPurge(await invalidation.PurgeAsync(study!.Value))
            : problem;

    private static IResult AnswerPurge(bool isDeleted) =>
        isDeleted
            ? TypedResults.NoContent()
            : Problems.DiskUnavailable(
                "The entries are no longer served, but cannot be deleted from disk now. They are deleted once the disk is writable again.");

    private static double? GetRatio(long hits, long misses) => hits + misses == 0 ? null : Math.Round((double)hits / (hits + misses), 4);

    private static DateTimeOffset? FindOldest(IEnumerable<Entry> entries) => entries.Select(e => (DateTimeOffset?)e.Stored).Min();
}
