using System.Collections.Immutable;
using Proxy.Dicom;

namespace Proxy.Store;

/// <summary>Something new in the store.</summary>
/// <param name="Name"><see cref="SeriesAdded"/> or <see cref="InstancesAdded"/>.</param>
/// <param name="Study">The study that it is in.</param>
/// <param name="Series">The series that got instances; null where series were added.</param>
/// <param name="Backend">Whose series list grew.</param>
/// <param name="Added">Only what was not there before: series, or instances.</param>
public sealed record StoreEvent(string Name, Uid Study, Uid? Series, string Backend, ImmutableArray<Uid> Added)
{
    /// <summary>Series of a study have their summaries.</summary>
    public const string SeriesAdded = "SERIES_ADDED";

    /// <summary>Instances of a series have their metadata.</summary>
    public const string InstancesAdded = "INSTANCES_ADDED";
}
