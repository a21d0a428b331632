using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Operations;
using Proxy.Rendering.Making;
using Proxy.Rendering.Requests;
using Proxy.Retrieve;

namespace Proxy.Rendering;

/// <summary>Answers with the pictures of a series or of a study, each series from its owner.</summary>
/// <remarks>
/// Objects without a rendering in the requested type are left out. An instance with several frames gives one part per frame.
/// </remarks>
internal sealed class RenderedSets(
    RenderedAnswers answers, DocumentReader documents, RenderableInstances instances, SeriesReader reader, SeriesLocator locator,
    Reloadable<RetrieveOptions> options)
{
    /// <summary>Answers with a series.</summary>
    public async Task<IResult> AnswerSeriesAsync(HttpContext context, SeriesPath path, RenderedParameters parameters, string type)
    {
        var result = await reader.ReadAsync(context.GetAccess(), path, bypassCache: false, context.RequestAborted);
        if (result.Metadata is null) return PictureAnswer.ToProblem(context, result.Failures, path.ToString());
        return await PictureParts.AnswerAsync(
            context, EnumerateAsync(context, path.Study, [(path.Series, result)], parameters, type), path.ToString());
    }

    /// <summary>Answers with a study.</summary>
    public async Task<IResult> AnswerStudyAsync(HttpContext context, Uid study, RenderedParameters parameters, string type)
    {
        var (access, stopped) = (context.GetAccess(), context.RequestAborted);
        var places = await locator.LocateAsync(access, study, ReadPurpose.Client, stopped);
        var contents = await StudyContents.ReadAsync(
            places, access, series => reader.ReadAsync(access, new(study, series), bypassCache: false, stopped),
            static (_, _) => Task.FromResult(false));
        if (contents.FindProblem(context, study, options.Value) is { } failed) return failed;
        contents.Warn(context.Response);
        return await PictureParts.AnswerAsync(
            context, EnumerateAsync(context, study, contents.Series, parameters, type), new StudyPath(study).ToString());
    }

    private async IAsyncEnumerable<PicturePart> EnumerateAsync(
        HttpContext context, Uid study, IEnumerable<(Uid Uid, SeriesResult Result)> series, RenderedParameters parameters, string type)
    {
        foreach (var (uid, result) in series)
        {
            foreach (var instance in result.Metadata!.Uids)
            {
                if (instances.Find(result.Backend, new(study, uid, instance)) is not { } found) continue;
                await foreach (var part in EnumerateAsync(context, found, parameters, type)) yield return part;
            }
        }
    }

    private IAsyncEnumerable<PicturePart> EnumerateAsync(
        HttpContext context, RenderableInstance instance, RenderedParameters parameters, string type) => instance.What.Kind switch
        {
            // In memory the frames would evict those of the study on screen.
            RenderableKind.Image or RenderableKind.Video when type != DocumentReader.MediaType =>
                answers.EnumerateParts(context, instance, Enumerable.Range(1, instance.What.Frames), parameters, type, Placement.DiskOnly),
            RenderableKind.Document when type == DocumentReader.MediaType => EnumerateDocumentAsync(context, instance),
            _ => AsyncEnumerable.Empty<PicturePart>(),
        };

    private async IAsyncEnumerable<PicturePart> EnumerateDocumentAsync(HttpContext context, RenderableInstance instance)
    {
        await Task.CompletedTask;
        yield return new(
            $"{context.GetRootAddress(context.GetAccess())}/{instance.Path}/rendered",
            () => documents.ReadAsync(instance.Backend, instance.Path, context.RequestAborted));
    }
}
