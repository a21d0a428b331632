using System.Collections.Immutable;
using System.Text.Json;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Wire;

namespace Proxy.Prefetch.Planning;

/// <summary>One item to fetch: a frame, a whole instance, or bulk data of an instance.</summary>
/// <param name="Instance">The instance.</param>
/// <param name="Frame">The frame number; null for the whole instance or its bulk data.</param>
/// <param name="BulkData">The bulk data; null for a frame or an instance.</param>
public readonly record struct FetchItem(Uid Instance, int? Frame, BulkDataPath? BulkData = null)
{
    /// <summary>
    /// True when the frame needs a cache entry of its own, because it cannot be cut out of a cached instance: never with one bit
    /// per pixel (<see cref="Wire.Part10.FrameRefusal.PixelFormat"/>), and for an instance that viewers load whole this is unknown
    /// before it is read.
    /// </summary>
    public bool NeedsOwnEntry { get; init; }

    /// <summary>The size of the frame without compression in bytes; 0 when the metadata does not say it.</summary>
    public long Bytes { get; init; }
}

/// <summary>Plans which items to prefetch and in which order. Pure: it uses neither clock nor network.</summary>
public static class PrefetchPlan
{
    /// <summary>Modalities that are viewed after the images; OHIF sorts them last, too.</summary>
    private static readonly ImmutableHashSet<string> LateModalities =
        ["SEG", "SR", "KO", "PR", "DOC", "RTSTRUCT", "RTPLAN", "RTDOSE", "REG", "M3D"];

    /// <summary>Modalities whose instances viewers load whole; of other instances without pixels they need only the metadata.</summary>
    private static readonly ImmutableHashSet<string> WholeModalities = ["SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "M3D"];

    /// <summary>The most frames of one instance, because a backend may report any number.</summary>
    private const int MaxFrames = 10_000;

    /// <summary>
    /// Bulk data that OHIF retrieves when it opens an instance: encapsulated document, plain and segmented palettes, and the SUV
    /// factors of Philips PET.
    /// </summary>
    private static readonly ImmutableArray<Tag> BulkData =
    [
        new(0x00420011), new(0x00281201), new(0x00281202), new(0x00281203), new(0x00281221), new(0x00281222), new(0x00281223),
        new(0x70531000), new(0x70531009),
    ];

    /// <summary>Video endoscopic, microscopic and photographic image storage (PS3.4 §B.5).</summary>
    private static readonly ImmutableHashSet<string> Videos =
        ["1.2.840.10008.5.1.4.1.1.77.1.1.1", "1.2.840.10008.5.1.4.1.1.77.1.2.1", "1.2.840.10008.5.1.4.1.1.77.1.4.1"];

    /// <summary>Transfer syntaxes of video, 1.2.840.10008.1.2.4.100 to .108 (PS3.6 §A).</summary>
    private const string VideoSyntax = "1.2.840.10008.1.2.4.10";

    private static readonly Tag SopClassUid = new(0x00080016);
    private static readonly Tag AvailableTransferSyntaxUid = new(0x00083002);
    private static readonly Tag SamplesPerPixel = new(0x00280002);
    private static readonly Tag Rows = new(0x00280010);
    private static readonly Tag Columns = new(0x00280011);
    private static readonly Tag BitsAllocated = new(0x00280100);
    private static readonly Tag PixelData = new(0x7FE00010);

    /// <summary>The studies after the open one, in the order of the list.</summary>
    /// <param name="list">The work list.</param>
    /// <param name="open">The open study.</param>
    /// <param name="max">The most studies.</param>
    public static ImmutableArray<Uid> NextStudies(ImmutableArray<Uid> list, Uid open, int max)
    {
        var at = list.IndexOf(open);
        return at < 0 ? [] : [.. list.Skip(at + 1).Where(study => study != open).Distinct().Take(max)];
    }

    /// <summary>Other studies of the patient: those that share a modality with the open study first, then the newest.</summary>
    /// <param name="open">The open study as each backend describes it.</param>
    /// <param name="found">Studies that may be of the same patient, as each backend describes them.</param>
    /// <param name="max">The most studies.</param>
    public static ImmutableArray<Uid> Priors(IReadOnlyCollection<StudyFacts> open, IEnumerable<StudyFacts> found, int max)
    {
        var modalities = open.SelectMany(study => study.Modalities).ToHashSet();
        var priors =
            from row in found
            where open.All(o => o.Study != row.Study) && open.Any(row.HasSamePatient)
            group row by row.Study into rows
            orderby rows.Any(row => row.Modalities.Any(modalities.Contains)) descending, rows.Max(row => row.Date) descending, rows.Key
            select rows.Key;
        return [.. priors.Take(max)];
    }

    /// <summary>Sorts series as viewers show them: images before the objects that refer to them, then by Series Number.</summary>
    public static ImmutableArray<Series> InViewingOrder(IEnumerable<Series> series) =>
    [
        .. from one in series
           let number = one.Summary?.FindInt(Tag.SeriesNumber)
           orderby IsLate(GetModality(one)), number is null, number, one.Uid
           select one,
    ];

    /// <summary>The items that a viewer loads of a series, in viewing order.</summary>
    public static ImmutableArray<FetchItem> GetItems(IEnumerable<(Uid Instance, Dataset Dataset)> instances)
    {
        var items =
            from instance in instances
            let number = instance.Dataset.FindInt(Tag.InstanceNumber)
            orderby number is null, number, instance.Instance
            from item in GetItems(instance.Instance, instance.Dataset)
            select item;
        return [.. items];
    }

    /// <summary>The indexes below a count, nearest to a start index first: 5, 6, 4, 7, 3, …; each once.</summary>
    public static IEnumerable<int> NearestFirst(int count, int from)
    {
        for (var distance = 0; distance < count; distance++)
        {
            if (from + distance < count) yield return from + distance;
            if (distance > 0 && from - distance >= 0) yield return from - distance;
        }
    }

    private static IEnumerable<FetchItem> GetItems(Uid instance, Dataset dataset)
    {
        var isWhole = WholeModalities.Contains(dataset.FindString(Tag.Modality) ?? "");
        var isVideo = IsVideo(dataset);
        var bulkData =
            from tag in isVideo ? BulkData.Add(PixelData) : BulkData
            let path = FindBulkData(dataset.FindAttribute(tag))
            where path is not null
            select new FetchItem(instance, null, path);
        var frames = isVideo || !dataset.Has(Rows) ? [] : GetFrames(instance, dataset, isWhole);
        return isWhole ? [new(instance, null), .. frames, .. bulkData] : [.. frames, .. bulkData];
    }

    private static IEnumerable<FetchItem> GetFrames(Uid instance, Dataset dataset, bool isWhole)
    {
        var needsOwnEntry = isWhole || dataset.FindInt(BitsAllocated) == 1;
        var bytes = GetFrameBytes(dataset);
        return Enumerable.Range(1, Math.Clamp(dataset.FindInt(Tag.NumberOfFrames) ?? 1, 1, MaxFrames))
            .Select(frame => new FetchItem(instance, frame) { NeedsOwnEntry = needsOwnEntry, Bytes = bytes });
    }

    /// <summary>The size of a native frame (PS3.5 §8.1.1). Each of the factors is 16 bits wide, so the product does not overflow.</summary>
    private static long GetFrameBytes(Dataset dataset)
    {
        var bits = Get(Rows) * Get(Columns) * Get(SamplesPerPixel, absent: 1);
        return bits * Get(BitsAllocated, absent: 8) / 8;

        long Get(Tag tag, int absent = 0) => Math.Clamp(dataset.FindInt(tag) ?? absent, 0, ushort.MaxValue);
    }

    /// <summary>Whether the instance is a video: viewers play it as one body, and many archives return no frames of it.</summary>
    private static bool IsVideo(Dataset dataset) =>
        Videos.Contains(dataset.FindString(SopClassUid) ?? "")
        || dataset.FindString(AvailableTransferSyntaxUid) is { } syntax
            && syntax.StartsWith(VideoSyntax, StringComparison.Ordinal) && syntax.Length == VideoSyntax.Length + 1;

    /// <summary>Finds the BulkDataURI of an attribute (PS3.18 §F.2.6).</summary>
    /// <returns>Null when the value is not bulk data, or its URI is not one of the proxy's.</returns>
    private static BulkDataPath? FindBulkData(ReadOnlySpan<byte> attribute)
    {
        if (attribute.IsEmpty) return null;
        var reader = new Utf8JsonReader(attribute, Dataset.ReaderOptions);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isUri = reader.ValueTextEquals("BulkDataURI"u8);
            reader.Read();
            if (isUri && reader.TokenType == JsonTokenType.String)
                return BulkDataPath.TryReadLink(reader.GetString()!, out var path) ? path : null;
            reader.Skip();
        }
        return null;
    }

    private static bool IsLate(string modality) => LateModalities.Contains(modality);

    private static string GetModality(Series series) => series.Summary?.FindString(Tag.Modality) ?? "";
}
