using System.Buffers;
using Proxy.Backends;
using Proxy.Operations;
using Proxy.Retrieve;
using Proxy.Wire;

namespace Proxy.Rendering;

/// <summary>A picture of a multipart answer.</summary>
/// <param name="Location">The address of the picture alone.</param>
/// <param name="Read">Reads the picture.</param>
internal sealed record PicturePart(string Location, Func<Task<BodyResult>> Read);

/// <summary>Sends several pictures as the parts of one answer, each as soon as it is made.</summary>
/// <remarks>
/// A resource with objects that cannot be rendered has the pictures of the others (PS3.18 §8.7.8.1: a representation is selected per
/// part). A backend that fails later breaks the connection: the answer would look complete.
/// </remarks>
internal static class PictureParts
{
    /// <summary>The pictures that are read at once.</summary>
    private const int MaxPending = 4;

    /// <summary>Sends the pictures.</summary>
    /// <param name="context">The request.</param>
    /// <param name="parts">The pictures, in order.</param>
    /// <param name="path">The path of the resource below a DICOMweb root, for a problem.</param>
    /// <returns>A problem if there is no picture; an empty result otherwise.</returns>
    public static async Task<IResult> AnswerAsync(HttpContext context, IAsyncEnumerable<PicturePart> parts, string path)
    {
        var output = context.Response.BodyWriter;
        var pending = new Queue<(string Location, Task<BodyResult> Result)>();
        MultipartWriter? writer = null;
        IReadOnlyList<BackendFailure> leftOut = [];
        await using var next = parts.GetAsyncEnumerator(context.RequestAborted);
        try
        {
            for (var isAtEnd = false; !isAtEnd || pending.Count > 0;)
            {
                while (!isAtEnd && pending.Count < MaxPending)
                {
                    isAtEnd = !await next.MoveNextAsync();
                    if (!isAtEnd) pending.Enqueue((next.Current.Location, next.Current.Read()));
                }
                if (!pending.TryDequeue(out var first)) break;
                using var result = await first.Result;
                if (result.Body is not { } body)
                {
                    leftOut = result.Failures;
                    if (leftOut.Count > 0 && leftOut.All(failure => failure.Error == BackendError.NotInThisForm)) continue;
                    return writer is null ? PictureAnswer.ToProblem(context, leftOut, path) : throw new TruncatedBodyException();
                }
                var isFirst = writer is null;
                writer ??= MultipartWriter.CreateRandom();
                if (isFirst)
                {
                    new CachedAnswer(result.Status) { IsStored = false, Backend = result.Backend }.Begin(context);
                    context.Response.SetInert();
                    context.Response.ContentType = Wrapping.GetMultipartType(writer, body.Head);
                    if (MultipartAnswer.EndHead(context, body)) return Results.Empty;
                    await context.Response.StartAsync(context.RequestAborted);
                }
                output.Write(writer.CreatePartHead(isFirst, Wrapping.GetContentType(body.Head), first.Location, body.Head.Length));
                await BodyCopy.ToClientAsync(context, body);
                await output.FlushAsync(context.RequestAborted);
            }
        }
        finally
        {
            foreach (var (_, rest) in pending)
                _ = rest.ContinueWith(
                    static r => r.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion,
                    TaskScheduler.Default);
        }
        if (writer is null)
        {
            return leftOut.Count > 0
                ? leftOut.ToProblem()
                : Problems.NotAcceptable("The resource has no object that can be rendered as asked.");
        }
        output.Write(writer.End());
        await output.FlushAsync(context.RequestAborted);
        return Results.Empty;
    }
}
