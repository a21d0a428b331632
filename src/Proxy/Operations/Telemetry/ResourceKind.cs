namespace Proxy.Operations.Telemetry;

/// <summary>The kind of resource that a DICOMweb request reads.</summary>
public enum ResourceKind
{
    /// <summary>The results of a search.</summary>
    Search,

    /// <summary>Metadata.</summary>
    Metadata,

    /// <summary>Frames.</summary>
    Frame,

    /// <summary>Whole instances: one, or those of a series or a study.</summary>
    Instance,

    /// <summary>Bulk data.</summary>
    BulkData,

    /// <summary>Pictures.</summary>
    Rendered,
}

/// <summary>The kind of a resource by its path, and its label in metrics.</summary>
public static class ResourceKinds
{
    private static readonly string[] Labels = ["search", "metadata", "frame", "instance", "bulkdata", "rendered"];

    /// <summary>The label of a kind.</summary>
    public static string GetLabel(ResourceKind kind) => Labels[(int)kind];

    /// <summary>The kind of the resource at a path, or at a route pattern, below a DICOMweb root.</summary>
    public static ResourceKind FromPath(ReadOnlySpan<char> path)
    {
        path = path.TrimEnd('/');
        if (path.EndsWith("/rendered") || path.EndsWith("/thumbnail")) return ResourceKind.Rendered;
        if (path.EndsWith("/metadata")) return ResourceKind.Metadata;
        if (path.Contains("/frames", StringComparison.Ordinal)) return ResourceKind.Frame;
        if (path.Contains("bulkdata", StringComparison.Ordinal)) return ResourceKind.BulkData;
        var isList = path.EndsWith("/studies") || path.EndsWith("/series") || path.EndsWith("/instances");
        return isList ? ResourceKind.Search : ResourceKind.Instance;
    }
}
