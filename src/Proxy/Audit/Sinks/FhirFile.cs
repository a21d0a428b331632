using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Proxy.Audit.Delivery;

namespace Proxy.Audit.Sinks;

/// <summary>Files of FHIR AuditEvents, one per line: a file per day, and more if one becomes too large.</summary>
/// <remarks>
/// <code>
/// audit-2026-11-28.ndjson      the first file of the day on which the records are written (UTC)
/// audit-2026-11-28.2.ndjson    after Audit:MaxFileBytes
/// </code>
/// The proxy never deletes these files. A batch is on the disk when it is delivered.
/// </remarks>
/// <param name="folder">The folder.</param>
/// <param name="maxBytes">The size at which the next file begins.</param>
/// <param name="sourceId">The name of the proxy.</param>
/// <param name="time">The clock.</param>
internal sealed class FhirFile(string folder, long maxBytes, string sourceId, TimeProvider time) : IAuditSink
{
    private static readonly byte[] LineBreak = "\n"u8.ToArray();

    private readonly ArrayBufferWriter<byte> _buffer = new(1 << 16);
    private FileStream? _file;
    private string _day = "";
    private int _number;

    /// <inheritdoc/>
    public string Name => "file";

    /// <inheritdoc/>
    public Task SendAsync(IReadOnlyList<AuditRecord> records, CancellationToken cancellation)
    {
        _buffer.ResetWrittenCount();
        foreach (var record in records)
        {
            using (var json = new Utf8JsonWriter(_buffer)) FhirAuditEvent.Write(json, record, sourceId);
            _buffer.Write(LineBreak);
        }
        var file = Open();
        var start = file.Length;
        try
        {
            file.Position = start;
            file.Write(_buffer.WrittenSpan);
            file.Flush(flushToDisk: true);
        }
        catch (IOException)
        {
            // Else the next attempt would continue in the middle of a line.
            file.SetLength(start);
            throw;
        }
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task CloseAsync()
    {
        Close();
        return Task.CompletedTask;
    }

    private void Close()
    {
        _file?.Dispose();
        _file = null;
    }

    private FileStream Open()
    {
        var day = time.GetUtcNow().ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        if (day != _day)
        {
            Close();
            (_day, _number) = (day, 1);
        }
        PrivateFiles.CreateFolder(folder);
        _file ??= OpenLast();
        while (_file.Length >= maxBytes)
        {
            _file.Dispose();
            _number++;
            _file = OpenLast();
        }
        return _file;
    }

    private FileStream OpenLast()
    {
        var number = _number == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $".{_number}");
        var file = PrivateFiles.OpenAppend(Path.Combine(folder, $"audit-{_day}{number}.ndjson"));
        PrivateFiles.CutTornLine(file);
        return file;
    }
}
