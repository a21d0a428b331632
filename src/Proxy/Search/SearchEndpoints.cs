using System.Buffers;
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
        if (!SearchQuery.TryRead(level, study, series, context.Request.Query, out var query, out var error)) return Problems.BadParameter(error!.Parameter, error.Rule);

        var started = time.GetTimestamp();
        var result = await search.SearchAsync(scope, query, context.Request.AsksAnew(), context.RequestAborted);
        if (!result.HasAnswer) return result.Failures.ToProblem();
        var page = result.Rows.Skip(query.Offset).Take(query.Limit ?? int.MaxValue).ToArray();
        if (level == SearchLevel.Studies)
        {
            var counted = page.Select(row => row.Holders.Length > 1 ? search.CountAsync(scope, row, context.RequestAborted) : Task.FromResult(row));
            page = await Task.WhenAll(counted);
        }

        var response = context.Response;
        response.SetCacheStatus(result.Status, isStored: result.Failures.Count == 0);
        if (result.Status == CacheStatus.Miss) response.SetServerTiming(time.GetElapsedTime(started));
        response.SetAge(Ages.Of(result.Asked, time.GetUtcNow()));
        response.SetPrivate();
        AddWarnings(response, result, remaining: result.Rows.Length - query.Offset - page.Length);
        return new JsonRows(Write(page, context.GetRootAddress(scope)));
    }

    private static void AddWarnings(HttpResponse response, SearchResult result, int remaining)
    {
        if (remaining > 0) response.AddWarning($"There are {remaining} additional results that can be requested");
        foreach (var note in result.Notes) response.AddWarning(note);
        response.WarnOf(result.Failures);
    }

    private static ReadOnlyMemory<byte> Write(MergedRow[] rows, byte[] root)
    {
        var json = new ArrayBufferWriter<byte>(1024);
        json.Write("["u8);
        for (var i = 0; i < rows.Length; i++)
        {
            if (i > 0) json.Write(","u8);
            DicomJsonWriter.Write(json, rows[i].Dataset, rows[i].Changes, root);
        }
        json.Write("]"u8);
        return json.WrittenMemory;
    }

    /// <summary>A page with its tag; an empty one is 200 and <c>[]</c>, which every viewer reads (204 is the older form).</summary>
    private sealed class JsonRows(ReadOnlyMemory<byte> json) : IResult
    {
        public async Task ExecuteAsync(HttpContext httpContext)
        {
            var response = httpContext.Response;
            response.Headers.Vary = "Accept, Accept-Encoding";
            if (httpContext.IsNotModified($"W/\"{XxHash128.HashToUInt128(json.Span):x}\"")) return;
            response.ContentType = MediaType.DicomJson;
            await Packing.WriteAsync(httpContext, json);
        }
    }
}
