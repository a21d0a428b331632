using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Proxy.Audit.Sinks;

/// <summary>Writes a record as a FHIR R4 AuditEvent, one JSON document in one line.</summary>
/// <remarks>
/// <code>
/// type, subtype          event and its type (DCM)
/// action, recorded, outcome, outcomeDesc, purposeOfEvent (break the glass)
/// agent                  the user; the proxy; the backends
/// source                 the proxy
/// entity                 patient; study, with details; query
/// </code>
/// Agents with the role 110153 are the source of the data, those with 110152 its destination (PS3.15 §A.5.3).
/// </remarks>
internal static class FhirAuditEvent
{
    private const string Dcm = "http://dicom.nema.org/resources/ontology/DCM";
    private const string Terminology = "http://terminology.hl7.org/CodeSystem/";

    /// <summary>The format of every time: UTC with milliseconds.</summary>
    internal const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    /// <summary>Writes a record.</summary>
    /// <param name="json">Receives the document.</param>
    /// <param name="record">The record.</param>
    /// <param name="sourceId">The name of the proxy.</param>
    public static void Write(Utf8JsonWriter json, AuditRecord record, string sourceId)
    {
        json.WriteStartObject();
        json.WriteString("resourceType", "AuditEvent");
        json.WriteString("id", record.Id);
        WriteCoding(json, "type", Dcm, AuditCodes.GetCode(record.Event), AuditCodes.GetMeaning(record.Event));
        if (record.Type != AuditEventType.None)
        {
            json.WriteStartArray("subtype");
            WriteCoding(json, null, Dcm, AuditCodes.GetCode(record.Type), AuditCodes.GetMeaning(record.Type));
            json.WriteEndArray();
        }
        json.WriteString("action", record.Action);
        if (record.Counts is { } counts)
        {
            json.WriteStartObject("period");
            json.WriteString("start", Format(record.Time));
            json.WriteString("end", Format(counts.Until));
            json.WriteEndObject();
        }
        json.WriteString("recorded", Format(record.Time));
        json.WriteString("outcome", record.Outcome.ToString(CultureInfo.InvariantCulture));
        if (record.OutcomeText is not null) json.WriteString("outcomeDesc", record.OutcomeText);
        if (record.IsEmergency) WritePurpose(json, record.Reason);
        WriteAgents(json, record, sourceId);
        json.WriteStartObject("source");
        WriteDisplay(json, "observer", sourceId);
        json.WriteStartArray("type");
        WriteCoding(json, null, Terminology + "security-source-type", "4", "Application Server");
        json.WriteEndArray();
        json.WriteEndObject();
        WriteEntities(json, record);
        json.WriteEndObject();
    }

    /// <summary>The time as records state it.</summary>
    internal static string Format(DateTimeOffset time) => time.UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture);

    private static void WritePurpose(Utf8JsonWriter json, string? reason)
    {
        json.WriteStartArray("purposeOfEvent");
        json.WriteStartObject();
        json.WriteStartArray("coding");
        WriteCoding(json, null, Terminology + "v3-ActReason", "BTG", "break the glass");
        json.WriteEndArray();
        if (!string.IsNullOrEmpty(reason)) json.WriteString("text", reason);
        json.WriteEndObject();
        json.WriteEndArray();
    }

    private static void WriteAgents(Utf8JsonWriter json, AuditRecord record, string sourceId)
    {
        json.WriteStartArray("agent");
        var hasUser = record.Address.Length > 0 || record.UserId.Length > 0;
        if (hasUser)
        {
            json.WriteStartObject();
            WriteRole(json, AuditCodes.IsImport(record) ? AuditCodes.Source : AuditCodes.Destination);
            json.WriteStartObject("who");
            if (record.UserId.Length > 0)
            {
                json.WriteStartObject("identifier");
                if (Uri.TryCreate(record.Issuer, UriKind.Absolute, out _)) json.WriteString("system", record.Issuer);
                json.WriteString("value", record.UserId);
                json.WriteEndObject();
            }
            json.WriteString("display", record.UserName.Length > 0 ? record.UserName : AuditCodes.Anonymous);
            json.WriteEndObject();
            if (record.UserName.Length > 0) json.WriteString("name", record.UserName);
            json.WriteBoolean("requestor", true);
            if (record.Address.Length > 0)
            {
                json.WriteStartObject("network");
                json.WriteString("address", record.Address);
                json.WriteString("type", "2");
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        WriteProcess(json, sourceId, record.Event == AuditEvent.ApplicationActivity ? AuditCodes.Application
            : AuditCodes.IsImport(record) ? AuditCodes.Destination : AuditCodes.Source, isRequestor: !hasUser);
        foreach (var backend in record.Backends)
            WriteProcess(json, backend, AuditCodes.IsImport(record) ? AuditCodes.Destination : AuditCodes.Source, isRequestor: false);
        json.WriteEndArray();
    }

    private static void WriteProcess(Utf8JsonWriter json, string name, string role, bool isRequestor)
    {
        json.WriteStartObject();
        WriteRole(json, role);
        WriteDisplay(json, "who", name);
        json.WriteString("name", name);
        json.WriteBoolean("requestor", isRequestor);
        json.WriteEndObject();
    }

    private static void WriteRole(Utf8JsonWriter json, string code)
    {
        json.WriteStartObject("type");
        json.WriteStartArray("coding");
        WriteCoding(json, null, Dcm, code, AuditCodes.GetRole(code));
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteEntities(Utf8JsonWriter json, AuditRecord record)
    {
        var details = AuditCodes.GetDetails(record);
        // An array is never empty (FHIR R4 §2.6.2.2).
        if (record is { Patient: null, Query: null, Study: null } && details.Count == 0) return;
        json.WriteStartArray("entity");
        if (record.Patient is { Id.Length: > 0 } patient)
            WriteEntity(json, "1", "Person", "1", "Patient", () =>
            {
                WriteIdentifier(json, null, patient.Id);
                if (patient.Name.Length > 0) json.WriteString("name", patient.Name);
            });
        if (record.Query is { } query)
        {
            WriteEntity(json, "2", "System Object", "24", "Query", () =>
            {
                json.WriteBase64String("query", Encoding.UTF8.GetBytes(query));
                WriteDetails(json, details);
            });
        }
        else if (record.Study is { } study)
        {
            WriteEntity(json, "2", "System Object", "3", "Report", () =>
            {
                WriteIdentifier(json, "urn:dicom:uid", "urn:oid:" + study);
                WriteDetails(json, details);
            });
        }
        else if (details.Count > 0)
        {
            WriteEntity(json, "2", "System Object", "13", "Security Resource", () => WriteDetails(json, details));
        }
        json.WriteEndArray();
    }

    private static void WriteEntity(Utf8JsonWriter json, string type, string typeName, string role, string roleName, Action content)
    {
        json.WriteStartObject();
        WriteCoding(json, "type", Terminology + "audit-entity-type", type, typeName);
        WriteCoding(json, "role", Terminology + "object-role", role, roleName);
        content();
        json.WriteEndObject();
    }

    private static void WriteIdentifier(Utf8JsonWriter json, string? system, string value)
    {
        json.WriteStartObject("what");
        json.WriteStartObject("identifier");
        if (system is not null) json.WriteString("system", system);
        json.WriteString("value", value);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteDetails(Utf8JsonWriter json, IReadOnlyList<(string Type, string Value)> details)
    {
        if (details.Count == 0) return;
        json.WriteStartArray("detail");
        foreach (var (type, value) in details)
        {
            json.WriteStartObject();
            json.WriteString("type", type);
            json.WriteString("valueString", value);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteDisplay(Utf8JsonWriter json, string name, string display)
    {
        json.WriteStartObject(name);
        json.WriteString("display", display);
        json.WriteEndObject();
    }

    private static void WriteCoding(Utf8JsonWriter json, string? name, string system, string code, string display)
    {
        if (name is null) json.WriteStartObject();
        else json.WriteStartObject(name);
        json.WriteString("system", system);
        json.WriteString("code", code);
        json.WriteString("display", display);
        json.WriteEndObject();
    }
}
