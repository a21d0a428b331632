using System.Collections.Immutable;
using Proxy.Dicom;

namespace Proxy.Metadata;

/// <summary>What one backend said of one series: a search's row, its instances' metadata, or both.</summary>
public sealed record Series(Uid Uid)
{
    /// <summary>
    /// What a series' row tells of its study, its patient and itself: a corrected name or description changes no number
    /// of instances, and shows here.
    /// </summary>
    private static readonly ImmutableArray<Tag> Telling =
    [
        Tag.StudyDate, new(0x00080021), Tag.StudyTime, new(0x00080031), new(0x00080050), Tag.Modality, new(0x00080090), new(0x00081030),
        new(0x0008103E),
        Tag.PatientName, Tag.PatientId, new(0x00100021), Tag.PatientBirthDate, new(0x00100040), new(0x00200010), Tag.SeriesNumber,
    ];

    /// <summary>The row that a search gave; null when only instances were seen.</summary>
    public Dataset? Summary { get; internal init; }

    /// <summary>The metadata of all instances, as the backend gave it when it was last asked for the whole series.</summary>
    public PackedInstances? Metadata { get; init; }

    /// <summary>When the backend last said, or confirmed, that <see cref="Metadata"/> is what it holds.</summary>
    public DateTimeOffset MetadataAsked { get; init; }

    /// <summary>By what the backend can be asked whether <see cref="Metadata"/> still holds; null when it gives nothing.</summary>
    public Validators? MetadataValidators { get; init; }

    /// <summary>Instances of which a search gave a row.</summary>
    public PackedInstances? InstanceRows { get; init; }

    /// <summary>True while no client asked for the series: it was fetched ahead and fired no event.</summary>
    public bool MadeInClient { get; init; }

    /// <summary>
    /// True while no client asked for the metadata, which then fired no event. Nobody who did not ask for a series asked for its metadata.
    /// </summary>
    public bool MetadataMadeInClient { get; init; }

    /// <summary>Whether a client that is given the metadata finds something in it that no event named yet.</summary>
    public bool HasPrefetched => MadeInClient || (MetadataMadeInClient && Metadata is not null);

    /// <summary>How many instances a search said it has; null when none did since all of them came.</summary>
    internal int? SummaryCount { get; init; }

    /// <summary>The row that stood when the metadata was asked for.</summary>
    internal Dataset? MetadataSummary { get; init; }

    /// <summary>A newer row tells something else than the one that stood then.</summary>
    internal bool IsBelied { get; init; }

    /// <summary>How many instances the backend says it holds, by the newest that it said.</summary>
    public int Count => SummaryCount ?? Metadata?.Count ?? InstanceRows?.Count ?? 0;

    /// <summary>Whether no newer search contradicts the metadata: as many instances, and the same patient, study and description.</summary>
    public bool IsMetadataComplete =>
        Metadata is { } metadata && (SummaryCount is null || SummaryCount == metadata.Count) && !IsBelied;

    public bool IsMetadataFresh(TimeSpan lifetime, DateTimeOffset now) =>
        Metadata is not null && Freshness.IsWithin(MetadataAsked, lifetime, now);

    /// <summary>The same with a newer row.</summary>
    public Series WithSummary(Dataset row) => this with
    {
        Summary = row,
        SummaryCount = row.FindInt(Tag.NumberOfSeriesRelatedInstances) ?? SummaryCount,
        IsBelied = Differ(MetadataSummary, row),
    };

    /// <summary>The same with all instances as the backend has just given them: how many a search saw before counts no more.</summary>
    /// <param name="metadata">All instances.</param>
    /// <param name="validators">What came with them.</param>
    /// <param name="summary">The row that stood when they were asked for: what changes from then on is not in them.</param>
    public Series WithAll(PackedInstances metadata, Validators? validators, Dataset? summary) => this with
    {
        Metadata = metadata,
        MetadataValidators = validators,
        MetadataSummary = summary,
        IsBelied = Differ(summary, Summary),
        SummaryCount = summary is null || ReferenceEquals(summary, Summary) ? null : SummaryCount,
    };

    /// <summary>The same, seen by a client with whatever is here of its metadata.</summary>
    public Series MarkRequested() => this with { MadeInClient = false, MetadataMadeInClient = MetadataMadeInClient && Metadata is null };

    public Instance? FindInstance(string backend, InstancePath path) =>
        Instance.Find(backend, path, Metadata) ?? Instance.Find(backend, path, InstanceRows);

    /// <summary>Bytes of memory that are held, nearly.</summary>
    public long Bytes =>
        400 + (Summary?.Json.Length + 16 * Summary?.Attributes.Length ?? 0) + (Metadata?.PackedBytes ?? 0)
            + (InstanceRows?.PackedBytes ?? 0);

    /// <summary>Whether what both rows tell is not the same. One search may tell less than another: that is no difference.</summary>
    private static bool Differ(Dataset? older, Dataset? newer)
    {
        if (older is null || newer is null || ReferenceEquals(older, newer)) return false;
        foreach (var tag in Telling)
        {
            var before = older.FindAttribute(tag);
            var now = newer.FindAttribute(tag);
            if (!before.IsEmpty && !now.IsEmpty && !before.SequenceEqual(now)) return true;
        }
        return false;
    }
}
