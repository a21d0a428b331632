using System.Buffers;
using System.Globalization;
using System.Text;

namespace Proxy.Audit.Sinks;

/// <summary>Writes records as syslog messages with octet counting.</summary>
/// <remarks>
/// <code>
/// 812 &lt;85&gt;1 2026-11-28T01:00:00.000Z host dicomweb-proxy 4711 DICOM+RFC3881 - BOM&lt;AuditMessage …
/// │    │   │ RFC 5424 §6: version, time, host, application, process, message id, no structured data, UTF-8
/// │    └ facility 10 (security), severity 5 (notice), 4 (warning) for a failure
/// └ RFC 5425 §4.3: the length of the message in bytes
/// </code>
/// </remarks>
internal static class SyslogMessage
{
    private const int Facility = 10, Notice = 5, Warning = 4;

    /// <summary>Writes a record.</summary>
    /// <param name="output">Receives the frame.</param>
    /// <param name="record">The record.</param>
    /// <param name="sourceId">The name of the proxy.</param>
    public static void Write(ArrayBufferWriter<byte> output, AuditRecord record, string sourceId)
    {
        using var message = new MemoryStream();
        message.Write(Encoding.ASCII.GetBytes(string.Create(
            CultureInfo.InvariantCulture,
            $"<{Facility * 8 + (record.Outcome == 0 ? Notice : Warning)}>1 {FhirAuditEvent.Format(record.Time)} {ToName(sourceId)} "
            + $"dicomweb-proxy {Environment.ProcessId} DICOM+RFC3881 - ")));
        message.Write(Encoding.UTF8.Preamble);
        AuditMessage.Write(message, record, sourceId);
        output.Write(Encoding.ASCII.GetBytes(message.Length.ToString(CultureInfo.InvariantCulture) + " "));
        output.Write(message.GetBuffer().AsSpan(0, (int)message.Length));
    }

    /// <summary>The host name of a header: printable ASCII without spaces, at most 255 characters (RFC 5424 §6.2.4).</summary>
    private static string ToName(string text)
    {
        var name = new string([.. text.Where(c => c is > ' ' and <= '~').Take(255)]);
        return name.Length > 0 ? name : "-";
    }
}
