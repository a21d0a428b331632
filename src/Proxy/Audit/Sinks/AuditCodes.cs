using System.Globalization;

namespace Proxy.Audit.Sinks;

/// <summary>Codes of DCM (PS3.16 Annex D) with their meanings, and what both formats say in the same way.</summary>
internal static class AuditCodes
{
    /// <summary>The role of what data comes from.</summary>
    public const string Source = "110153";

    /// <summary>The role of what receives data.</summary>
    public const string Destination = "110152";

    /// <summary>The role of an application that starts or stops.</summary>
    public const string Application = "110150";

    /// <summary>The name of a client without authentication.</summary>
    public const string Anonymous = "anonymous";

    /// <summary>The code of an event.</summary>
    public static string GetCode(AuditEvent kind) => ((int)kind).ToString(CultureInfo.InvariantCulture);

    /// <summary>The code of the type of an event.</summary>
    public static string GetCode(AuditEventType type) => ((int)type).ToString(CultureInfo.InvariantCulture);

    /// <summary>The meaning of an event.</summary>
    public static string GetMeaning(AuditEvent kind) => kind switch
    {
        AuditEvent.ApplicationActivity => "Application Activity",
        AuditEvent.BeginTransferring => "Begin Transferring DICOM Instances",
        AuditEvent.InstancesAccessed => "DICOM Instances Accessed",
        AuditEvent.InstancesTransferred => "DICOM Instances Transferred",
        AuditEvent.StudyDeleted => "DICOM Study Deleted",
        AuditEvent.Query => "Query",
        AuditEvent.SecurityAlert => "Security Alert",
        _ => "User Authentication",
    };

    /// <summary>The meaning of the type of an event.</summary>
    public static string GetMeaning(AuditEventType type) => type switch
    {
        AuditEventType.ApplicationStart => "Application Start",
        AuditEventType.ApplicationStop => "Application Stop",
        AuditEventType.Login => "Login",
        AuditEventType.Logout => "Logout",
        AuditEventType.NodeAuthentication => "Node Authentication",
        AuditEventType.EmergencyOverride => "Emergency Override Started",
        AuditEventType.SecurityConfiguration => "Security Configuration",
        AuditEventType.SoftwareConfiguration => "Software Configuration",
        AuditEventType.RestrictedFunction => "Use of Restricted Function",
        _ => "Audit Recording Stopped",
    };

    /// <summary>The meaning of a role.</summary>
    public static string GetRole(string code) => code switch
    {
        Source => "Source Role ID",
        Destination => "Destination Role ID",
        _ => "Application",
    };

    /// <summary>Whether data goes from the client to the backends.</summary>
    public static bool IsImport(AuditRecord record) => record is { Event: AuditEvent.InstancesTransferred, Action: "C" };

    /// <summary>What neither format has an element for, as names and values.</summary>
    public static IReadOnlyList<(string Type, string Value)> GetDetails(AuditRecord record)
    {
        var details = new List<(string, string)>();
        Add("subject", record.Subject);
        Add("series", record.Series);
        Add("instance", record.Instance);
        Add("cache", record.Source);
        Add("issuer", record.Issuer);
        Add("userAgent", record.UserAgent);
        if (!record.IsEmergency) Add("description", record.Reason);
        else Add("emergency", string.IsNullOrEmpty(record.Reason) ? "no reason stated" : record.Reason);
        if (record.Counts is not { } counts) return details;
        Add("requests", Show(counts.Requests));
        if (counts.Frames > 0) Add("frames", Show(counts.Frames));
        Add("hits", Show(counts.Hits));
        Add("misses", Show(counts.Misses));
        Add("until", FhirAuditEvent.Format(counts.Until));
        return details;

        void Add(string type, string? value)
        {
            if (!string.IsNullOrEmpty(value)) details.Add((type, value));
        }
    }

    private static string Show(int number) => number.ToString(CultureInfo.InvariantCulture);
}
