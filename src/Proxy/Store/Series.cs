using Proxy.Dicom;

namespace Proxy.Store;

/// <summary>What one backend said of one series: a search's row, its instances' metadata, or both.</summary>
public sealed record Series(Uid Uid)
{
    private readonly Dataset? _summary;

    /// <summary>The row that a search gave; null when only instances were seen.</summary>
    public Dataset? Summary
    {
        get => _summary;
        init
        {
            _summary = value;
            SummaryCount = value?.FindInt(Tag.NumberOfSeriesRelatedInstances) ?? SummaryCount;
        }
    }

    /// <summary>The metadata of all instances, as the backend gave it when it was last asked for the whole series.</summary>
    public PackedInstances? Metadata { get; init; }

    /// <summary>When the backend last said, or confirmed, that <see cref="Metadata"/> is what it holds.</summary>
    public DateTimeOffset MetadataAsked { get; init; }

    /// <summary>Instances of which a search gave a row.</summary>
    public PackedInstances? InstanceRows { get; init; }

    /// <summary>True while no client asked for what is here: it was fetched ahead and fired no event.</summary>
    public bool MadeInClient { get; init; }

    /// <summary>How many instances a search said it has; null when none did since all of them came.</summary>
    private int? SummaryCount { get; init; }

    /// <summary>How many instances the backend says it holds, by the newest that it said.</summary>
    public int Count => SummaryCount ?? Metadata?.Count ?? InstanceRows?.Count ?? 0;

    /// <summary>Whether the metadata has the number of instances that a newer search gave.</summary>
    public bool IsMetadataComplete => Metadata is { } metadata && (SummaryCount is null || SummaryCount == metadata.Count);

    public bool IsMetadataFresh(TimeSpan lifetime, DateTimeOffset now) => Metadata is not null && Ages.IsWithin(MetadataAsked, lifetime, now);

    /// <summary>The same with all instances as the backend has just given them: how many a search saw before counts no more.</summary>
    public Series WithAll(PackedInstances metadata) => this with { Metadata = metadata, SummaryCount = null };

    public Instance? FindInstance(string backend, InstancePath path) =>
        (Metadata?.FindJson(path.Instance) ?? InstanceRows?.FindJson(path.Instance)) is { } json ? new(backend, path, json) : null;

    /// <summary>Bytes of memory that are held, nearly.</summary>
    public long Bytes => 400 + (Summary?.Json.Length + 16 * Summary?.Attributes.Length ?? 0) + (Metadata?.PackedBytes ?? 0) + (InstanceRows?.PackedBytes ?? 0);
}
