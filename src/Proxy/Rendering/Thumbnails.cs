using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Rendering.Making;
using Proxy.Rendering.Requests;

namespace Proxy.Rendering;

/// <summary>Answers with the thumbnail of a study, a series, an instance or a frame (PS3.18 §10.4.1.1.4).</summary>
/// <remarks>
/// An object that shows nothing, or that cannot be rendered, has a neutral picture: one error would break a viewer's list. An object
/// that does not exist is 404, and a PACS that does not answer is the error of the PACS. No text is written into a thumbnail.
/// </remarks>
internal sealed class Thumbnails(RenderableInstances instances, RepresentativeFrames representatives, RenderedAnswers answers)
{
    /// <summary>The resource of a thumbnail.</summary>
    /// <param name="Study">The study.</param>
    /// <param name="Series">The series; null for the study.</param>
    /// <param name="Instance">The instance; null for the series or study.</param>
    /// <param name="Frame">The frame number, from 1; null for the frame that represents the instance.</param>
    public readonly record struct Resource(Uid Study, Uid? Series, Uid? Instance, int? Frame)
    {
        /// <summary>The path below a DICOMweb root.</summary>
        public override string ToString() =>
            Series is not { } series ? new StudyPath(Study).ToString()
            : Instance is not { } instance ? new SeriesPath(Study, series).ToString()
            : new InstancePath(Study, series, instance).ToString();
    }

    /// <summary>Answers with a thumbnail.</summary>
    public async Task<IResult> AnswerAsync(
        HttpContext context, Resource resource, RenderedParameters parameters, RenderedForms.Chosen chosen)
    {
        var found = await FindAsync(context, resource);
        if (found.Instance is not { } instance) return PictureAnswer.ToProblem(context, found.Failures, resource.ToString());
        var what = instance.What;
        if (resource.Frame > what.Frames || resource.Frame is not null && !what.IsShown)
            return Problems.NotFound("The instance has no such frame.");
        var request = new PictureRequest(instance.Path, resource.Frame ?? what.MiddleFrame, chosen.MediaType, parameters)
        {
            DatasetHash = instance.DatasetHash,
            IsNeutral = !what.IsShown,
        };
        return await answers.AnswerThumbnailAsync(context, instance, request, chosen.IsMultipart);
    }

    private Task<RenderableResult> FindAsync(HttpContext context, Resource resource)
    {
        var access = context.GetAccess();
        if (resource.Series is not { } series) return representatives.FindInStudyAsync(access, resource.Study, context.RequestAborted);
        return resource.Instance is { } instance
            ? instances.FindAsync(access, new(resource.Study, series, instance), context.RequestAborted)
            : representatives.FindInSeriesAsync(access, new(resource.Study, series), context.RequestAborted);
    }
}
