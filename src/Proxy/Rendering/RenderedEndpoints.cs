using Proxy.Backends;
using Proxy.Operations;
using Proxy.Rendering.Requests;
using Proxy.Retrieve;

namespace Proxy.Rendering;

/// <summary>Rendered resources of an instance and of frames, and all thumbnails (PS3.18 §10.4.1.1.3, §10.4.1.1.4).</summary>
internal static class RenderedEndpoints
{
    private const string Study = "/studies/{study}";
    private const string Series = Study + "/series/{series}";
    private const string Instance = Series + "/instances/{instance}";
    private const string Frames = Instance + "/frames/{frames}";

    /// <summary>Maps the rendered resources and the thumbnails.</summary>
    public static void MapRendered(this IEndpointRouteBuilder root)
    {
        foreach (var path in (string[])[Study, Series]) root.MapRead(path + "/rendered", AnswerManyAsync);
        foreach (var path in (string[])[Instance, Frames]) root.MapRead(path + "/rendered", AnswerOneAsync);
        foreach (var path in (string[])[Study, Series, Instance, Frames]) root.MapRead(path + "/thumbnail", AnswerThumbnailAsync);
    }

    private static async Task<IResult> AnswerOneAsync(HttpContext context, RenderedAnswers answers)
    {
        if (!context.TryReadUids(out var study, out var series, out var instance, out var problem)) return problem;
        if (Refuse(context, isThumbnail: false, out var parameters, out var forms, out var frames) is { } refusal) return refusal;
        return await answers.AnswerAsync(
            context, new(new(study!.Value, series!.Value, instance!.Value), frames, parameters, forms));
    }

    private static async Task<IResult> AnswerManyAsync(HttpContext context, RenderedSets sets)
    {
        if (!context.TryReadUids(out var study, out var series, out _, out var problem)) return problem;
        if (Refuse(context, isThumbnail: false, out var parameters, out var forms, out _) is { } refusal) return refusal;
        if (forms.ChooseMany([.. RenderedAnswers.Images, RenderedAnswers.Pdf]) is not { } chosen)
            return Problems.NotAcceptable(
                "The pictures of a study or series are multipart/related; type=\"image/jpeg\". One picture is that of an instance or a "
                + "frame, or a thumbnail.");
        return series is { } uid
            ? await sets.AnswerSeriesAsync(context, new(study!.Value, uid), parameters, chosen.MediaType)
            : await sets.AnswerStudyAsync(context, study!.Value, parameters, chosen.MediaType);
    }

    private static async Task<IResult> AnswerThumbnailAsync(HttpContext context, Thumbnails thumbnails)
    {
        if (!context.TryReadUids(out var study, out var series, out var instance, out var problem)) return problem;
        if (Refuse(context, isThumbnail: true, out var parameters, out var forms, out var frames) is { } refusal) return refusal;
        if (forms.ChooseOne(RenderedAnswers.Images) is not { } chosen)
            return Problems.NotAcceptable("A thumbnail is image/jpeg, image/png or image/gif.");
        return await thumbnails.AnswerAsync(
            context, new(study!.Value, series, instance, frames?[frames.Count / 2]), parameters, chosen);
    }

    private static IResult? Refuse(
        HttpContext context, bool isThumbnail, out RenderedParameters parameters, out RenderedForms forms, out IReadOnlyList<int>? frames)
    {
        (frames, forms) = (null, RenderedForms.Read(context.Request.ReadAccept()));
        if (RenderedParameters.Refuse(context.Request, isThumbnail, out parameters) is { } refusal) return refusal;
        if (context.Request.RouteValues["frames"] is string list)
        {
            if (!FrameEndpoints.TryReadFrames(list, out var numbers)) return FrameEndpoints.BadFrames();
            frames = numbers;
        }
        return forms.IsEmpty
            ? Problems.NotAcceptable(
                "Rendered resources are image/jpeg, image/png or image/gif, a stored video, or application/pdf; several are "
                + "multipart/related.")
            : null;
    }
}
