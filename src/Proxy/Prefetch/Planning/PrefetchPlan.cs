using System.Collections.Immutable;
using Proxy.Dicom;
using Proxy.Store;

namespace Proxy.Prefetch.Planning;

/// <summary>One thing to fetch: a frame, or a whole instance that viewers load as such.</summary>
/// <param name="Instance">The instance.</param>
/// <param name="Frame">Its frame; null for the instance itself.</param>
public readonly record struct Item(Uid Instance, int? Frame);

/// <summary>What is worth fetching before anybody asks for it, and in which order. Pure: it knows neither clock nor network.</summary>
public static class PrefetchPlan
{
    /// <summary>Looked at when the images are there; OHIF puts them last, too.</summary>
    private static readonly ImmutableHashSet<string> Late = ["SEG", "SR", "KO", "PR", "DOC", "RTSTRUCT", "RTPLAN", "RTDOSE", "REG", "M3D"];

    /// <summary>Viewers load them as whole instances; of the others without pixels they need the metadata alone.</summary>
    private static readonly ImmutableHashSet<string> Whole = ["SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "M3D"];

    /// <summary>Of one instance: a backend may say any number.</summary>
    private const int MostFrames = 10_000;

    private static readonly Tag Rows = new(0x00280010);

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
            where open.All(o => o.Study != row.Study) && open.Any(row.IsOfPatientOf)
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
           orderby IsLate(ModalityOf(one)), number is null, number, one.Uid
           select one,
    ];

    /// <summary>What a viewer loads of a series, in the order in which it is looked at.</summary>
    public static ImmutableArray<Item> ItemsOf(IEnumerable<(Uid Instance, Dataset Dataset)> instances)
    {
        var items =
            from instance in instances
            let number = instance.Dataset.FindInt(Tag.InstanceNumber)
            orderby number is null, number, instance.Instance
            from item in ItemsOf(instance.Instance, instance.Dataset)
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

    private static IEnumerable<Item> ItemsOf(Uid instance, Dataset dataset)
    {
        if (Whole.Contains(dataset.FindString(Tag.Modality) ?? "")) return [new(instance, null)];
        if (!dataset.Has(Rows)) return [];
        return Enumerable.Range(1, Math.Clamp(dataset.FindInt(Tag.NumberOfFrames) ?? 1, 1, MostFrames)).Select(frame => new Item(instance, frame));
    }

    private static bool IsLate(string modality) => Late.Contains(modality);

    private static string ModalityOf(Series series) => series.Summary?.FindString(Tag.Modality) ?? "";
}
