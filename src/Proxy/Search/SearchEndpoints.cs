using System.Buffers;
using System.Collections.Immutable;
using System.IO.Hashing;
using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Operations;
using Proxy.Wire;

namespace Proxy.Search;

/// <summary>The studies on a page that was sent to a viewer, which may open one of them next.</summary>
/// <param name="Query">The search.</param>
/// <param name="Studies">The studies on the page, in order.</param>
public sealed record SearchedStudies(SearchQuery Query, ImmutableArray<Uid> Studies);

/// <summary>QIDO-RS: the six resources of PS3.18 Table 10.6.1-2.</summary>
internal static class SearchEndpoints
{
    public static void MapSearch(this IEndpointRouteBuilder root)
    {
        Map("/studies", SearchLevel.Studies);
        Map("/series", SearchLevel.Series);
        Map("/instances", SearchLevel.Instances);
        Map("/studies/{study}/series", SearchLevel.Series);
        Map("/studies/{study}/instances", SearchLevel.Instances);
        Map("/studies/{study}/series/{series}/instances", SearchLevel.Instances);

        void Map(string path, SearchLevel level) => root.MapRead(
            path,
            (HttpContext context, FederatedSearch search, AnswerCache answers,
                Reloadable<SearchOptions> options, TimeProvider time) =>
                AnswerAsync(context, level, search, answers, options, time));
    }

    /// <summary>The key of a cached page: the result, the part of it, and the client's address.</summary>
    private sealed record PageKey(MergedList Rows, int Offset, int? Limit, string Hidden, string Root, Coding Coding, bool IsXml);

    private sealed record ReadyPage(byte[] Body, Coding Coding, string ETag, ImmutableArray<Uid> Rows, IReadOnlyList<string> Lacking);

    private static async Task<IResult> AnswerAsync(
        HttpContext context, SearchLevel level, FederatedSearch search, AnswerCache answers,
        Reloadable<SearchOptions> options, TimeProvider time)
    {
        if (context.Request.RefuseDatasets("Search results are", out var isXml) is { } refusal) return refusal;
        var access = context.GetAccess();
        if (!context.TryReadUids(out var study, out var series, out _, out var problem)) return problem;
        if (!KnownSearches.TryRead(level, study, series, context.Request, out var query, out var error))
            return Problems.BadParameter(error!.Parameter, error.Rule);

        var started = time.GetTimestamp();
        var bypassCache = context.Request.BypassesCache();
        if (context.FindFeature<AccessNotes>() is { } notes) notes.Backends = [.. access.Backends.Select(backend => backend.Name)];
        var result = await search.FindAsync(access, query, bypassCache, context.RequestAborted);
        if (!result.HasAnswer) return result.Failures.ToProblem();
        var maxResults = options.Value.MaxResults;
        if (result.IsTooBroad && result.Rows.Count < SearchDepth.GetEnd(query, maxResults)) return Problems.TooBroad(SearchDepth.MaxRows);
        var (root, limit) = (context.GetRootAddress(access), SearchDepth.FindLimit(query, maxResults));
        var key = new PageKey(
            result.Rows, query.Offset, limit, query.HiddenText, root, context.Request.ChooseCoding(), isXml);
        var pages = answers.For<PageKey, ReadyPage>();
        if (!pages.TryFind(key, out var page))
        {
            var client = new ClientRoot(root, context.RequestServices.GetRequiredService<BulkTokens>());
            var rows = await search.Pages.ReadAsync(access, query, result, bypassCache, started, context.RequestAborted);
            page = Create(rows, query, client, key);
            if (result.IsCached && page.Lacking.Count == 0) pages.Add(key, page, page.Body.Length, options.Value.Freshness);
        }

        var response = context.Response;
        if (!query.IgnoredParameters.IsEmpty)
            response.AddWarning($"Unknown parameters were ignored: {string.Join(", ", query.IgnoredParameters)}");
        var remaining = Math.Max(result.Rows.Count - query.Offset - page.Rows.Length, result.HasMore ? 1 : 0);
        AddWarnings(response, result, page.Lacking, remaining);
        if (level == SearchLevel.Studies) context.SetFeature(new SearchedStudies(query, page.Rows));
        var answer = new CachedAnswer(result.Status)
        {
            IsStored = result.Failures.Count == 0,
            Age = Freshness.GetAge(result.Asked, time.GetUtcNow()),
            BackendTime = result.Status == CacheStatus.Miss ? time.GetElapsedTime(started) : null,
            CacheTime = result.Status == CacheStatus.Hit ? time.GetElapsedTime(started) : null,
            Vary = CachedAnswer.ByAcceptAndCoding,
            ETag = page.ETag,
            ContentType = isXml ? DicomXmlParts.ContentType : MediaType.DicomJson,
            Coding = page.Coding,
        };
        if (!answer.Begin(context)) return Results.Empty;
        if (isXml && page.Rows.IsEmpty) response.StatusCode = StatusCodes.Status204NoContent;
        else await answer.SendAsync(context, page.Body);
        return Results.Empty;
    }

    private static void AddWarnings(HttpResponse response, SearchResult result, IReadOnlyList<string> lacking, int remaining)
    {
        if (remaining > 0) response.AddWarning($"There are {remaining} additional results that can be requested");
        foreach (var note in result.Notes) response.AddWarning(note);
        foreach (var backend in lacking)
            response.AddWarning(
                $"{backend} did not list its series of these studies in time: their numbers of series and instances may be too low");
        if (lacking.Count > 0) response.Headers.CacheControl = "no-store";
        if (result.Status == CacheStatus.Stale) response.AddWarning("Stale result: a backend is unavailable, and its stored row is used");
        response.AddWarnings(result.Failures);
    }

    /// <summary>
    /// Builds a page. An empty page is <c>[]</c>, which every viewer accepts (204 is the older form). A multipart answer has at least
    /// one part, so an empty page of XML is 204.
    /// </summary>
    private static ReadyPage Create(SearchPage page, SearchQuery query, ClientRoot root, PageKey key)
    {
        using var body = new PooledWriter(64 * 1024);
        var (required, hidden) = (query.RequiredFields.ToList(), query.HiddenFields.ToList());
        var rows = page.Rows.Select(row => row.WithEmpty(required).Without(hidden));
        if (key.IsXml) WriteXml(body, rows, root);
        else Write(body, [.. rows], root);
        var coding = body.Written.Length >= Packing.MinBytes ? key.Coding : Coding.Identity;
        return new(
            Packing.Compress([body.Written], coding), coding, $"W/\"{XxHash128.HashToUInt128(body.Written.Span):x}\"",
            [.. page.Rows.Select(row => row.Uid)], page.MissingBackends);
    }

    private static void Write(PooledWriter json, ImmutableArray<MergedRow> rows, ClientRoot root)
    {
        json.Write("["u8);
        for (var i = 0; i < rows.Length; i++)
        {
            if (i > 0) json.Write(","u8);
            DicomJsonWriter.Write(json, rows[i].Dataset, rows[i].Changes, root);
        }
        json.Write("]"u8);
    }

    private static void WriteXml(PooledWriter output, IEnumerable<MergedRow> rows, ClientRoot root)
    {
        foreach (var part in DicomXmlParts.Write(rows.Select(ToJson))) output.Write(part.Span);

        ReadOnlyMemory<byte> ToJson(MergedRow row)
        {
            var json = new ArrayBufferWriter<byte>(4096);
            DicomJsonWriter.Write(json, row.Dataset, row.Changes, root);
            return json.WrittenMemory;
        }
    }
}
