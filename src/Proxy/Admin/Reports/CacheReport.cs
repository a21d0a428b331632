using System.Text.Json.Serialization;

namespace Proxy.Admin.Reports;

/// <summary>What <c>GET /cache</c> answers.</summary>
internal sealed record CacheReport(
    StoreUsage Store, MemoryReport Memory, DiskReport Disk, IReadOnlyDictionary<string, BackendUsage> Backends);

/// <summary>The size of the metadata store in memory.</summary>
internal sealed record StoreUsage(long Studies, long Bytes, long MaxBytes);

/// <summary>What the cache holds of one backend.</summary>
internal sealed record BackendUsage(int Studies, TierReport Memory, TierReport Disk);

/// <summary>The statistics of a tier since the start, for all backends or for one.</summary>
internal record TierReport
{
    public required long Entries { get; init; }

    public required long Bytes { get; init; }

    public required long Hits { get; init; }

    public required long Misses { get; init; }

    public required long Evictions { get; init; }

    /// <summary>The share of lookups that found an entry; null before the first.</summary>
    public double? HitRatio => Hits + Misses == 0 ? null : Math.Round((double)Hits / (Hits + Misses), 4);

    /// <summary>When the oldest entry was stored; null without entries.</summary>
    public required DateTimeOffset? Oldest { get; init; }
}

/// <summary>The memory tier.</summary>
internal sealed record MemoryReport : TierReport
{
    /// <summary>The budget, including the metadata store.</summary>
    [JsonPropertyOrder(1)]
    public required long MaxBytes { get; init; }

    /// <summary>The size of bodies in transfer that are not in the tier.</summary>
    [JsonPropertyOrder(1)]
    [JsonPropertyName("inFlight")]
    public required long InFlightBytes { get; init; }

    /// <summary>The size of prefetched entries that no client has requested yet.</summary>
    [JsonPropertyOrder(1)]
    [JsonPropertyName("ahead")]
    public required long PrefetchedBytes { get; init; }
}

/// <summary>The disk tier.</summary>
internal sealed record DiskReport : TierReport
{
    /// <summary>The budget, including the metadata store.</summary>
    [JsonPropertyOrder(1)]
    public required long MaxBytes { get; init; }

    /// <summary>The size of prefetched entries that no client has requested yet.</summary>
    [JsonPropertyOrder(1)]
    [JsonPropertyName("ahead")]
    public required long PrefetchedBytes { get; init; }

    /// <summary>The state of the cache folder.</summary>
    [JsonPropertyOrder(1)]
    public required string State { get; init; }

    /// <summary>Why the folder is not ready; null if it is.</summary>
    [JsonPropertyOrder(1)]
    public required string? Reason { get; init; }

    /// <summary>The number of invalid files found.</summary>
    [JsonPropertyOrder(1)]
    public required long Damaged { get; init; }

    /// <summary>The number of entries that could not be written.</summary>
    [JsonPropertyOrder(1)]
    [JsonPropertyName("unkept")]
    public required long WriteFailures { get; init; }

    /// <summary>Whether the folder is being scanned, so that the numbers are not complete.</summary>
    [JsonPropertyOrder(1)]
    [JsonPropertyName("scanning")]
    public required bool IsScanning { get; init; }
}
