using System.Net;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Wire;

namespace Proxy.Search;

/// <summary>Lists the instances of a study from their metadata, for a backend that holds the study and does not search instances.</summary>
/// <remarks>
/// Such a backend answers 404, as one does that does not hold the study: its series list tells which of the two it is. The
/// metadata of every series that was asked for must be in the store; where it is not, the backend has failed.
/// </remarks>
public sealed class StoredInstances(SeriesListReader lists, DicomMetadataStore store)
{
    /// <summary>They stand in every row, whatever is asked for.</summary>
    private static readonly string[] Always = ["00080005", "00080018", "0020000D", "0020000E"];

    /// <summary>Whether an answer may come from a backend that does not search instances.</summary>
    public static bool IsWanted(SearchQuery query, SearchAnswer answer) =>
        query is { Level: SearchLevel.Instances, Study: not null }
        && (answer.IsUnlisted || answer.Failure?.Status is HttpStatusCode.MethodNotAllowed or HttpStatusCode.NotImplemented);

    /// <summary>What the store has in place of the backend's answer; the backend's own answer where it does not hold the study.</summary>
    public async Task<SearchAnswer> AnswerAsync(
        BackendOptions backend, SearchQuery query, SearchAnswer answer, CancellationToken cancellation)
    {
        var study = query.Study!.Value;
        var places = await lists.LocateAsync(new(backend.Name, [backend]), study, returnEarly: false, bypassCache: false, cancellation);
        var list = store.GetStudy(study)?.GetList(backend.Name);
        var series = list?.Series.Values.Where(one => query.Series is null || one.Uid == query.Series).ToList() ?? [];
        if (series.Count == 0) return places.Failures is [var failure, ..] ? answer with { IsUnlisted = false, Failure = failure } : answer;

        var known = CanMatch(query) ? series.FindAll(one => one.IsMetadataComplete) : [];
        var rows = known.SelectMany(one => ReadRows(query, one)).ToList();
        return answer with
        {
            Rows = rows,
            Bytes = rows.Sum(row => (long)row.Read().Json.Length + FoundRow.OwnBytes),
            IsUnlisted = false,
            Failure = known.Count == series.Count
                ? null
                : new(backend.Name, BackendError.BadStatus, "it does not search instances", HttpStatusCode.NotFound),
        };
    }

    /// <summary>UIDs are matched as a backend would; of other attributes only the backend knows how (PS3.4 §C.2.2.2).</summary>
    private static bool CanMatch(SearchQuery query) =>
        query.Matches.Keys.All(path => Tag.TryParse(path, out var tag)
            && (tag == Tag.StudyInstanceUid || tag == Tag.SeriesInstanceUid || tag == Tag.SopInstanceUid));

    private static IEnumerable<FoundRow> ReadRows(SearchQuery query, Series series)
    {
        var wanted = query.WantedTags.Union(Always);
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
