using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Wire;

namespace Proxy.Search;

/// <summary>Lists the instances of a study from stored metadata, for a backend that holds the study but cannot search instances.</summary>
/// <remarks>
/// That backend answers 404, like a backend that does not hold the study; its series list distinguishes the two. The metadata of
/// every requested series must be in the store, otherwise the backend counts as failed.
/// </remarks>
public sealed class StoredInstances(SeriesLocator locator, DicomMetadataStore store)
{
    /// <summary>Attributes that every row has.</summary>
    private static readonly string[] AlwaysIncluded = ["00080005", "00080018", "0020000D", "0020000E"];

    /// <summary>True when an answer may come from a backend that does not search instances.</summary>
    public static bool IsWanted(SearchQuery query, SearchAnswer answer) =>
        query is { Level: SearchLevel.Instances, Study: not null }
        && (answer.IsUnlisted || answer.Failure?.Status is ErrorStatus.NotAllowed or ErrorStatus.NotImplemented);

    /// <summary>The stored instances in place of the backend's answer; the answer when the backend does not hold the study.</summary>
    public async Task<SearchAnswer> AnswerAsync(
        BackendOptions backend, SearchQuery query, SearchAnswer answer, CancellationToken cancellation)
    {
        var study = query.Study!.Value;
        var places = await locator.LocateAsync(new(backend.Name, [backend]), study, ReadPurpose.Client, cancellation);
        var list = store.GetStudy(study)?.GetList(backend.Name);
        var series = list?.Series.Values.Where(s => query.Series is null || s.Uid == query.Series).ToList() ?? [];
        if (series.Count == 0) return places.Failures is [var failure, ..] ? answer with { IsUnlisted = false, Failure = failure } : answer;

        var known = CanMatch(query) ? series.FindAll(s => s.IsMetadataComplete) : [];
        var rows = known.SelectMany(s => ReadRows(query, s)).ToList();
        return answer with
        {
            Rows = rows,
            Bytes = rows.Sum(row => (long)row.Read().Json.Length + FoundRow.OwnBytes),
            IsUnlisted = false,
            Failure = known.Count == series.Count
                ? null
                : new(backend.Name, BackendError.BadStatus, "it does not search instances", ErrorStatus.NotFound),
        };
    }

    /// <summary>True when only UIDs are matched; the rules for other attributes depend on the backend (PS3.4 §C.2.2.2).</summary>
    private static bool CanMatch(SearchQuery query) =>
        query.Matches.Keys.All(path => Tag.TryParse(path, out var tag)
            && (tag == Tag.StudyInstanceUid || tag == Tag.SeriesInstanceUid || tag == Tag.SopInstanceUid));

    private static IEnumerable<FoundRow> ReadRows(SearchQuery query, Series series)
    {
        var wanted = query.RequestedTags.Union(AlwaysIncluded);
        foreach (var (_, json) in series.Metadata!.ReadEach())
        {
            var dataset = DicomJsonReader.ReadStored(json.Span);
            if (!query.Matches.Keys.All(path => Matches(query, dataset, path))) continue;
            var attributes = dataset.Attributes;
            if (!query.IncludesAll) attributes = [.. attributes.Where(attribute => wanted.Contains(attribute.Tag.ToString()))];
            if (FoundRow.Find(query, new Dataset(dataset.Json, attributes, [])) is { } row) yield return row;
        }
    }

    private static bool Matches(SearchQuery query, Dataset dataset, string path) =>
        Tag.TryParse(path, out var tag) && dataset.FindUid(tag) is { } uid && query.FindUids(tag)!.Contains(uid);
}
