using System.Buffers;
using System.Collections.Immutable;
using System.IO.Hashing;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Store;
using Proxy.Wire;

namespace Proxy.Search;

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

        void Map(string path, SearchLevel level) => root.MapRead(path, (HttpContext context, FederatedSearch search, TimeProvider time) => AnswerAsync(context, level, search, time));
    }

    private static async Task<IResult> AnswerAsync(HttpContext context, SearchLevel level, FederatedSearch search, TimeProvider time)
    {
        if (!Accept.TakesDicomJson(Accept.Parse(context.Request.Headers.Accept))) return Problems.NotAcceptable("Searches are answered as application/dicom+json.");
        var scope = context.GetScope();
        if (!context.TryReadUids(out var study, out var series, out _, out var problem)) return problem;
        if (!SearchParameters.TryRead(level, study, series, context.Request.Query, out var query, out var error)) return Problems.BadParameter(error!.Parameter, error.Rule);

        var started = time.GetTimestamp();
        var page = await search.SearchAsync(scope, query, context.Request.AsksAnew(), context.RequestAborted);
        var result = page.Result;
        if (!result.HasAnswer) return result.Failures.ToProblem();

        var response = context.Response;
        response.SetCacheStatus(result.Status, isStored: result.Failures.Count == 0);
        if (result.Status == CacheStatus.Miss) response.SetServerTiming(time.GetElapsedTime(started));
        response.SetAge(Ages.Of(result.Asked, time.GetUtcNow()));
        response.SetPrivate();
        AddWarnings(response, page, remaining: result.Rows.Count - query.Offset - page.Rows.Length);
        using var json = new PooledWriter(64 * 1024);
        Write(json, page.Rows, [.. query.HiddenFields], context.GetRootAddress(scope));
        // An empty page is 200 and [], which every viewer reads (204 is the older form).
        response.Headers.Vary = "Accept, Accept-Encoding";
        if (context.IsNotModified($"W/\"{XxHash128.HashToUInt128(json.Written.Span):x}\"")) return Results.Empty;
        response.ContentType = MediaType.DicomJson;
        await Packing.WriteAsync(context, json.Written);
        return Results.Empty;
    }

    private static void AddWarnings(HttpResponse response, SearchPage page, int remaining)
    {
        if (remaining > 0) response.AddWarning($"There are {remaining} additional results that can be requested");
        foreach (var note in page.Result.Notes) response.AddWarning(note);
        foreach (var backend in page.Lacking) response.AddWarning($"{backend} did not say what it has of these studies: numbers of series and instances of those that others hold too may be low");
        if (page.Lacking.Count > 0) response.Headers.CacheControl = "no-store";
        if (page.Result.Status == CacheStatus.Stale) response.AddWarning("What a backend said before stands in for it");
        response.WarnOf(page.Result.Failures);
    }

    private static void Write(PooledWriter json, ImmutableArray<MergedRow> rows, IReadOnlyList<Tag> hidden, byte[] root)
    {
        json.Write("["u8);
        for (var i = 0; i < rows.Length; i++)
        {
            if (i > 0) json.Write(","u8);
            DicomJsonWriter.Write(json, rows[i].Dataset, rows[i].Without(hidden).Changes, root);
        }
        json.Write("]"u8);
    }
}
