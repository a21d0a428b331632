using System.Buffers;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>Writes bodies to a client: one alone, or several as the parts of a multipart answer.</summary>
internal static class MultipartAnswer
{
    /// <summary>How many parts are on their way at once.</summary>
    private const int Ahead = 4;

    /// <summary>The type of a part or of a single body, with the transfer syntax that its bytes are in.</summary>
    public static string TypeOf(EntryHead head) => head.TransferSyntax is null ? head.MediaType : $"{head.MediaType}; transfer-syntax={head.TransferSyntax}";

    public static async Task WriteSingleAsync(HttpContext context, IBody body)
    {
        context.Response.ContentType = TypeOf(body.Head);
        context.Response.ContentLength = body.Head.Length;
        await context.Response.StartAsync(context.RequestAborted);
        await BodyCopy.ToClientAsync(context, body);
        await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
    }

    /// <param name="context">The client.</param>
    /// <param name="boundary">The same for the same request, so that a range of the answer stays meaningful.</param>
    /// <param name="first">The first part, found already.</param>
    /// <param name="count">Of all parts.</param>
    /// <param name="read">Finds a part by its place, from 1 on: the first is <paramref name="first"/>.</param>
    public static async Task WriteAsync(HttpContext context, string boundary, IBody first, int count, Func<int, Task<BodyResult>> read)
    {
        var response = context.Response;
        var output = response.BodyWriter;
        var writer = new MultipartWriter(boundary);
        var head = first.Head;
        response.ContentType = $"{MediaType.MultipartRelated}; type=\"{head.MediaType}\"; boundary={boundary}";
        var opening = writer.PartHead(isFirst: true, TypeOf(head), head.Length);
        var end = writer.End();
        if (count == 1 && head.Length is { } length) response.ContentLength = opening.Length + length + end.Length;
        // What is written before the start goes through memory of its own.
        await response.StartAsync(context.RequestAborted);
        output.Write(opening);
        await BodyCopy.ToClientAsync(context, first);

        var coming = new Queue<Task<BodyResult>>();
        try
        {
            for (int next = 1, written = 1; written < count; written++)
            {
                await output.FlushAsync(context.RequestAborted);
                while (next < count && coming.Count < Ahead) coming.Enqueue(read(next++));
                using var result = await coming.Dequeue();
                if (result.Body is not { } body) throw new BrokenBodyException();
                output.Write(writer.PartHead(isFirst: false, TypeOf(body.Head), body.Head.Length));
                await BodyCopy.ToClientAsync(context, body);
            }
        }
        finally
        {
            foreach (var rest in coming) _ = rest.ContinueWith(static r => r.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
        }
        output.Write(end);
        await output.FlushAsync(context.RequestAborted);
    }
}
