using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Operations;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>Bulk data, only by the URLs that the proxy wrote into metadata (PS3.18 §10.4.1.1.5).</summary>
/// <remarks>
/// The URL contains the backend's name, because a bulk data path is valid only at the backend that named it. A token follows
/// (<see cref="BulkTokens"/>), so a client cannot request a path or a query that no metadata contained.
/// </remarks>
internal static class BulkDataEndpoints
{
    private static readonly string[] Resources =
        ["", "/studies/{study}", "/studies/{study}/series/{series}", "/studies/{study}/series/{series}/instances/{instance}"];

    public static void MapBulkData(this IEndpointRouteBuilder root)
    {
        foreach (var resource in Resources) root.MapRead(resource + "/bulkdata/{holder}/{**token}", AnswerAsync);
    }

    private static async Task<IResult> AnswerAsync(
        HttpContext context, BackendSet backends, BulkDataReader reader, BulkFrames frames, BulkTokens tokens, SeriesLocator locator,
        TimeProvider time, string holder, string? token)
    {
        var access = context.GetAccess();
        if (!context.TryReadUids(out var study, out var series, out var instance, out var problem)) return problem;
        if (!access.Has(holder) || backends.Find(holder) is not { } backend)
            return Problems.NotFound("No backend of that name serves bulk data here.");
        if (string.IsNullOrEmpty(token))
            return Problems.NotFound("The backend named a location outside its DICOMweb root, which the proxy does not follow.");
        var item = study is { } s ? tokens.Read(holder, GetResource(s, series, instance), token) : null;
        if (item is null)
            return Problems.NotFound(
                "No metadata of this proxy names this bulk data. Read the metadata again and use its BulkDataURI unchanged.");
        var forms = BulkDataForms.Read(context.Request.ReadAccept());
        if (forms.IsEmpty)
            return Problems.NotAcceptable(
                "Bulk data is served as application/octet-stream or in its own type, alone or in multipart/related.");

        var started = time.GetTimestamp();
        // If the series was removed at its backend, this removes its cached entries too.
        await locator.RevalidateAsync(access, study!.Value, context.RequestAborted);
        if (await frames.TryAnswerAsync(context, backend, item, forms)) return Results.Empty;
        using var result = await reader.ReadAsync(backend, item, forms, context.RequestAborted);
        if (result.Failures.Count > 0) return result.Failures.ToProblem();
        if (result.Body is not { } body) return context.ToMissingProblem(item.Path, "The backend does not have this bulk data.");

        var (head, isMultipart) = forms.Choose(body.Head)!.Value;
        var tag = BodyTag.Create(
            $"{backend.Name} {item.CacheKey} {Wrapping.GetContentType(head)}", body, isMultipart);
        var answer = result.ToAnswer(body, time.GetUtcNow(), time.GetElapsedTime(started)) with { ETag = tag?.Plain };
        if (!answer.Begin(context)) return Results.Empty;
        await MultipartAnswer.WriteOneAsync(
            context, isMultipart ? Wrapping.Multipart(head, context.GetResourceAddress()) : Wrapping.None(head), body);
        return Results.Empty;
    }

    private static string GetResource(Uid study, Uid? series, Uid? instance) =>
        series is not { } e ? new StudyPath(study).ToString()
        : instance is not { } i ? new SeriesPath(study, e).ToString()
        : new InstancePath(study, e, i).ToString();
}
