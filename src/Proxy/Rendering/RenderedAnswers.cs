using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Rendering.Making;
using Proxy.Rendering.Requests;
using Proxy.Retrieve;

namespace Proxy.Rendering;

/// <summary>Answers with a rendering of one instance or of its frames (PS3.18 §10.4.1.1.3).</summary>
/// <remarks>
/// <code>
///                  default            also
/// image            image/jpeg         image/png, image/gif; as multipart one part per frame
/// several frames   image/jpeg of 1    image/gif of all; the stored video, if it is one
/// video            the stored video   an image, if the PACS renders it
/// PDF document     application/pdf    -
/// other objects    -                  text/plain, if the PACS renders it
/// </code>
/// </remarks>
internal sealed class RenderedAnswers(
    RenderableInstances instances, PictureReader pictures, DocumentReader documents, BodyReader bodies, TimeProvider time)
{
    /// <summary>The type of a report.</summary>
    public const string Text = "text/plain";

    /// <summary>The type of a document.</summary>
    public const string Pdf = DocumentReader.MediaType;

    /// <summary>The types of pictures, the default first.</summary>
    public static readonly string[] Images = ["image/jpeg", "image/png", "image/gif"];

    private static readonly string[] Videos = ["video/mp4", "video/mpeg"];
    private static readonly string[] Documents = [Pdf];
    private static readonly string[] Texts = [Text];
    private static readonly string[] VideosAndImages = [.. Videos, .. Images];
    private static readonly string[] ImagesAndVideos = [.. Images, .. Videos];

    private static readonly Negotiation AsStored = Negotiation.Create(BodyFormat.AsStored);

    /// <summary>What a client asks for.</summary>
    /// <param name="Path">The instance.</param>
    /// <param name="Frames">The frame numbers, from 1; null for the instance.</param>
    /// <param name="Parameters">The rendering parameters.</param>
    /// <param name="Forms">The accepted media types.</param>
    public sealed record Asked(InstancePath Path, IReadOnlyList<int>? Frames, RenderedParameters Parameters, RenderedForms Forms);

    /// <summary>Finds the instance and answers.</summary>
    public async Task<IResult> AnswerAsync(HttpContext context, Asked asked)
    {
        var found = await instances.FindAsync(context.GetAccess(), asked.Path, context.RequestAborted);
        return found.Instance is { } instance
            ? await AnswerAsync(context, instance, asked)
            : PictureAnswer.ToProblem(context, found.Failures, asked.Path.ToString());
    }

    /// <summary>Answers with an instance that was found.</summary>
    public async Task<IResult> AnswerAsync(HttpContext context, RenderableInstance instance, Asked asked)
    {
        var what = instance.What;
        if (asked.Frames is { } wanted && (!what.IsShown || wanted.Any(number => number > what.Frames)))
            return Problems.NotFound("The instance has no such frame.");
        if (what.Size is var (columns, rows) && asked.Parameters.Viewport is { } viewport && (viewport.X >= columns || viewport.Y >= rows))
            return Problems.BadParameter("viewport", $"a region in the frame, which has {columns} columns and {rows} rows");
        var offered = GetOffered(what, asked.Frames is not null);
        var chosen = asked.Frames?.Count > 1 ? asked.Forms.ChooseMany(offered) : asked.Forms.ChooseOne(offered);
        if (chosen is not var (type, isMultipart)) return NotAcceptable(offered, asked.Frames?.Count > 1);
        if (Videos.Contains(type)) return await AnswerVideoAsync(context, instance, asked.Forms);
        if (Images.Contains(type) && isMultipart && (asked.Frames?.Count ?? what.Frames) > 1)
            return await PictureParts.AnswerAsync(
                context, EnumerateParts(context, instance, asked.Frames ?? Enumerable.Range(1, what.Frames), asked.Parameters, type),
                instance.Path.ToString());
        var request = new PictureRequest(
            asked.Path, type == Text || type == "image/gif" && what.Frames > 1 && asked.Frames is null ? null : asked.Frames?[0] ?? 1, type,
            asked.Parameters)
        {
            DatasetHash = instance.DatasetHash,
        };
        return type == Pdf
            ? await SendAsync(
                context, instance, () => documents.ReadAsync(instance.Backend, asked.Path, context.RequestAborted),
                new(request.ResourcePath, isMultipart))
            : await AnswerPictureAsync(context, instance, request, isMultipart);
    }

    /// <summary>The pictures of some frames.</summary>
    /// <param name="context">The request.</param>
    /// <param name="instance">The instance.</param>
    /// <param name="frames">The frame numbers.</param>
    /// <param name="parameters">The rendering parameters.</param>
    /// <param name="type">The media type.</param>
    /// <param name="placement">The tiers for the frames that are fetched.</param>
    public async IAsyncEnumerable<PicturePart> EnumerateParts(
        HttpContext context, RenderableInstance instance, IEnumerable<int> frames, RenderedParameters parameters, string type,
        Placement placement = Placement.MemoryAndDisk)
    {
        await Task.CompletedTask;
        var access = context.GetAccess();
        foreach (var frame in frames)
        {
            var request = new PictureRequest(instance.Path, frame, type, parameters)
            {
                DatasetHash = instance.DatasetHash,
                FramePlacement = placement,
            };
            yield return new(
                $"{context.GetRootAddress(access)}/{request.ResourcePath}",
                () => pictures.ReadAsync(access, instance.Backend, request, context.RequestAborted));
        }
    }

    /// <summary>Answers with one picture.</summary>
    public Task<IResult> AnswerPictureAsync(HttpContext context, RenderableInstance instance, PictureRequest request, bool isMultipart) =>
        SendAsync(
            context, instance, () => pictures.ReadAsync(context.GetAccess(), instance.Backend, request, context.RequestAborted),
            new($"{request.ResourcePath} {request.GetKey(instance.Backend).Representation.Parameters}", isMultipart));

    /// <summary>Answers with one picture; with a neutral one if the frame cannot be rendered.</summary>
    public Task<IResult> AnswerThumbnailAsync(HttpContext context, RenderableInstance instance, PictureRequest request, bool isMultipart)
    {
        var (access, stopped) = (context.GetAccess(), context.RequestAborted);
        var name = $"{request.ResourcePath} {request.GetKey(instance.Backend).Representation.Parameters}";
        return SendAsync(context, instance, ReadAsync, new(name, isMultipart));

        async Task<BodyResult> ReadAsync()
        {
            var result = await pictures.ReadAsync(access, instance.Backend, request, stopped);
            return result.Body is null && result.Failures.Count > 0
                && result.Failures.All(failure => failure.Error is BackendError.NotInThisForm or BackendError.NotGiven)
                ? await pictures.ReadAsync(access, instance.Backend, request with { IsNeutral = true }, stopped)
                : result;
        }
    }

    /// <summary>What is read, for the entity tag, and whether it is sent as a part.</summary>
    private readonly record struct Wrapped(string Name, bool IsMultipart);

    private async Task<IResult> SendAsync(
        HttpContext context, RenderableInstance instance, Func<Task<BodyResult>> read, Wrapped wrapped)
    {
        var started = time.GetTimestamp();
        using var result = await read();
        if (result.Body is not { } body) return PictureAnswer.ToProblem(context, result.Failures, instance.Path.ToString());
        var form = new PictureAnswer.Form(
            body.Head, $"{result.Backend} {wrapped.Name}", context.GetResourceAddress(), wrapped.IsMultipart, time.GetElapsedTime(started));
        await PictureAnswer.SendAsync(context, result, body, form, time.GetUtcNow());
        return Results.Empty;
    }

    /// <summary>Sends the stored video under its own type.</summary>
    private async Task<IResult> AnswerVideoAsync(HttpContext context, RenderableInstance instance, RenderedForms forms)
    {
        var started = time.GetTimestamp();
        using var result = await bodies.ReadAsync(
            context.GetAccess(), instance.Path, frame: 1, AsStored, Placement.MemoryAndDisk, context.RequestAborted);
        if (result.Body is not { } body) return PictureAnswer.ToProblem(context, result.Failures, instance.Path.ToString());
        var type = FindVideoType(body.Head);
        if (type is null || forms.ChooseOne(type) is not { } chosen)
            return Problems.NotAcceptable(type is null ? "The object is no video." : $"The object is a video of the type {type}.");
        var form = new PictureAnswer.Form(
            body.Head with { MediaType = type, TransferSyntax = null }, $"{result.Backend} {instance.Path}/rendered",
            context.GetResourceAddress(), chosen.IsMultipart, time.GetElapsedTime(started));
        await PictureAnswer.SendAsync(context, result, body, form, time.GetUtcNow());
        return Results.Empty;
    }

    private static string? FindVideoType(EntryHead head) =>
        head.MediaType.StartsWith("video/", StringComparison.Ordinal) ? head.MediaType
        : Uid.TryParse(head.TransferSyntax, out var syntax) && TransferSyntax.FindFrameType(syntax) is { } type
            && type.StartsWith("video/", StringComparison.Ordinal) ? type
        : null;

    private static ReadOnlySpan<string> GetOffered(Renderable what, bool areFrames) => what.Kind switch
    {
        RenderableKind.Image when areFrames || what.Frames == 1 => Images,
        RenderableKind.Image => ImagesAndVideos,
        RenderableKind.Video when areFrames => Images,
        RenderableKind.Video => VideosAndImages,
        RenderableKind.Document => Documents,
        _ => Texts,
    };

    private static IResult NotAcceptable(ReadOnlySpan<string> offered, bool areMany) => Problems.NotAcceptable(
        areMany
            ? "Several frames are rendered as multipart/related; type=\"image/jpeg\"."
            : $"This object is rendered as {string.Join(", ", offered)}, alone or in multipart/related.");
}
