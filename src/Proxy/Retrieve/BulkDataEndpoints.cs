using System.IO.Hashing;
using System.Text;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Search;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>Bulk data, by the URLs that the proxy handed out in metadata (PS3.18 §10.4.1.1.5).</summary>
/// <remarks>The backend's name stands in the URL: a place that one backend named means nothing to another.</remarks>
internal static class BulkDataEndpoints
{
    public static void MapBulkData(this IEndpointRouteBuilder root)
    {
        foreach (var resource in (string[])["", "/studies/{study}", "/studies/{study}/series/{series}", "/studies/{study}/series/{series}/instances/{instance}"])
            root.MapRead(resource + "/bulkdata/{holder}/{**place}", AnswerAsync);
    }

    private static async Task<IResult> AnswerAsync(HttpContext context, BackendSet backends, BodyFetch fetch, EntryCache cache, SeriesListReader lists, TimeProvider time, string holder, string? place)
    {
        var scope = context.GetScope();
        if (!context.TryReadUids(out var study, out var series, out var instance, out var problem)) return problem;
        if (!scope.Has(holder) || backends.Find(holder) is not { } backend) return Problems.NotFound("No backend of that name gives bulk data here.");
        if (string.IsNullOrEmpty(place)) return Problems.NotFound("The backend named a place outside its DICOMweb root, which is not followed.");
        var below = place + context.Request.QueryString.Value;
        if (!BackendLinks.IsRest(below)) return Problems.BadParameter("place", "a path of plain segments, as metadata gives it");

        var resource = instance is { } i ? $"{new InstancePath(study!.Value, series!.Value, i)}/" : series is { } e ? $"{new SeriesPath(study!.Value, e)}/" : study is { } s ? $"{new StudyPath(s)}/" : "";
        var key = new EntryKey(backend.Name, resource + below, null);
        var started = time.GetTimestamp();
        // What is kept of a series that is gone goes with it.
        if (study is { } known) await lists.LookAfterAsync(scope, known, context.RequestAborted);
        using var result = await ReadAsync(cache, key, (fill, stopped) => fetch.AskBulkDataAsync(backend, key.Place, fill, stopped), context.RequestAborted);
        if (result.Failures.Count > 0) return result.Failures.ToProblem();
        if (result.Body is not { } body) return Problems.NotFound("The backend has no such bulk data.");

        var response = context.Response;
        response.SetCacheStatus(result.Status, isPrefetched: body.IsPrefetched);
        response.SetPrivate();
        response.Headers.Vary = "Accept";
        if (body.Stored is { } stored) response.SetAge(Store.Ages.Of(stored, time.GetUtcNow()));
        else response.SetServerTiming(time.GetElapsedTime(started));
        var isMultipart = Accept.Parse(context.Request.Headers.Accept) is [var best, ..] && best.Is(MediaType.MultipartRelated);
        var tag = XxHash64.HashToUInt64(Encoding.UTF8.GetBytes($"{key} {isMultipart}"));
        if (context.IsNotModified($"\"{tag:x16}\"")) return Results.Empty;
        await MultipartAnswer.WriteOneAsync(context, isMultipart ? Wrapping.Multipart($"bulkdata-{tag:x16}", body.Head) : Wrapping.None(body.Head), body);
        return Results.Empty;
    }

    private static async Task<BodyResult> ReadAsync(EntryCache cache, EntryKey key, EntryCache.Fetch fetch, CancellationToken cancellation) =>
        await cache.FindAsync([new(key)], cancellation) is { } found ? BodyResult.Hit(found.Body, key.Backend) : await BodyResult.OfAsync(cache.Get(key, fetch), key.Backend, cancellation);
}
