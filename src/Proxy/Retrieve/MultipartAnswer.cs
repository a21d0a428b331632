using System.Buffers;
using Proxy.Cache;
using Proxy.Operations;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>Writes bodies to a client: one alone, or several as the parts of a multipart answer.</summary>
internal static class MultipartAnswer
{
    /// <summary>How many parts are on their way at once.</summary>
    private const int Ahead = 4;

    public static async Task WriteOneAsync(HttpContext context, Wrapping wrapping, IBody body)
    {
        var response = context.Response;
        response.ContentType = wrapping.ContentType;
        if (body.Head.Length is { } length) response.ContentLength = wrapping.Opening.Length + length + wrapping.End.Length;
        // What is written before the start goes through memory of its own.
        await response.StartAsync(context.RequestAborted);
        response.BodyWriter.Write(wrapping.Opening);
        await BodyCopy.ToClientAsync(context, body);
        response.BodyWriter.Write(wrapping.End);
        await response.BodyWriter.FlushAsync(context.RequestAborted);
    }

    /// <param name="context">The client.</param>
    /// <param name="boundary">The same for the same request, so that a range of the answer stays meaningful.</param>
    /// <param name="first">The first part, found already.</param>
    /// <param name="count">Of all parts.</param>
    /// <param name="read">Finds a part by its place, from 1 on: the first is <paramref name="first"/>.</param>
    public static async Task WriteManyAsync(HttpContext context, string boundary, IBody first, int count, Func<int, Task<BodyResult>> read)
    {
        var response = context.Response;
        var output = response.BodyWriter;
        var writer = new MultipartWriter(boundary);
        response.ContentType = Wrapping.TypeOfMultipart(boundary, first.Head);
        await response.StartAsync(context.RequestAborted);
        output.Write(writer.PartHead(isFirst: true, Wrapping.TypeOf(first.Head), first.Head.Length));
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
                output.Write(writer.PartHead(isFirst: false, Wrapping.TypeOf(body.Head), body.Head.Length));
                await BodyCopy.ToClientAsync(context, body);
            }
        }
        finally
        {
            foreach (var rest in coming) _ = rest.ContinueWith(static r => r.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
        }
        output.Write(writer.End());
        await output.FlushAsync(context.RequestAborted);
    }
}
