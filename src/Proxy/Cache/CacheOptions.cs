using Proxy.Operations;

namespace Proxy.Cache;

/// <summary>What is kept, and for how long it is believed.</summary>
/// <param name="MemoryMaxBytes">
/// Everything that is held in memory: frames, bulk data, ready answers, and bodies on their way. An eighth of it is set aside for the
/// metadata store.
/// </param>
/// <param name="PacksFrames">
/// Uncompressed frames that are asked for again are packed for clients that take it: half the bytes, and work for the client.
/// </param>
/// <param name="DiskPath">The folder for what outlives the process; null for none.</param>
/// <param name="DiskMaxBytes">Everything in that folder.</param>
/// <param name="MetadataFreshness">After this time a backend is asked whether what is kept of a study still holds.</param>
/// <param name="MetadataMaxStale">How old that may be, at most, to stand in for a backend that cannot be asked.</param>
public sealed record CacheOptions(
    long MemoryMaxBytes, bool PacksFrames, string? DiskPath, long DiskMaxBytes, TimeSpan MetadataFreshness, TimeSpan MetadataMaxStale)
{
    /// <summary>
    /// A whole multi-frame instance may have 2 GiB; more than that is no instance (PS3.5 §7.1.1), but bulk data may be larger.
    /// </summary>
    public const long DefaultMaxBodyBytes = 8L << 30;

    /// <summary>A frame, an instance or bulk data that is larger is refused (502), in bytes; 1 MiB at least.</summary>
    public long MaxBodyBytes { get; init; } = DefaultMaxBodyBytes;

    public static CacheOptions Read(SettingsReader settings)
    {
        settings.RefuseOthers("Cache", "Memory", "Metadata", "Disk", "MaxBodyBytes");
        settings.RefuseOthers("Cache:Memory", "MaxBytes", "PackFrames");
        settings.RefuseOthers("Cache:Disk", "Path", "MaxBytes");
        settings.RefuseOthers("Cache:Metadata", "Freshness", "MaxStale");
        return new(
            settings.ReadNumber("Cache:Memory:MaxBytes", 1L << 30, 1L << 20),
            settings.ReadFlag("Cache:Memory:PackFrames", true),
            settings.FindText("Cache:Disk:Path"),
            settings.ReadNumber("Cache:Disk:MaxBytes", 100L << 30, 16L << 20),
            settings.ReadDuration("Cache:Metadata:Freshness", TimeSpan.FromMinutes(1), TimeSpan.Zero, TimeSpan.FromDays(365)),
            settings.ReadDuration("Cache:Metadata:MaxStale", TimeSpan.FromDays(1), TimeSpan.Zero, TimeSpan.FromDays(365)))
        {
            MaxBodyBytes = settings.ReadNumber("Cache:MaxBodyBytes", DefaultMaxBodyBytes, 1L << 20),
        };
    }

    /// <summary>The share of the memory that the metadata store may hold, in bytes.</summary>
    public long StoreMaxBytes => MemoryMaxBytes / 8;

    /// <summary>The share of the memory that the memory tier may hold, in bytes.</summary>
    public long TierMaxBytes => MemoryMaxBytes - StoreMaxBytes;

    /// <summary>The most that waits in memory to be written to disk, in bytes.</summary>
    public long QueueMaxBytes => Math.Min(OnDisk.DiskQueue.MostBytes, MemoryMaxBytes / 8);

    /// <summary>
    /// The share of the disk that the metadata store may hold, in bytes: a CT instance takes some 230 of metadata and 512 Ki of pixels.
    /// </summary>
    public long StoreDiskMaxBytes => DiskMaxBytes / 16;

    /// <summary>The share of the disk that the disk tier may hold, in bytes.</summary>
    public long TierDiskMaxBytes => DiskMaxBytes - StoreDiskMaxBytes;
}
