using System.Collections.Immutable;
using System.Text.Json;
using Proxy.Dicom;
using Proxy.Identity;

namespace Proxy.Events;

/// <summary>
/// An event of the metadata store, a backend or a prefetch job. It names UIDs and backends, never patients.
/// </summary>
/// <param name="Name">One of <see cref="Names"/>, or <see cref="Gap"/>.</param>
public sealed record ProxyEvent(string Name)
{
    /// <summary>Series summaries were added to a study; <see cref="Added"/> lists the series.</summary>
    public const string SeriesAdded = "SERIES_ADDED";

    /// <summary>Instance metadata was added to a series; <see cref="Added"/> lists the instances.</summary>
    public const string InstancesAdded = "INSTANCES_ADDED";

    /// <summary>A backend no longer holds a study that an event or answer reported.</summary>
    public const string StudyRemoved = "STUDY_REMOVED";

    /// <summary>A backend no longer holds a series that an event or answer reported.</summary>
    public const string SeriesRemoved = "SERIES_REMOVED";

    /// <summary>A series is now served from <see cref="Backend"/> instead of another backend.</summary>
    public const string SeriesMoved = "SERIES_MOVED";

    /// <summary>A backend answers again.</summary>
    public const string BackendUp = "BACKEND_UP";

    /// <summary>A backend failed.</summary>
    public const string BackendDown = "BACKEND_DOWN";

    /// <summary>A prefetch job made progress.</summary>
    public const string PrefetchProgress = "PREFETCH_PROGRESS";

    /// <summary>Events are lost to this reader. It is never published: a late reader receives it in place of the lost events.</summary>
    public const string Gap = "gap";

    /// <summary>The names of all events except <see cref="Gap"/>.</summary>
    public static readonly ImmutableArray<string> Names = [
        SeriesAdded, InstancesAdded, StudyRemoved, SeriesRemoved, SeriesMoved, BackendUp, BackendDown, PrefetchProgress];

    /// <summary>The sequence number within the process, from 1; 0 before the event is published.</summary>
    public long Id { get; internal init; }

    /// <summary>The study; null if the event concerns none.</summary>
    public Uid? Study { get; init; }

    /// <summary>The series; null if the event concerns none, or several as <see cref="SeriesAdded"/> does.</summary>
    public Uid? Series { get; init; }

    /// <summary>The name of the backend; null if the event concerns none.</summary>
    public string? Backend { get; init; }

    /// <summary>The only backend that the event concerns; null if it may concern any. By default <see cref="Backend"/>. Not sent.</summary>
    public string? Scope
    {
        get => field ?? Backend;
        init;
    }

    /// <summary>The only user who may see the event, by <see cref="Caller.Identity"/>; null for everyone. Not sent.</summary>
    public string? Owner { get; init; }

    /// <summary>Whether a prefetch caused the event; null if not applicable.</summary>
    public bool? MadeInClient { get; init; }

    /// <summary>The UIDs of the new series or instances.</summary>
    public ImmutableArray<Uid> Added { get; init; } = [];

    /// <summary>Further members of the event's JSON data.</summary>
    public ImmutableSortedDictionary<string, JsonElement> More { get; private init; } =
        ImmutableSortedDictionary.Create<string, JsonElement>(StringComparer.Ordinal);

    /// <summary>A copy with a further member; the value is serialized now.</summary>
    public ProxyEvent With<T>(string member, T value) =>
        With(member, JsonSerializer.SerializeToElement(value, JsonSerializerOptions.Web));

    /// <summary>A copy with a further member.</summary>
    public ProxyEvent With(string member, JsonElement value) => this with { More = More.SetItem(member, value) };
}
