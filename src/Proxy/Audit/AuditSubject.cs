using Proxy.Operations.Telemetry;

namespace Proxy.Audit;

/// <summary>What a request reads or changes, as far as the audit distinguishes it.</summary>
internal enum AuditSubject
{
    /// <summary>Nothing that belongs to a patient: files of the page, health, metrics, settings.</summary>
    None,

    /// <summary>A search (QIDO-RS).</summary>
    Search,

    /// <summary>Metadata.</summary>
    Metadata,

    /// <summary>Frames.</summary>
    Frames,

    /// <summary>Pictures.</summary>
    Rendered,

    /// <summary>Bulk data.</summary>
    BulkData,

    /// <summary>Whole instances (WADO-RS, WADO-URI).</summary>
    Instances,

    /// <summary>Instances that a client stores (STOW-RS).</summary>
    Stow,

    /// <summary>The metadata store at <c>/store</c>.</summary>
    Store,

    /// <summary>The cached studies at <c>/cache/studies</c>.</summary>
    CachedStudies,

    /// <summary>A prefetch job.</summary>
    Prefetch,

    /// <summary>The stream of events.</summary>
    Events,

    /// <summary>The deletion of cached data.</summary>
    Purge,

    /// <summary>A forwarded request that deletes or rejects objects of a backend.</summary>
    Deletion,

    /// <summary>Any other forwarded request.</summary>
    Forwarded,

    /// <summary>The end of a session.</summary>
    SignOut,
}

/// <summary>The subject of a request, from its route or its path.</summary>
internal static class AuditSubjects
{
    private const string Root = "/dicomweb";

    private static readonly string[] Names =
    [
        "none", "search", "metadata", "frames", "rendered", "bulkdata", "instances", "stow", "store", "cached studies", "prefetch",
        "events", "purge", "deletion", "forwarded", "sign-out",
    ];

    /// <summary>The name of a subject in records.</summary>
    public static string GetName(AuditSubject subject) => Names[(int)subject];

    /// <summary>Whether many requests of one viewer make one record: for one study there may be thousands.</summary>
    public static bool IsAggregated(AuditSubject subject) =>
        subject is AuditSubject.Frames or AuditSubject.Rendered or AuditSubject.BulkData or AuditSubject.Instances;

    /// <summary>The subject of a request.</summary>
    /// <param name="path">The pattern of its route, or its path if no route matches.</param>
    /// <param name="method">Its method.</param>
    public static AuditSubject Find(string path, string method)
    {
        var isRead = HttpMethods.IsGet(method) || HttpMethods.IsHead(method);
        if (HttpMethods.IsOptions(method)) return AuditSubject.None;
        if (FindRoot(path) is { } below) return FindBelowRoot(below, method, isRead);
        if (IsBelow(path, "/store")) return AuditSubject.Store;
        if (IsBelow(path, "/events")) return AuditSubject.Events;
        if (IsBelow(path, "/prefetch")) return isRead ? AuditSubject.None : AuditSubject.Prefetch;
        if (path.Equals("/sign-out", StringComparison.OrdinalIgnoreCase)) return AuditSubject.SignOut;
        if (IsBelow(path, "/cache") && !isRead) return AuditSubject.Purge;
        return IsBelow(path, "/cache/studies") ? AuditSubject.CachedStudies : AuditSubject.None;
    }

    /// <summary>Whether a path is below a DICOMweb root or one of the other addresses with data of patients.</summary>
    public static bool IsData(string path) =>
        FindRoot(path) is not null || IsBelow(path, "/store") || IsBelow(path, "/events") || IsBelow(path, "/prefetch");

    private static AuditSubject FindBelowRoot(string below, string method, bool isRead)
    {
        var isStudy = below.StartsWith("/studies", StringComparison.OrdinalIgnoreCase);
        var isObject = isStudy || IsBelow(below, "/series") || IsBelow(below, "/instances");
        if (HttpMethods.IsDelete(method) && isStudy || below.Contains("/reject/", StringComparison.OrdinalIgnoreCase))
            return AuditSubject.Deletion;
        if (HttpMethods.IsPost(method) && isStudy) return AuditSubject.Stow;
        if (!isRead) return AuditSubject.Forwarded;
        // The root alone is WADO-URI.
        if (below.Length <= 1) return AuditSubject.Instances;
        if (!isObject) return AuditSubject.Forwarded;
        return ResourceKinds.FromPath(below) switch
        {
            ResourceKind.Search => AuditSubject.Search,
            ResourceKind.Metadata => AuditSubject.Metadata,
            ResourceKind.Frame => AuditSubject.Frames,
            ResourceKind.Rendered => AuditSubject.Rendered,
            ResourceKind.BulkData => AuditSubject.BulkData,
            _ => AuditSubject.Instances,
        };
    }

    /// <summary>The part of a path behind a DICOMweb root; null if it is not below one.</summary>
    private static string? FindRoot(string path)
    {
        if (IsBelow(path, Root)) return path[Root.Length..];
        if (!IsBelow(path, "/backends")) return null;
        var end = path.IndexOf('/', Math.Min("/backends/".Length, path.Length));
        return end > 0 && IsBelow(path[end..], Root) ? path[(end + Root.Length)..] : null;
    }

    private static bool IsBelow(string path, string folder) =>
        path.StartsWith(folder, StringComparison.OrdinalIgnoreCase) && (path.Length == folder.Length || path[folder.Length] == '/');
}
