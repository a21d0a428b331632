using System.Text.Json.Serialization;

namespace Proxy.Audit;

/// <summary>The events of DICOM PS3.15 §A.5.3; the number is their code in DCM.</summary>
internal enum AuditEvent
{
    /// <summary>The proxy starts or stops.</summary>
    ApplicationActivity = 110100,

    /// <summary>A prefetch job is created.</summary>
    BeginTransferring = 110102,

    /// <summary>Metadata, frames, pictures or bulk data are read, from the cache too.</summary>
    InstancesAccessed = 110103,

    /// <summary>Whole instances leave the proxy, or a client stores them.</summary>
    InstancesTransferred = 110104,

    /// <summary>A study is deleted, in a backend or from the cache.</summary>
    StudyDeleted = 110105,

    /// <summary>A search.</summary>
    Query = 110112,

    /// <summary>Refusals, emergency access, purge of everything, changed settings, lost records.</summary>
    SecurityAlert = 110113,

    /// <summary>A credential is seen for the first time, or refused; a session ends.</summary>
    UserAuthentication = 110114,
}

/// <summary>The type of an event (<c>EventTypeCode</c>, PS3.16 CID 401); the number is its code in DCM.</summary>
internal enum AuditEventType
{
    /// <summary>The event has no type.</summary>
    None = 0,

    /// <summary>The application starts.</summary>
    ApplicationStart = 110120,

    /// <summary>The application stops.</summary>
    ApplicationStop = 110121,

    /// <summary>A user authenticates.</summary>
    Login = 110122,

    /// <summary>A user ends their session.</summary>
    Logout = 110123,

    /// <summary>A node or user is refused repeatedly.</summary>
    NodeAuthentication = 110126,

    /// <summary>A user opens a denied study in an emergency.</summary>
    EmergencyOverride = 110127,

    /// <summary>Settings of the security changed.</summary>
    SecurityConfiguration = 110129,

    /// <summary>Other settings changed.</summary>
    SoftwareConfiguration = 110131,

    /// <summary>An attempt to use a function without the role for it, or the use of a function for operators.</summary>
    RestrictedFunction = 110132,

    /// <summary>Records were lost.</summary>
    AuditRecordingStopped = 110133,
}

/// <summary>One audit record, in the form in which it waits in the outbox. Every sink writes it in its own format.</summary>
internal sealed record AuditRecord
{
    /// <summary>A UUID. A record may be delivered twice: receivers tell by it.</summary>
    public required string Id { get; init; }

    /// <summary>When it happened, UTC; the first access of an aggregated record.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>The event.</summary>
    public required AuditEvent Event { get; init; }

    /// <summary>The type of the event.</summary>
    public AuditEventType Type { get; init; }

    /// <summary><c>C</c>, <c>R</c>, <c>U</c>, <c>D</c> or <c>E</c>: create, read, update, delete, execute.</summary>
    public required string Action { get; init; }

    /// <summary>0 success, 4 minor, 8 serious, 12 major failure.</summary>
    public int Outcome { get; init; }

    /// <summary>Why it failed, such as <c>denied</c> or <c>status 404</c>; null after a success.</summary>
    public string? OutcomeText { get; init; }

    /// <summary>Who: the identity; empty for an anonymous client and for the proxy itself.</summary>
    public string UserId { get; init; } = "";

    /// <summary>Who vouches for the identity.</summary>
    public string Issuer { get; init; } = "";

    /// <summary>The name of the user.</summary>
    public string UserName { get; init; } = "";

    /// <summary>The client's IP address; empty for the proxy itself.</summary>
    public string Address { get; init; } = "";

    /// <summary>The client's program as it names itself.</summary>
    public string UserAgent { get; init; } = "";

    /// <summary>What was read or changed, such as <c>frames</c>; empty for none.</summary>
    public string Subject { get; init; } = "";

    /// <summary>The study; null for none.</summary>
    public string? Study { get; init; }

    /// <summary>The series, if it is one; null otherwise.</summary>
    public string? Series { get; init; }

    /// <summary>The instance, if it is one; null otherwise.</summary>
    public string? Instance { get; init; }

    /// <summary>The patient of the study, as the metadata store knows it; null if it does not.</summary>
    public AuditPatient? Patient { get; init; }

    /// <summary>The backends whose data it concerns.</summary>
    public IReadOnlyList<string> Backends { get; init; } = [];

    /// <summary>The query or the forwarded request; null for none.</summary>
    public string? Query { get; init; }

    /// <summary><c>hit</c>, <c>collapsed</c>, <c>stale</c> or <c>miss</c>; null for several or none.</summary>
    public string? Source { get; init; }

    /// <summary>The counts of an aggregated record; null for a record of one request.</summary>
    public AuditCounts? Counts { get; init; }

    /// <summary>Whether the caller opened a denied study in an emergency.</summary>
    public bool IsEmergency { get; init; }

    /// <summary>The stated reason of an emergency access, or the text of an alert; null for none.</summary>
    public string? Reason { get; init; }
}

/// <summary>The patient of a study.</summary>
/// <param name="Id">Patient ID (0010,0020); empty if unknown.</param>
/// <param name="Name">Patient's Name (0010,0010); empty if unknown.</param>
public sealed record AuditPatient(string Id, string Name);

/// <summary>What an aggregated record stands for.</summary>
/// <param name="Requests">The number of requests.</param>
/// <param name="Frames">The number of frames in them.</param>
/// <param name="Hits">The requests that the cache answered, stale and collapsed ones included.</param>
/// <param name="Misses">The requests for which a backend was asked.</param>
/// <param name="Until">When the last one ended, UTC.</param>
internal sealed record AuditCounts(int Requests, int Frames, int Hits, int Misses, DateTimeOffset Until);

/// <summary>Reads and writes records in the outbox, one line each: JSON escapes every line break.</summary>
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(AuditRecord))]
internal sealed partial class AuditJson : JsonSerializerContext;
