using Proxy.Backends;
using Proxy.Imaging;
using Proxy.Imaging.Codecs;
using Proxy.Imaging.Pictures;
using Proxy.Imaging.Presentation;
using Proxy.Operations;
using Proxy.Retrieve;

namespace Proxy.Rendering.Making;

/// <summary>A picture that was made, and the backend of its frames.</summary>
/// <param name="Answer">The file, or the failure.</param>
/// <param name="Backend">The backend.</param>
internal readonly record struct MadePicture(BackendAnswer<RenderedFile> Answer, string Backend);

/// <summary>Makes a picture: from cached frames, or by asking the backend for its own rendering.</summary>
/// <remarks>
/// <code>
/// 1 prefer    with Retrieve:Rendering = Backend, the backend's own rendering
/// 2 open      the frame as stored, from the cache or from the owner, and the dataset of the backend that gave it
/// 3 decode    in a slot: one picture per core at a time, within the memory budget
/// 4 render    window, palette, size
/// 5 ask       the backend's own rendering, once, for a frame that cannot be decoded or rendered here
/// </code>
/// If nothing gives a picture, the failure says why the frame cannot be rendered: the client gets 406.
/// </remarks>
internal sealed class PictureMaker(
    WholeFrames frames, RenderableInstances instances, PresentationValues values, FrameDecoder decoder, PixelSlots slots,
    BackendPictures remote, Reloadable<RetrieveOptions> options)
{
    /// <summary>The memory of one sample while a picture is made, in bytes: decoded, scaled, and as Skia encodes it.</summary>
    private const int BytesPerPixel = 8;

    private static readonly BackendFailure Busy =
        new("", BackendError.Busy, "the proxy makes as many pictures as it can; ask again later");

    /// <summary>Makes a picture.</summary>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="backend">The owner of the series.</param>
    /// <param name="request">The picture.</param>
    /// <param name="cancellation">Cancelled when no client waits for the picture any more.</param>
    public async Task<MadePicture> MakeAsync(
        Access access, string backend, PictureRequest request, CancellationToken cancellation)
    {
        if (request is { IsNeutral: true, Format: { } neutral }) return new(new(DrawNeutral(backend, request, neutral)), backend);
        // 1
        var prefersRemote = options.Value.Rendering == RenderingSource.Backend || request.Format is null;
        if (prefersRemote && await remote.AskAsync(backend, request.ToRemote(), cancellation) is { IsFound: true } preferred)
            return new(preferred, backend);
        if (request.Format is not { } format)
            return new(CannotRender(backend, "it has no pixels, and its PACS does not render it"), backend);
        var own = await MakeOwnAsync(access, backend, request, format, cancellation);
        if (own.Answer.Failure?.Error != BackendError.NotInThisForm || prefersRemote) return own;
        // 5
        return await remote.AskAsync(backend, request.ToRemote(), cancellation) is { IsFound: true } asked ? new(asked, backend) : own;
    }

    private RenderedFile DrawNeutral(string backend, PictureRequest request, PictureFormat format)
    {
        var kind = instances.FindJson(backend, request.Path) is { } json ? NeutralKinds.Find(json.Span) : NeutralKind.Other;
        return new(request.MediaType, NeutralPicture.Draw(kind, request.Parameters.ToPicture(format)).Bytes);
    }

    private Task<MadePicture> MakeOwnAsync(
        Access access, string owner, PictureRequest request, PictureFormat format, CancellationToken cancellation)
    {
        if (instances.Find(owner, request.Path)?.What.Kind == RenderableKind.Video)
            return Task.FromResult<MadePicture>(new(CannotRender(owner, "it is a video"), owner));
        return format == PictureFormat.Gif && request.Frame is null
            ? AnimateAsync(access, owner, request, cancellation)
            : RenderAsync(access, owner, request, request.Parameters.ToPicture(format), cancellation);
    }

    private async Task<MadePicture> RenderAsync(
        Access access, string owner, PictureRequest request, PictureParameters parameters, CancellationToken cancellation)
    {
        Picture? picture = null;
        var number = request.Frame ?? 1;
        var drawn = await DrawAsync(new(access, owner, request, new(number, 1)), number, Draw, cancellation);
        return picture is null ? drawn : drawn with { Answer = new(new RenderedFile(request.MediaType, picture.Bytes)) };

        string? Draw(NativeFrame frame, ImagePresentation presentation)
        {
            var rendering = FramePictures.Render(frame, presentation, parameters);
            picture = rendering.Picture;
            return rendering.Reason;
        }
    }

    private async Task<MadePicture> AnimateAsync(Access access, string owner, PictureRequest request, CancellationToken cancellation)
    {
        var animation = new Animation(request.Parameters.ToPicture(PictureFormat.Gif));
        var count = Math.Min(instances.Find(owner, request.Path)?.What.Frames ?? 1, Animation.MaxFrames);
        var drawing = new Drawing(access, owner, request, new(1, count));
        var drawn = new MadePicture(default, owner);
        for (var number = 1; number <= count && !animation.IsFull; number++)
        {
            drawn = await DrawAsync(drawing, number, animation.Add, cancellation);
            if (animation.Frames < number) return drawn;
        }
        return drawn with { Answer = new(new RenderedFile(request.MediaType, animation.Complete().Bytes)) };
    }

    /// <summary>The frames of one picture.</summary>
    private sealed record Drawing(Access Access, string Owner, PictureRequest Request, PresentationValues.Frames Presentations);

    // 2
    /// <summary>Draws one frame; the answer has no file.</summary>
    private async Task<MadePicture> DrawAsync(
        Drawing drawing, int number, Func<NativeFrame, ImagePresentation, string?> draw, CancellationToken cancellation)
    {
        var (access, owner, request, presentations) = drawing;
        var read = await frames.OpenAsync(access, request.Path, number, request.FramePlacement, cancellation);
        if (read.Failure is { Error: BackendError.NotInThisForm } form) return new(CannotRender(form.Backend, form.Detail), owner);
        if (!read.IsFound) return new(read.Failure is { } failure ? new(failure) : new() { IsMissing = true }, owner);
        using var frame = read.Value;
        var backend = frame.Result.Backend;
        if (instances.FindJson(backend, request.Path) is not { } json)
            return new(new(new BackendFailure(backend, BackendError.BadAnswer, "it gives a frame and no metadata of it")), backend);
        if (PixelLayout.Read(json.Span) is not { } layout)
            return new(CannotRender(backend, "the metadata does not describe the pixels"), backend);
        if (FindRefusal(layout, number) is { } refusal) return new(CannotRender(backend, refusal), backend);
        var presentation = await presentations.GetAsync(values, backend, json, number, cancellation);
        // 3
        var needed = frame.Length + GetBytes(layout, request);
        if (!slots.CanHold(needed)) return new(CannotRender(backend, "it needs too much memory; a smaller viewport needs less"), backend);
        using var slot = await slots.EnterAsync(needed, cancellation);
        if (slot is null) return new(new(Busy), backend);
        if (await TryReadAsync(frame, cancellation) is not { } bytes)
            return new(new(new BackendFailure(backend, BackendError.BadAnswer, "the frame was truncated")), backend);
        var decoding = await decoder.DecodeAsync(WholeFrames.FindTransferSyntax(frame.Result.Body!.Head)!, layout, bytes, cancellation);
        if (!decoding.IsDecoded) return new(CannotRender(backend, decoding.Reason), backend);
        cancellation.ThrowIfCancellationRequested();
        // 4
        return new(draw(decoding.Frame, presentation) is { } reason ? CannotRender(backend, reason) : default, backend);
    }

    private static async Task<ReadOnlyMemory<byte>?> TryReadAsync(WholeBody frame, CancellationToken cancellation)
    {
        try
        {
            return await frame.ReadAsync(cancellation);
        }
        catch (TruncatedBodyException)
        {
            return null;
        }
    }

    private static BackendAnswer<RenderedFile> CannotRender(string backend, string reason) =>
        new(new BackendFailure(backend, BackendError.NotInThisForm, $"the frame cannot be rendered: {reason}"));

    private static string? FindRefusal(PixelLayout layout, int number) =>
        layout.FrameLength > WholeFrames.MaxBytes ? $"it has more than {WholeFrames.MaxBytes >> 20} MiB"
        // Frames of single bits follow each other without padding, so the first bit of this one is not known (PS3.18 §8.7.3.3.1).
        : layout.BitsAllocated == 1 && number > 1 && (long)layout.Rows * layout.Columns % 8 != 0 ? "its single bits do not begin at a byte"
        : null;

    /// <summary>The memory that the picture needs besides the stored frame.</summary>
    private static long GetBytes(PixelLayout layout, PictureRequest request)
    {
        var shown = request.Parameters.Viewport is { } viewport
            ? (long)viewport.Width * viewport.Height
            : (long)layout.Columns * layout.Rows;
        return layout.FrameLength + BytesPerPixel * shown;
    }
}
