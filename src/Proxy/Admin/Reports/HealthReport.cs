using System.Text.Json.Serialization;

namespace Proxy.Admin.Reports;

/// <summary>What <c>GET /health/live</c> answers, and <c>GET /health/ready</c> without the role operator.</summary>
internal sealed record LivenessReport(string Status);

/// <summary>
/// What <c>GET /health/ready</c> answers. <c>Status</c> is <c>ready</c>, or with 503 <c>starting</c>, <c>stopping</c> or <c>unusable</c>.
/// <c>Viewer</c> is the path of the viewer on the proxy, null without one.
/// </summary>
internal sealed record HealthReport(
    string Status, IReadOnlyDictionary<string, BackendReport> Backends, SearchHealth Search, StoreHealth Store, DiskHealth Disk,
    MemoryHealth Memory, string? Viewer)
{
    /// <summary>The shared cache; null without one.</summary>
    public ClusterHealth? Cluster { get; init; }
}

/// <summary>A backend without requests yet.</summary>
[JsonDerivedType(typeof(AskedBackendReport))]
internal record BackendReport
{
    /// <summary><c>up</c>, <c>down</c> or <c>unknown</c>.</summary>
    public required string State { get; init; }

    /// <summary><c>closed</c> or <c>open</c>.</summary>
    [JsonPropertyOrder(2)]
    public required string Circuit { get; init; }

    /// <summary>The results of health checks by destination name.</summary>
    [JsonPropertyOrder(4)]
    public required IReadOnlyDictionary<string, string> Destinations { get; init; }
}

/// <summary>A backend that has had requests.</summary>
internal sealed record AskedBackendReport : BackendReport
{
    /// <summary>When the state changed.</summary>
    [JsonPropertyOrder(1)]
    public required DateTimeOffset Since { get; init; }

    /// <summary>How often the circuit opened.</summary>
    [JsonPropertyOrder(3)]
    public required long Opened { get; init; }

    /// <summary>The number of requests.</summary>
    [JsonPropertyOrder(3)]
    public required long Asked { get; init; }

    /// <summary>The number of failed requests.</summary>
    [JsonPropertyOrder(3)]
    public required long Failed { get; init; }

    /// <summary>The latest failure; null for none.</summary>
    [JsonPropertyOrder(3)]
    public required string? LastFailure { get; init; }
}

/// <summary>Studies that backends assign to different patients.</summary>
internal sealed record SearchHealth(long IdentityConflicts);

/// <summary>The metadata store; <c>Damaged</c> counts unreadable studies on disk.</summary>
internal sealed record StoreHealth(long Studies, long Bytes, long Damaged);

/// <summary>The disk tier; <c>Reason</c> is null while the folder is ready.</summary>
internal sealed record DiskHealth(string State, string? Reason, long Entries, long Bytes, long MaxBytes);

/// <summary>The memory tier.</summary>
internal sealed record MemoryHealth(long Entries, long Bytes, long MaxBytes);

/// <summary>
/// The shared cache: <c>State</c> is <c>up</c> or <c>degraded</c>, and <c>Reason</c> is null while it is up. <c>Node</c> names this
/// process.
/// </summary>
internal sealed record ClusterHealth(string State, string? Reason, string Node);
