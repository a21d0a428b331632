using Proxy.Backends;
using Proxy.Cache;
using Proxy.Operations;
using Proxy.Rendering.Making;
using Proxy.Retrieve;

namespace Proxy.Rendering;

/// <summary>Sends one rendered file to a client.</summary>
internal static class PictureAnswer
{
    /// <summary>How a file is sent.</summary>
    /// <param name="Head">The head of the file as the client gets it.</param>
    /// <param name="Name">Everything that the file depends on: the entity tag is made from it.</param>
    /// <param name="Location">The address of the file alone.</param>
    /// <param name="IsMultipart">True when it is the only part of a multipart answer.</param>
    /// <param name="Waited">The time since the request, for a file that was made for it.</param>
    public readonly record struct Form(EntryHead Head, string Name, string Location, bool IsMultipart, TimeSpan Waited);

    /// <summary>Sends a file.</summary>
    /// <param name="context">The request.</param>
    /// <param name="result">The file.</param>
    /// <param name="body">The body of the result.</param>
    /// <param name="form">How it is sent.</param>
    /// <param name="now">The time of the answer.</param>
    public static async Task SendAsync(HttpContext context, BodyResult result, IBody body, Form form, DateTimeOffset now)
    {
        var type = Wrapping.GetContentType(form.Head);
        var tag = BodyTag.Create($"{form.Name} {type}", body, form.IsMultipart);
        var answer = result.ToAnswer(body, now, form.Waited) with { ETag = tag?.Plain, ContentType = type };
        if (!answer.Begin(context)) return;
        if (form.IsMultipart || !type.StartsWith("image/", StringComparison.Ordinal))
        {
            // DocumentReader has verified that a PDF is one.
            await MultipartAnswer.WriteOneAsync(
                context,
                form.IsMultipart
                    ? Wrapping.Multipart(form.Head, form.Location)
                    : Wrapping.None(form.Head) with { IsShown = type == DocumentReader.MediaType },
                body);
            return;
        }
        context.Response.SetInert();
        // A browser may show it: an image of these types runs nothing.
        context.Response.Headers.ContentDisposition = "inline";
        var length = (body as ICachedBody)?.Length ?? body.Head.Length;
        answer.SetContent(context.Response);
        context.Response.ContentLength = length;
        if (MultipartAnswer.EndHead(context, body)) return;
        // A small answer is sent together with its headers.
        if (length > ResponseSteps.SmallBytes) await context.Response.StartAsync(context.RequestAborted);
        await BodyCopy.ToClientAsync(context, body);
    }

    /// <summary>The problem in place of a file.</summary>
    /// <param name="context">The request.</param>
    /// <param name="failures">Why there is no file; empty if no backend has the object.</param>
    /// <param name="path">The path of the object below a DICOMweb root.</param>
    public static IResult ToProblem(HttpContext context, IReadOnlyList<BackendFailure> failures, string path) =>
        failures.Count == 0 ? context.ToMissingProblem(path, "No backend holds this object.")
        // Its own limit names no backend.
        : failures.All(f => f.Error == BackendError.Busy && f.Backend.Length == 0) ? Problems.AtCapacity(failures[0].Detail)
        : failures.ToProblem();
}
