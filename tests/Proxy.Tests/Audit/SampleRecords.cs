using Proxy.Audit;

namespace Proxy.Tests.Audit;

/// <summary>Records of every event.</summary>
internal static class SampleRecords
{
    public static readonly DateTimeOffset Time = new(2026, 11, 28, 9, 30, 0, TimeSpan.Zero);

    /// <summary>The frames of a study that a user has looked at.</summary>
    public static AuditRecord Frames { get; } = Create(AuditEvent.InstancesAccessed) with
    {
        Subject = "frames",
        Study = "1.2.840.1",
        Series = "1.2.840.1.1",
        Patient = new("P7", "DOE^JANE"),
        Backends = ["east"],
        Counts = new(240, 240, 235, 5, Time.AddMinutes(4)),
    };

    /// <summary>A search.</summary>
    public static AuditRecord Search { get; } = Create(AuditEvent.Query) with
    {
        Action = "E",
        Subject = "search",
        Query = "/dicomweb/studies?PatientID=P7",
        Backends = ["east", "west"],
        Source = "miss",
    };

    /// <summary>A record of each event.</summary>
    public static IReadOnlyList<AuditRecord> All { get; } =
    [
        Frames, Search,
        Create(AuditEvent.ApplicationActivity) with { Type = AuditEventType.ApplicationStart, Action = "E", UserId = "", Address = "" },
        Create(AuditEvent.BeginTransferring) with { Action = "E", Subject = "prefetch" },
        Create(AuditEvent.InstancesTransferred) with { Action = "C", Subject = "stow", Study = "1.2.3", Backends = ["east"] },
        Create(AuditEvent.InstancesTransferred) with { Subject = "instances", Study = "1.2.3", Source = "hit" },
        Create(AuditEvent.StudyDeleted) with { Action = "D", Subject = "purge", Study = "1.2.3" },
        Create(AuditEvent.SecurityAlert) with
        {
            Type = AuditEventType.EmergencyOverride, Action = "E", Study = "1.2.3", IsEmergency = true, Reason = "resuscitation",
        },
        Create(AuditEvent.UserAuthentication) with
        {
            Type = AuditEventType.Login, Action = "E", Outcome = 4, OutcomeText = "status 401", UserId = "", UserName = "", Issuer = "",
        },
    ];

    public static AuditRecord Create(AuditEvent kind) => new()
    {
        Id = "01a21fd0-c0ac-760b-aff3-002a1a7fdf2a",
        Time = Time,
        Event = kind,
        Action = "R",
        UserId = "anna",
        Issuer = "https://issuer.example",
        UserName = "Anna Example",
        Address = "10.1.2.3",
        UserAgent = "OHIF",
    };
}
