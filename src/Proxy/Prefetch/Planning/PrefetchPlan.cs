using System.Collections.Immutable;
using System.Text.Json;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Wire;

namespace Proxy.Prefetch.Planning;

/// <summary>One thing to fetch: a frame, a whole instance that viewers load as such, or bulk data of an instance.</summary>
/// <param name="Instance">The instance.</param>
/// <param name="Frame">Its frame; null for the instance itself, or its bulk data.</param>
/// <param name="BulkData">What is fetched instead of the instance; null for no bulk data.</param>
public readonly record struct FetchItem(Uid Instance, int? Frame, BulkDataPath? BulkData = null)
{
    /// <summary>
    /// A frame that counts as kept only when it is kept by itself. It cannot be cut out of its kept instance: single bits
    /// never are (<see cref="Wire.Part10.FrameRefusal.PixelFormat"/>), and of an instance that viewers load whole it is
    /// not known before it is read.
    /// </summary>
    public bool IsKeptAlone { get; init; }
}

/// <summary>What is worth fetching before anybody asks for it, and in which order. Pure: it knows neither clock nor network.</summary>
public static class PrefetchPlan
{
    /// <summary>Looked at when the images are there; OHIF puts them last, too.</summary>
    private static readonly ImmutableHashSet<string> Late = ["SEG", "SR", "KO", "PR", "DOC", "RTSTRUCT", "RTPLAN", "RTDOSE", "REG", "M3D"];

    /// <summary>Viewers load them as whole instances; of the others without pixels they need the metadata alone.</summary>
    private static readonly ImmutableHashSet<string> Whole = ["SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "M3D"];

    /// <summary>Of one instance: a backend may say any number.</summary>
    private const int MostFrames = 10_000;

    /// <summary>
    /// OHIF retrieves it when it opens the instance: the encapsulated document; the palettes, plain and segmented; the SUV
    /// factors of Philips' PET.
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
    private static readonly Tag Rows = new(0x00280010);
    private static readonly Tag BitsAllocated = new(0x00280100);
    private static readonly Tag PixelData = new(0x7FE00010);

    /// <summary>The studies behind the open one in the list, in its order.</summary>
    public static ImmutableArray<Uid> NextStudies(ImmutableArray<Uid> list, Uid open, int most)
    {
        var at = list.IndexOf(open);
        return at < 0 ? [] : [.. list.Skip(at + 1).Where(study => study != open).Distinct().Take(most)];
    }

    /// <summary>Other studies of the patient: those that share a modality with the open one first, of them the newest.</summary>
    /// <param name="open">What each backend says of the open study.</param>
    /// <param name="found">What each backend says of studies that may be its patient's.</param>
    /// <param name="most">So many.</param>
    public static ImmutableArray<Uid> Priors(IReadOnlyCollection<StudyFacts> open, IEnumerable<StudyFacts> found, int most)
    {
        var modalities = open.SelectMany(study => study.Modalities).ToHashSet();
        var priors =
            from row in found
            where open.All(o => o.Study != row.Study) && open.Any(row.HasSamePatient)
            group row by row.Study into rows
            orderby rows.Any(row => row.Modalities.Any(modalities.Contains)) descending, rows.Max(row => row.Date) descending, rows.Key
            select rows.Key;
        return [.. priors.Take(most)];
    }

    /// <summary>The series as viewers show them: images before what refers to them, then by number.</summary>
    public static ImmutableArray<Series> InViewingOrder(IEnumerable<Series> series) =>
    [
        .. from one in series
           let number = one.Summary?.FindInt(Tag.SeriesNumber)
           orderby IsLate(GetModality(one)), number is null, number, one.Uid
           select one,
    ];

    /// <summary>What a viewer loads of a series, in the order in which it is looked at.</summary>
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

    /// <summary>Places from one on outwards: 5, 6, 4, 7, 3, …; each once.</summary>
    public static IEnumerable<int> Outwards(int count, int from)
    {
        for (var distance = 0; distance < count; distance++)
        {
            if (from + distance < count) yield return from + distance;
            if (distance > 0 && from - distance >= 0) yield return from - distance;
        }
    }

    private static IEnumerable<FetchItem> GetItems(Uid instance, Dataset dataset)
    {
        var isWhole = Whole.Contains(dataset.FindString(Tag.Modality) ?? "");
        var isVideo = IsVideo(dataset);
        var bulkData =
            from tag in isVideo ? BulkData.Add(PixelData) : BulkData
            let place = FindBulkData(dataset.FindAttribute(tag))
            where place is not null
            select new FetchItem(instance, null, place);
        var frames = isVideo || !dataset.Has(Rows) ? [] : GetFrames(instance, dataset, isWhole);
        return isWhole ? [new(instance, null), .. frames, .. bulkData] : [.. frames, .. bulkData];
    }

    private static IEnumerable<FetchItem> GetFrames(Uid instance, Dataset dataset, bool isWhole)
    {
        var isKeptAlone = isWhole || dataset.FindInt(BitsAllocated) == 1;
        return Enumerable.Range(1, Math.Clamp(dataset.FindInt(Tag.NumberOfFrames) ?? 1, 1, MostFrames))
            .Select(frame => new FetchItem(instance, frame) { IsKeptAlone = isKeptAlone });
    }

    /// <summary>A viewer plays it as one body and loads no frames; many archives give none.</summary>
    private static bool IsVideo(Dataset dataset) =>
        Videos.Contains(dataset.FindString(SopClassUid) ?? "")
        || dataset.FindString(AvailableTransferSyntaxUid) is { } syntax
            && syntax.StartsWith(VideoSyntax, StringComparison.Ordinal) && syntax.Length == VideoSyntax.Length + 1;

    /// <summary>Where the backend keeps the value of an attribute (PS3.18 §F.2.6).</summary>
    /// <returns>Null for a value that is not bulk data, or whose place is not followed.</returns>
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
                return BulkDataPath.TryReadLink(reader.GetString()!, out var place) ? place : null;
            reader.Skip();
        }
        return null;
    }

    private static bool IsLate(string modality) => Late.Contains(modality);

    private static string GetModality(Series series) => series.Summary?.FindString(Tag.Modality) ?? "";
}
