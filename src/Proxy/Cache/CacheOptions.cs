using Proxy.Disk;
using Proxy.Operations;

namespace Proxy.Cache;

/// <summary>The limits of the cache and the freshness of its metadata.</summary>
/// <param name="MemoryMaxBytes">
/// The memory budget: frames, bulk data, ready answers, and bodies in flight. An eighth of it is reserved for the metadata store.
/// At least 1 MiB; default 1 GiB.
/// </param>
/// <param name="PacksFrames">
/// Compress uncompressed frames that are requested repeatedly, for clients that accept it: half the bytes, but work for the client.
/// Default true.
/// </param>
/// <param name="DiskPath">The folder of the persistent cache; null for none.</param>
/// <param name="DiskMaxBytes">The budget of that folder. At least 16 MiB; default 100 GiB.</param>
/// <param name="MetadataFreshness">
/// The age at which stored metadata is revalidated with its backend. Up to 365 days; default 1 minute.
/// </param>
/// <param name="MetadataMaxStale">
/// The maximum age at which stored metadata may replace an unavailable backend. Up to 365 days; default 1 day.
/// </param>
public sealed record CacheOptions(
    long MemoryMaxBytes, bool PacksFrames, string? DiskPath, long DiskMaxBytes, TimeSpan MetadataFreshness, TimeSpan MetadataMaxStale)
{
    /// <summary>
    /// The default of <see cref="MaxBodyBytes"/>: a multi-frame instance has at most 2 GiB of pixels (PS3.5 §7.1.1), but bulk data may be
    /// larger.
    /// </summary>
    public const long DefaultMaxBodyBytes = 8L << 30;

    private const long CodecDiskBytes = 32L << 20, LeastForCodecs = 1L << 30;

    /// <summary>The maximum length of a frame, an instance or bulk data, in bytes; larger ones are refused (502). At least 1 MiB.</summary>
    public long MaxBodyBytes { get; init; } = DefaultMaxBodyBytes;

    /// <summary>
    /// The age at which a body, and a study that no backend has confirmed for as long, is deleted; zero for none. Up to 10 years;
    /// default zero.
    /// </summary>
    public TimeSpan MaxAge { get; init; }

    /// <summary>The keys that encrypt the cache folder; none for a folder that is not encrypted.</summary>
    public EncryptionOptions Encryption { get; init; } = EncryptionOptions.None;

    /// <summary>Reads the section <c>Cache</c> of the settings.</summary>
    public static CacheOptions Read(SettingsReader settings)
    {
        settings.ReportUnknown("Cache", "Memory", "Metadata", "Disk", "MaxBodyBytes", "MaxAge", "Encryption");
        settings.ReportUnknown("Cache:Memory", "MaxBytes", "PackFrames");
        settings.ReportUnknown("Cache:Disk", "Path", "MaxBytes");
        settings.ReportUnknown("Cache:Metadata", "Freshness", "MaxStale");
        return new(
            settings.ReadNumber("Cache:Memory:MaxBytes", 1L << 30, 1L << 20),
            settings.ReadFlag("Cache:Memory:PackFrames", true),
            settings.FindText("Cache:Disk:Path"),
            settings.ReadNumber("Cache:Disk:MaxBytes", 100L << 30, 16L << 20),
            settings.ReadDuration("Cache:Metadata:Freshness", TimeSpan.FromMinutes(1), TimeSpan.Zero, TimeSpan.FromDays(365)),
            settings.ReadDuration("Cache:Metadata:MaxStale", TimeSpan.FromDays(1), TimeSpan.Zero, TimeSpan.FromDays(365)))
        {
            MaxBodyBytes = settings.ReadNumber("Cache:MaxBodyBytes", DefaultMaxBodyBytes, 1L << 20),
            MaxAge = settings.ReadDuration("Cache:MaxAge", TimeSpan.Zero, TimeSpan.Zero, TimeSpan.FromDays(3650)),
            Encryption = EncryptionOptions.Read(settings),
        };
    }

    /// <summary>The memory budget of the metadata store, in bytes.</summary>
    public long StoreMaxBytes => MemoryMaxBytes / 8;

    /// <summary>The memory budget of the memory tier, in bytes.</summary>
    public long TierMaxBytes => MemoryMaxBytes - StoreMaxBytes;

    /// <summary>The maximum of bytes queued in memory for the disk.</summary>
    public long QueueMaxBytes => Math.Min(OnDisk.DiskQueue.MaxBytesLimit, MemoryMaxBytes / 8);

    /// <summary>
    /// The disk budget of the metadata store, in bytes: a CT instance takes some 230 bytes of metadata and 512 KiB of pixels.
    /// </summary>
    public long StoreDiskMaxBytes => DiskMaxBytes / 16;

    /// <summary>The disk budget of the disk tier, in bytes.</summary>
    public long TierDiskMaxBytes => DiskMaxBytes - StoreDiskMaxBytes - (CodecFolder is null ? 0 : CodecDiskBytes);

    /// <summary>
    /// True when the codecs may be compiled before a client needs them. That takes 300 MB for some 15 s: more than the process may use
    /// beside a small memory budget that is full.
    /// </summary>
    public bool PreparesCodecs => CodecFolder is not null && MemoryMaxBytes >= 1L << 30;

    /// <summary>The folder of the compiled codecs; null when nothing is stored on disk, or when the budget is too small for them.</summary>
    public string? CodecFolder =>
        DiskPath is null || DiskMaxBytes < LeastForCodecs ? null : Path.Join(Path.GetFullPath(DiskPath), "codecs");
}
