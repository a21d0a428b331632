using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Retrieve;

namespace Proxy.Rendering.Making;

/// <summary>Chooses the frame that represents a series or a study in a thumbnail (PS3.18 §10.4.1.1.4).</summary>
/// <remarks>
/// <code>
/// study      the first series of images: by Series Number, then by UID; segmentations after all others
/// series     the instance in the middle of those with pixels: by Instance Number, then by UID
/// instance   the frame in the middle
/// </code>
/// The choice depends on the metadata only, so every request has the same until the study changes. Without pixels it is the first
/// instance, whose thumbnail is a neutral picture.
/// </remarks>
internal sealed class RepresentativeFrames(SeriesLocator locator, SeriesReader reader, RenderableInstances instances, AnswerCache cache)
{
    /// <summary>The most series whose metadata is read for one study.</summary>
    private const int MaxSeries = 16;

    /// <summary>Modalities without pixels (PS3.3 §C.7.3.1.1.1).</summary>
    private static readonly HashSet<string> WithoutPixels =
    [
        "SR", "PR", "KO", "DOC", "RTSTRUCT", "RTPLAN", "RTRECORD", "REG", "FID", "AU", "ECG", "EPS", "HD", "RESP", "PLAN", "ASMT",
        "CTPROTOCOL", "XAPROTOCOL", "M3D", "RWV", "STAIN", "TEXTUREMAP", "OPM", "LEN", "KER", "SRF", "VA", "IOL", "POS", "SMR",
    ];

    private readonly Answers<Key, Choice> _choices = cache.For<Key, Choice>();

    /// <summary>The metadata of a series, by its hash.</summary>
    private sealed record Key(UInt128 Metadata);

    private sealed record Choice(Uid? Instance);

    /// <summary>The instance that represents a series.</summary>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="path">The series.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public async Task<RenderableResult> FindInSeriesAsync(Access access, SeriesPath path, CancellationToken cancellation)
    {
        var result = await reader.ReadAsync(access, path, bypassCache: false, cancellation);
        if (result.Metadata is not { } metadata) return new(null, result.Failures);
        var instance = Choose(metadata) is { } uid ? instances.Find(result.Backend, new(path.Study, path.Series, uid)) : null;
        return new(instance, result.Failures);
    }

    /// <summary>The instance that represents a study.</summary>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="study">The study.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public async Task<RenderableResult> FindInStudyAsync(Access access, Uid study, CancellationToken cancellation)
    {
        var places = await locator.LocateEarlyAsync(access, study, series: null, ReadPurpose.Client, cancellation);
        var failures = places.Failures.ToList();
        RenderableInstance? first = null;
        foreach (var series in Sort(access, places).Take(MaxSeries))
        {
            var found = await FindInSeriesAsync(access, new(study, series), cancellation);
            failures.AddRange(found.Failures);
            if (found.Instance is { What.IsShown: true }) return found;
            first ??= found.Instance;
        }
        return new(first, [.. failures.DistinctBy(failure => failure.Backend)]);
    }

    private IEnumerable<Uid> Sort(Access access, StudyHolders places) =>
        from uid in places.GetSeries(access)
        let row = locator.GetHolders(places.Study, access, uid).FirstOrDefault()?.FindSeries(uid)?.Summary
        let modality = row?.FindString(Tag.Modality) ?? ""
        let rank = WithoutPixels.Contains(modality) ? 2 : modality is "SEG" or "RTDOSE" ? 1 : 0
        orderby rank, row?.FindInt(Tag.SeriesNumber) ?? int.MaxValue, uid
        select uid;

    private Uid? Choose(PackedInstances metadata)
    {
        var key = new Key(metadata.Hash);
        if (_choices.TryFind(key, out var known)) return known.Instance;
        var all = metadata.ReadEach().Select(dataset => (dataset.Uid, What: Renderable.Read(dataset.Json.Span))).ToList();
        var shown = all.Where(i => i.What.IsShown)
            .OrderBy(i => i.What.InstanceNumber ?? int.MaxValue).ThenBy(i => i.Uid).ToList();
        Uid? chosen = shown.Count > 0 ? shown[shown.Count / 2].Uid : all.Count > 0 ? all.Min(i => i.Uid) : null;
        _choices.Add(key, new(chosen), bytes: 200);
        return chosen;
    }
}
