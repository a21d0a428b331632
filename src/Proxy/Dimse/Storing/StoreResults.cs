using System.Buffers;
using System.Text.Json;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Dimse.Protocol;
using Proxy.Wire;

namespace Proxy.Dimse.Storing;

/// <summary>The results of the instances of one request, and the dataset of its answer (PS3.18 §10.5.3, Table I.2-1).</summary>
/// <remarks>
/// <code>
/// C-STORE     0000         (0008,1199) Referenced SOP Sequence
///             Bxxx         the same, with (0008,1196) Warning Reason
///             other        (0008,1198) Failed SOP Sequence, with (0008,1197) Failure Reason
/// no file                  (0008,119A) Other Failures Sequence
/// status      200 all stored without a warning · 409 none stored · else 202
/// </code>
/// </remarks>
/// <param name="request">The request.</param>
internal sealed class StoreResults(StoreRequest request)
{
    /// <summary>Processing failure (PS3.7 §C.4.16).</summary>
    public const ushort ProcessingFailure = 0x0110;

    /// <summary>The dataset does not match: its study is not that of the address (A9xx of PS3.4 §B.2.3).</summary>
    public const ushort OtherStudy = 0xA901;

    private readonly List<(InstancePath Path, string SopClass, ushort Status)> _results = [];
    private int _unreadable;

    /// <summary>True when the PACS may have stored an instance.</summary>
    public bool IsSent { get; set; }

    /// <summary>True when the PACS has answered for an instance.</summary>
    public bool HasAnswers { get; private set; }

    /// <summary>Adds the answer of the PACS.</summary>
    public void AddAnswer(StoredFile file, ushort status)
    {
        HasAnswers = true;
        Add(file, status);
    }

    /// <summary>Adds an instance that the PACS did not answer for.</summary>
    public void Add(StoredFile file, ushort status) => _results.Add((file.Path, file.SopClass, status));

    /// <summary>Adds a part that is not a file with an instance.</summary>
    public void AddUnreadable() => _unreadable++;

    /// <summary>Makes the answer.</summary>
    public StoreAnswer Build()
    {
        var stored = _results.Where(one => IsStored(one.Status)).ToList();
        var failed = _results.Where(one => !IsStored(one.Status)).ToList();
        var status = stored.Count == 0 ? StoreStatus.NotStored
            : failed.Count + _unreadable == 0 && stored.TrueForAll(one => one.Status == DimseStatus.Success) ? StoreStatus.Stored
            : StoreStatus.PartlyStored;
        var json = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartObject();
            if (stored.Select(one => one.Path.Study).Distinct().ToList() is [var study])
                WriteText(writer, "00081190", "UR", $"{request.Root}/{new StudyPath(study)}");
            WriteInstances(writer, "00081198", failed, static (item, one) => WriteNumber(item, "00081197", one.Status));
            WriteInstances(writer, "00081199", stored, WriteStored);
            if (_unreadable > 0)
            {
                WriteSequence(
                    writer, "0008119A", Enumerable.Repeat(DimseStatus.CannotUnderstand, _unreadable).ToList(),
                    static (item, reason) => WriteNumber(item, "00081197", reason));
            }
            writer.WriteEndObject();
        }
        var type = request.IsXml ? MediaType.DicomXml : MediaType.DicomJson;
        return new(status, type, Encode(json.WrittenSpan), [.. stored.Select(one => one.Path)])
        {
            Unchanged = stored.Where(one => one.Status == DimseStatus.Success).Select(one => one.Path).ToHashSet(),
        };
    }

    private static bool IsStored(ushort status) => status == DimseStatus.Success || status >> 12 == 0xB;

    private ReadOnlyMemory<byte> Encode(ReadOnlySpan<byte> json)
    {
        if (!request.IsXml) return json.ToArray();
        var xml = new ArrayBufferWriter<byte>(1024);
        DicomXmlWriter.Write(xml, json);
        return xml.WrittenMemory;
    }

    private void WriteStored(Utf8JsonWriter writer, (InstancePath Path, string SopClass, ushort Status) one)
    {
        WriteText(writer, "00081190", "UR", $"{request.Root}/{one.Path}");
        if (one.Status != DimseStatus.Success) WriteNumber(writer, "00081196", one.Status);
    }

    private static void WriteInstances(
        Utf8JsonWriter writer, string tag, List<(InstancePath Path, string SopClass, ushort Status)> results,
        Action<Utf8JsonWriter, (InstancePath Path, string SopClass, ushort Status)> write)
    {
        if (results.Count == 0) return;
        WriteSequence(writer, tag, results, (item, one) =>
        {
            WriteText(item, "00081150", "UI", one.SopClass);
            WriteText(item, "00081155", "UI", one.Path.Instance.ToString());
            write(item, one);
        });
    }

    private static void WriteSequence<T>(Utf8JsonWriter writer, string tag, List<T> results, Action<Utf8JsonWriter, T> write)
    {
        writer.WriteStartObject(tag);
        writer.WriteString("vr"u8, "SQ"u8);
        writer.WriteStartArray("Value"u8);
        foreach (var one in results)
        {
            writer.WriteStartObject();
            write(writer, one);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteText(Utf8JsonWriter writer, string tag, string vr, string value)
    {
        writer.WriteStartObject(tag);
        writer.WriteString("vr"u8, vr);
        writer.WriteStartArray("Value"u8);
        writer.WriteStringValue(value);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteNumber(Utf8JsonWriter writer, string tag, ushort number)
    {
        writer.WriteStartObject(tag);
        writer.WriteString("vr"u8, "US"u8);
        writer.WriteStartArray("Value"u8);
        writer.WriteNumberValue(number);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
