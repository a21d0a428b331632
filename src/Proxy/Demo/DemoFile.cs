using System.Text.Json;
using Proxy.Dicom;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Demo;

/// <summary>A DICOM file that a client stored.</summary>
public sealed class DemoFile
{
    /// <summary>The attributes of rows of studies.</summary>
    private static readonly HashSet<string> OfStudy =
    [
        "SpecificCharacterSet", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "TimezoneOffsetFromUTC",
        "StudyDescription", "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID",
        "StudyID",
    ];

    /// <summary>The attributes of rows of series.</summary>
    private static readonly HashSet<string> OfSeries =
        ["SeriesDate", "SeriesTime", "Modality", "SeriesDescription", "SeriesInstanceUID", "SeriesNumber", "BodyPartExamined"];

    private readonly Part10Dataset _dataset;

    private DemoFile(byte[] bytes, Part10Dataset dataset, InstancePath path)
    {
        (Bytes, _dataset, Path) = (bytes, dataset, path);
        var own = ReadAttributes(dataset.Json);
        Instance = new($"{path.Instance}", own, ReadFrames()) { File = this };
        Series = new($"{path.Series}", Choose(own, OfSeries), [Instance]);
        Study = new($"{path.Study}", Choose(own, OfStudy), [Series]);
    }

    /// <summary>The file.</summary>
    public byte[] Bytes { get; }

    /// <summary>The instance.</summary>
    public InstancePath Path { get; }

    /// <summary>The dataset in DICOM JSON.</summary>
    public ReadOnlyMemory<byte> Json => _dataset.Json;

    /// <summary>The study, as this file alone describes it.</summary>
    public DemoStudy Study { get; }

    /// <summary>The series, as this file alone describes it.</summary>
    public DemoSeries Series { get; }

    /// <summary>The instance, with the attributes that the demo knows.</summary>
    public DemoInstance Instance { get; }

    /// <summary>Reads a file; null when the bytes are not a DICOM file, or lack the UID of the study, the series or the instance.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="root">The DICOMweb root, for the URLs of bulk data.</param>
    public static DemoFile? Read(byte[] bytes, string root)
    {
        try
        {
            return Part10DatasetReader.Read(bytes.Length, ReadAt, links: "").Path is { } path
                ? new(bytes, Part10DatasetReader.Read(bytes.Length, ReadAt, $"{root}/{path}/bulkdata/"), path)
                : null;
        }
        catch (MalformedAnswerException)
        {
            return null;
        }

        int ReadAt(long offset, Span<byte> buffer) => Copy(bytes, offset, buffer);
    }

    /// <summary>The bulk data at a path; null when the file has none there.</summary>
    public byte[]? FindBulkData(string path) =>
        _dataset.Bulk.FirstOrDefault(bulk => bulk.Path == path) is { } value
            ? Part10DatasetReader.Copy(Bytes.Length, (offset, buffer) => Copy(Bytes, offset, buffer), _dataset, value)
            : null;

    private static int Copy(byte[] bytes, long offset, Span<byte> buffer)
    {
        var count = (int)Math.Clamp(bytes.Length - offset, 0, buffer.Length);
        bytes.AsSpan((int)Math.Min(offset, bytes.Length), count).CopyTo(buffer);
        return count;
    }

    private static DemoDataset Choose(DemoDataset all, HashSet<string> keywords) =>
        DemoDataset.Union(all.Where(attribute => keywords.Contains(attribute.Tag.Keyword)));

    /// <summary>The frames of native pixel data; none for other files.</summary>
    private DemoBulk ReadFrames()
    {
        var frames = Part10Reader.FindFrames(Bytes.Length, (offset, buffer) => Copy(Bytes, offset, buffer), out _);
        if (frames?.MediaType != MediaType.OctetStream) return new("OB", 0, 0, _ => []);
        return new("OB", frames.Count, (int)frames.FindFrame(1)!.Value.Length, index =>
        {
            var range = frames.FindFrame(index + 1)!.Value.Ranges.Span[0];
            return Bytes[(int)range.Offset..(int)range.End];
        });
    }

    /// <summary>The attributes that the demo knows, without sequences and bulk data.</summary>
    private static DemoDataset ReadAttributes(ReadOnlyMemory<byte> json)
    {
        var attributes = new DemoDataset();
        using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 512 });
        foreach (var (name, attribute) in document.RootElement.EnumerateObject().Select(p => (p.Name, p.Value)))
        {
            if (DemoTag.Find(name) is not { Vr: not "SQ" } tag || !attribute.TryGetProperty("Value", out var values)) continue;
            attributes.Add(tag.Keyword, [.. values.EnumerateArray().Select(ReadValue)]);
        }
        return attributes;
    }

    private static object ReadValue(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Number => value.TryGetInt32(out var whole) ? whole : value.GetDouble(),
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Object => string.Join('=', ((string[])["Alphabetic", "Ideographic", "Phonetic"]).Select(
            group => value.TryGetProperty(group, out var text) ? text.GetString() : "")).TrimEnd('='),
        _ => "",
    };
}
