using System.Text;
using System.Xml;

namespace Proxy.Audit.Sinks;

/// <summary>Writes a record as an <c>AuditMessage</c> in XML, by the schema of DICOM PS3.15 §A.5.1; one line.</summary>
internal static class AuditMessage
{
    private static readonly XmlWriterSettings Settings = new()
    {
        // Syslog marks UTF-8 itself (RFC 5424 §6.4).
        Encoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
        OmitXmlDeclaration = true,
        NewLineHandling = NewLineHandling.Entitize,
    };

    /// <summary>Writes a record.</summary>
    /// <param name="output">Receives the document in UTF-8.</param>
    /// <param name="record">The record.</param>
    /// <param name="sourceId">The name of the proxy.</param>
    public static void Write(Stream output, AuditRecord record, string sourceId)
    {
        using var xml = XmlWriter.Create(output, Settings);
        xml.WriteStartElement("AuditMessage");
        xml.WriteStartElement("EventIdentification");
        Attribute(xml, "EventActionCode", record.Action);
        Attribute(xml, "EventDateTime", FhirAuditEvent.Format(record.Time));
        Attribute(xml, "EventOutcomeIndicator", $"{record.Outcome}");
        WriteCode(xml, "EventID", AuditCodes.GetCode(record.Event), "DCM", AuditCodes.GetMeaning(record.Event));
        if (record.Type != AuditEventType.None)
            WriteCode(xml, "EventTypeCode", AuditCodes.GetCode(record.Type), "DCM", AuditCodes.GetMeaning(record.Type));
        if (record.OutcomeText is not null) xml.WriteElementString("EventOutcomeDescription", Clean(record.OutcomeText));
        xml.WriteEndElement();
        WriteParticipants(xml, record, sourceId);
        xml.WriteStartElement("AuditSourceIdentification");
        Attribute(xml, "AuditSourceID", sourceId);
        // Application server process or thread.
        xml.WriteStartElement("AuditSourceTypeCode");
        Attribute(xml, "csd-code", "4");
        xml.WriteEndElement();
        xml.WriteEndElement();
        WriteObjects(xml, record);
        xml.WriteEndElement();
    }

    private static void WriteParticipants(XmlWriter xml, AuditRecord record, string sourceId)
    {
        var (data, process) = AuditCodes.IsImport(record)
            ? (AuditCodes.Destination, AuditCodes.Source)
            : (AuditCodes.Source, AuditCodes.Destination);
        var hasUser = record.Address.Length > 0 || record.UserId.Length > 0;
        if (hasUser)
        {
            StartParticipant(xml, record.UserId.Length > 0 ? record.UserId : AuditCodes.Anonymous, isRequestor: true);
            if (record.UserName.Length > 0) Attribute(xml, "UserName", record.UserName);
            if (record.Issuer.Length > 0) Attribute(xml, "AlternativeUserID", $"{record.UserId}@{record.Issuer}");
            if (record.Address.Length > 0)
            {
                Attribute(xml, "NetworkAccessPointID", record.Address);
                Attribute(xml, "NetworkAccessPointTypeCode", "2");
            }
            EndParticipant(xml, process);
        }
        StartParticipant(xml, sourceId, isRequestor: !hasUser);
        Attribute(xml, "AlternativeUserID", $"{Environment.ProcessId}");
        EndParticipant(xml, record.Event == AuditEvent.ApplicationActivity ? AuditCodes.Application : data);
        foreach (var backend in record.Backends)
        {
            StartParticipant(xml, backend, isRequestor: false);
            EndParticipant(xml, data);
        }
    }

    private static void StartParticipant(XmlWriter xml, string id, bool isRequestor)
    {
        xml.WriteStartElement("ActiveParticipant");
        Attribute(xml, "UserID", id);
        Attribute(xml, "UserIsRequestor", isRequestor ? "true" : "false");
    }

    private static void EndParticipant(XmlWriter xml, string role)
    {
        WriteCode(xml, "RoleIDCode", role, "DCM", AuditCodes.GetRole(role));
        xml.WriteEndElement();
    }

    private static void WriteObjects(XmlWriter xml, AuditRecord record)
    {
        if (record.Patient is { Id.Length: > 0 } patient)
        {
            StartObject(xml, patient.Id, "1", "1");
            WriteCode(xml, "ParticipantObjectIDTypeCode", "2", "RFC-3881", "Patient Number");
            xml.WriteElementString("ParticipantObjectName", Clean(patient.Name));
            xml.WriteEndElement();
        }
        var details = AuditCodes.GetDetails(record);
        if (record.Query is { } query)
        {
            // Study Root Query/Retrieve Information Model - FIND, of which QIDO-RS is the form for the web.
            StartObject(xml, "1.2.840.10008.5.1.4.1.2.2.1", "2", "3");
            WriteCode(xml, "ParticipantObjectIDTypeCode", "110181", "DCM", "SOP Class UID");
            xml.WriteElementString("ParticipantObjectQuery", Encode(query));
            EndObject(xml, details);
        }
        else if (record.Study is { } study)
        {
            StartObject(xml, study, "2", "3");
            WriteCode(xml, "ParticipantObjectIDTypeCode", "110180", "DCM", "Study Instance UID");
            xml.WriteElementString("ParticipantObjectName", record.Subject);
            EndObject(xml, details);
        }
        else if (details.Count > 0)
        {
            StartObject(xml, record.Subject.Length > 0 ? record.Subject : "proxy", "2", "13");
            WriteCode(xml, "ParticipantObjectIDTypeCode", "110182", "DCM", "Node ID");
            xml.WriteElementString("ParticipantObjectName", record.Subject);
            EndObject(xml, details);
        }
    }

    private static void StartObject(XmlWriter xml, string id, string type, string role)
    {
        xml.WriteStartElement("ParticipantObjectIdentification");
        Attribute(xml, "ParticipantObjectID", id);
        Attribute(xml, "ParticipantObjectTypeCode", type);
        Attribute(xml, "ParticipantObjectTypeCodeRole", role);
    }

    private static void EndObject(XmlWriter xml, IReadOnlyList<(string Type, string Value)> details)
    {
        foreach (var (type, value) in details)
        {
            xml.WriteStartElement("ParticipantObjectDetail");
            Attribute(xml, "type", type);
            Attribute(xml, "value", Encode(value));
            xml.WriteEndElement();
        }
        xml.WriteEndElement();
    }

    private static void WriteCode(XmlWriter xml, string element, string code, string system, string meaning)
    {
        xml.WriteStartElement(element);
        Attribute(xml, "csd-code", code);
        Attribute(xml, "codeSystemName", system);
        Attribute(xml, "originalText", meaning);
        xml.WriteEndElement();
    }

    private static string Encode(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    private static void Attribute(XmlWriter xml, string name, string value) => xml.WriteAttributeString(name, Clean(value));

    /// <summary>The text with U+FFFD in place of what XML 1.0 cannot contain, and of line breaks: a message is one line.</summary>
    private static string Clean(string text)
    {
        var clean = text.AsSpan().ContainsAnyInRange('\0', '\x1F') || text.Any(c => !XmlConvert.IsXmlChar(c))
            ? new StringBuilder(text)
            : null;
        if (clean is null) return text;
        for (var i = 0; i < clean.Length; i++)
        {
            if (i + 1 < clean.Length && char.IsSurrogatePair(clean[i], clean[i + 1])) i++;
            else if (char.IsControl(clean[i]) || !XmlConvert.IsXmlChar(clean[i])) clean[i] = '\uFFFD';
        }
        return clean.ToString();
    }
}
