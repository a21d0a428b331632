using System.Collections.Immutable;
using Proxy.Dicom;

namespace Proxy.Metadata;

/// <summary>One backend's answers about one series: a search row, the metadata of its instances, or both.</summary>
/// <param name="Uid">The series instance UID.</param>
public sealed record Series(Uid Uid)
{
    /// <summary>
    /// Attributes that reveal a change without a change in the number of instances, such as a corrected name or description.
    /// </summary>
    private static readonly ImmutableArray<Tag> RevealingTags =
    [
        Tag.StudyDate, new(0x00080021), Tag.StudyTime, new(0x00080031), new(0x00080050), Tag.Modality, new(0x00080090), new(0x00081030),
        new(0x0008103E),
        Tag.PatientName, Tag.PatientId, new(0x00100021), Tag.PatientBirthDate, new(0x00100040), new(0x00200010), Tag.SeriesNumber,
    ];

    /// <summary>The series' row in a search; null when only instances are known.</summary>
    public Dataset? Summary { get; internal init; }

    /// <summary>The metadata of all instances, from the last answer for the whole series.</summary>
    public PackedInstances? Metadata { get; init; }

    /// <summary>The time at which the backend last sent or confirmed <see cref="Metadata"/>.</summary>
    public DateTimeOffset MetadataConfirmedAt { get; init; }

    /// <summary>The validators to revalidate <see cref="Metadata"/>; null when the backend sent none.</summary>
    public Validators? MetadataValidators { get; init; }

    /// <summary>
    /// The metadata of single instances by their UIDs, each read from its own file: not all instances of the series. Instances that
    /// <see cref="Metadata"/> has are here only until their event was raised. Not persisted: the files are.
    /// </summary>
    public ImmutableDictionary<Uid, FileMetadata> FileMetadata { get; init; } = ImmutableDictionary<Uid, FileMetadata>.Empty;

    /// <summary>The search rows of instances.</summary>
    public PackedInstances? InstanceRows { get; init; }

    /// <summary>True until a client requests the prefetched series; no event is raised before that.</summary>
    public bool MadeInClient { get; init; }

    /// <summary>
    /// True until a client requests this prefetched metadata; no event is raised before that. Always true while
    /// <see cref="MadeInClient"/> is.
    /// </summary>
    public bool MetadataMadeInClient { get; init; }

    /// <summary>True when the series or its metadata holds prefetched data that no event has announced yet.</summary>
    public bool HasPrefetched => MadeInClient || (MetadataMadeInClient && Metadata is not null);

    /// <summary>The number of instances in the newest search row; null when all instances arrived later.</summary>
    internal int? SummaryCount { get; init; }

    /// <summary>The search row at the time of the metadata request.</summary>
    internal Dataset? MetadataSummary { get; init; }

    /// <summary>True when a newer row differs from <see cref="MetadataSummary"/>, or after a change (<see cref="IsChanged"/>).</summary>
    internal bool IsMetadataOutdated { get; init; }

    /// <summary>
    /// True after a client changed instances of the series: the metadata must be read again, even if no row of a search differs.
    /// </summary>
    public bool IsChanged => IsMetadataOutdated && MetadataSummary is null;

    /// <summary>The number of instances by the backend's newest answer.</summary>
    public int Count => SummaryCount ?? Metadata?.Count ?? InstanceRows?.Count ?? FileMetadata.Count;

    /// <summary>True when no newer search contradicts the metadata: same number of instances, patient, study and description.</summary>
    public bool IsMetadataComplete =>
        Metadata is { } metadata && (SummaryCount is null || SummaryCount == metadata.Count) && !IsMetadataOutdated;

    /// <summary>True when the backend sent or confirmed the metadata within this time.</summary>
    public bool IsMetadataFresh(TimeSpan lifetime, DateTimeOffset after) =>
        Metadata is not null && Freshness.IsWithin(MetadataConfirmedAt, lifetime, after);

    /// <summary>A copy with a newer search row.</summary>
    public Series WithSummary(Dataset row) => this with
    {
        Summary = row,
        SummaryCount = row.FindInt(Tag.NumberOfSeriesRelatedInstances) ?? SummaryCount,
        IsMetadataOutdated = IsChanged || Differ(MetadataSummary, row),
    };

    /// <summary>A copy with the metadata of all instances, which supersedes the number of instances in an earlier search.</summary>
    /// <param name="metadata">All instances.</param>
    /// <param name="validators">The validators of the answer.</param>
    /// <param name="summary">The search row at the time of the request: the answer need not reflect later changes.</param>
    public Series WithAll(PackedInstances metadata, Validators? validators, Dataset? summary) => this with
    {
        Metadata = metadata,
        MetadataValidators = validators,
        MetadataSummary = summary,
        IsMetadataOutdated = Differ(summary, Summary),
        SummaryCount = summary is null || ReferenceEquals(summary, Summary) ? null : SummaryCount,
    };

    /// <summary>A copy after a client changed instances of the series.</summary>
    /// <param name="oldest">The time from which answers are not fresh any more.</param>
    public Series WithChange(DateTimeOffset oldest) => this with
    {
        MetadataConfirmedAt = MetadataConfirmedAt < oldest ? MetadataConfirmedAt : oldest,
        MetadataValidators = null,
        MetadataSummary = null,
        IsMetadataOutdated = Metadata is not null,
        FileMetadata = FileMetadata.SetItems(
            from file in FileMetadata
            where file.Value.ReceivedAt > oldest
            select KeyValuePair.Create(file.Key, file.Value with { ReceivedAt = oldest })),
    };

    /// <summary>
    /// A copy whose metadata is that of the files of its instances; null unless every instance that the backend's row counts has one that
    /// was received after <paramref name="oldest"/>.
    /// </summary>
    public Series? WithMetadataOfFiles(DateTimeOffset oldest)
    {
        if (Metadata is not null || FileMetadata.IsEmpty || SummaryCount != FileMetadata.Count) return null;
        var receivedAt = FileMetadata.Values.Min(file => file.ReceivedAt);
        if (receivedAt <= oldest) return null;
        var builder = new PackedInstances.Builder();
        foreach (var (uid, file) in FileMetadata.OrderBy(file => file.Key)) builder.Add(uid, file.Instance.JsonAt(0).Span);
        return WithAll(builder.Build(), validators: null, Summary) with
        {
            MetadataConfirmedAt = receivedAt,
            SummaryCount = SummaryCount,
            FileMetadata = ImmutableDictionary<Uid, FileMetadata>.Empty,
        };
    }

    /// <summary>A copy marked as requested by a client, with its metadata as far as it is here.</summary>
    public Series MarkRequested() => this with
    {
        MadeInClient = false,
        MetadataMadeInClient = MetadataMadeInClient && Metadata is null,
        FileMetadata = Metadata is null ? FileMetadata : ImmutableDictionary<Uid, FileMetadata>.Empty,
    };

    /// <summary>The metadata of an instance from its own file; null when it was not read.</summary>
    public FileMetadata? FindFileMetadata(Uid sopInstanceUid) => FileMetadata.GetValueOrDefault(sopInstanceUid);

    /// <summary>An instance from the metadata, else from its own file, else from the search rows; null when unknown.</summary>
    public Instance? FindInstance(string backend, InstancePath path) =>
        Instance.Find(backend, path, Metadata) ?? Instance.Find(backend, path, FindFileMetadata(path.Instance)?.Instance)
            ?? Instance.Find(backend, path, InstanceRows);

    /// <summary>The approximate memory held, in bytes.</summary>
    public long Bytes =>
        400 + (Summary?.Json.Length + 16 * Summary?.Attributes.Length ?? 0) + (Metadata?.PackedBytes ?? 0)
            + (InstanceRows?.PackedBytes ?? 0) + FileMetadata.Values.Sum(file => (long)file.Instance.PackedBytes + 200);

    /// <summary>True when an attribute present in both rows differs. A search may return fewer attributes: that is no difference.</summary>
    private static bool Differ(Dataset? older, Dataset? newer)
    {
        if (older is null || newer is null || ReferenceEquals(older, newer)) return false;
        foreach (var tag in RevealingTags)
        {
            var before = older.FindAttribute(tag);
            var after = newer.FindAttribute(tag);
            if (!before.IsEmpty && !after.IsEmpty && !before.SequenceEqual(after)) return true;
        }
        return false;
    }
}
