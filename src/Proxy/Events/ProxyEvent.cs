using System.Collections.Immutable;
using System.Text.Json;
using Proxy.Dicom;

namespace Proxy.Events;

/// <summary>
/// Something that happened: in the metadata store, to a backend, to a prefetch job. Names UIDs and backends, never a patient.
/// </summary>
/// <param name="Name">One of <see cref="Names"/>, or <see cref="Gap"/>.</param>
public sealed record ProxyEvent(string Name)
{
    /// <summary>Series of a study have their summaries; <see cref="Added"/> names them.</summary>
    public const string SeriesAdded = "SERIES_ADDED";

    /// <summary>Instances of a series have their metadata; <see cref="Added"/> names them.</summary>
    public const string InstancesAdded = "INSTANCES_ADDED";

    /// <summary>A backend no longer holds a study that somebody was told of.</summary>
    public const string StudyRemoved = "STUDY_REMOVED";

    /// <summary>A backend no longer holds a series that somebody was told of.</summary>
    public const string SeriesRemoved = "SERIES_REMOVED";

    /// <summary>A series is given from <see cref="Backend"/> now, and was from another.</summary>
    public const string SeriesMoved = "SERIES_MOVED";

    /// <summary>A backend answers again.</summary>
    public const string BackendUp = "BACKEND_UP";

    /// <summary>A backend failed.</summary>
    public const string BackendDown = "BACKEND_DOWN";

    /// <summary>A prefetch job came further.</summary>
    public const string PrefetchProgress = "PREFETCH_PROGRESS";

    /// <summary>Events are lost to this reader. Nobody publishes it: whoever is late finds it in their place.</summary>
    public const string Gap = "gap";

    /// <summary>What may be published, and asked for.</summary>
    public static readonly ImmutableArray<string> Names = [
        SeriesAdded, InstancesAdded, StudyRemoved, SeriesRemoved, SeriesMoved, BackendUp, BackendDown, PrefetchProgress];

    /// <summary>Its place among all events of the process, from 1; 0 before it is published.</summary>
    public long Id { get; internal init; }

    public Uid? Study { get; init; }

    /// <summary>Null where series were added.</summary>
    public Uid? Series { get; init; }

    public string? Backend { get; init; }

    /// <summary>Whether it was fetched ahead; null where that means nothing.</summary>
    public bool? MadeInClient { get; init; }

    /// <summary>Only what was not there before: series, or instances.</summary>
    public ImmutableArray<Uid> Added { get; init; } = [];

    /// <summary>Further members of its data.</summary>
    public ImmutableSortedDictionary<string, JsonElement> More { get; private init; } = ImmutableSortedDictionary.Create<string,
    JsonElement>(StringComparer.Ordinal);

    /// <summary>The same with a further member, as it is at this moment.</summary>
    public ProxyEvent With<T>(string member, T value) =>
        this with { More = More.SetItem(member, JsonSerializer.SerializeToElement(value, JsonSerializerOptions.Web)) };
}
