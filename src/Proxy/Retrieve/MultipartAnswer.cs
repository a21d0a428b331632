using System.Buffers;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>Writes bodies to a client: one alone, or several as the parts of a multipart answer.</summary>
internal static class MultipartAnswer
{
    /// <summary>How many parts are on their way at once.</summary>
    private const int MaxPending = 4;

    public static async Task WriteOneAsync(HttpContext context, Wrapping wrapping, IBody body)
    {
        var response = context.Response;
        response.SetInert();
        response.ContentType = wrapping.ContentType;
        if (body.Head.Length is { } length) response.ContentLength = wrapping.Opening.Length + length + wrapping.End.Length;
        // What is written before the start goes through memory of its own.
        await response.StartAsync(context.RequestAborted);
        response.BodyWriter.Write(wrapping.Opening);
        await BodyCopy.ToClientAsync(context, body, wrapping.End);
    }

    /// <param name="context">The client.</param>
    /// <param name="first">The first part, found already.</param>
    /// <param name="count">Of all parts.</param>
    /// <param name="read">Finds a part by its place, from 1 on: the first is <paramref name="first"/>.</param>
    /// <param name="locate">The address of a part by its place, from 0 on.</param>
    public static async Task WriteManyAsync(
        HttpContext context, IBody first, int count, Func<int, Task<BodyResult>> read, Func<int, string> locate)
    {
        var response = context.Response;
        var output = response.BodyWriter;
        response.SetInert();
        response.ContentType = Wrapping.TypeOfMultipart(first.Head);
        await response.StartAsync(context.RequestAborted);
        output.Write(Wrapping.PartHead(isFirst: true, first.Head, locate(0)));
        await BodyCopy.ToClientAsync(context, first);

        var coming = new Queue<Task<BodyResult>>();
        try
        {
            for (int next = 1, written = 1; written < count; written++)
            {
                await output.FlushAsync(context.RequestAborted);
                while (next < count && coming.Count < MaxPending) coming.Enqueue(read(next++));
                using var result = await coming.Dequeue();
                if (result.Body is not { } body) throw new BrokenBodyException();
                output.Write(Wrapping.PartHead(isFirst: false, body.Head, locate(written)));
                await BodyCopy.ToClientAsync(context, body);
            }
        }
        finally
        {
            foreach (var rest in coming)
                _ = rest.ContinueWith(
                    static r => r.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion,
                    TaskScheduler.Default);
        }
        output.Write(Wrapping.EndOfParts());
        await output.FlushAsync(context.RequestAborted);
    }

    /// <summary>
    /// Writes parts as they come. A part that cannot be had breaks the connection: the answer would look complete without it.
    /// </summary>
    /// <param name="context">The client.</param>
    /// <param name="parts">At the first part, which has a body.</param>
    /// <param name="locate">The address of a part.</param>
    public static async Task WriteAllAsync(HttpContext context, IAsyncEnumerator<InstancePart> parts, Func<InstancePath, string> locate)
    {
        var response = context.Response;
        var output = response.BodyWriter;
        response.SetInert();
        response.ContentType = Wrapping.TypeOfMultipart(parts.Current.Result.Body!.Head);
        await response.StartAsync(context.RequestAborted);
        var isFirst = true;
        do
        {
            using var result = parts.Current.Result;
            if (result.Body is not { } body) throw new BrokenBodyException();
            output.Write(Wrapping.PartHead(isFirst, body.Head, locate(parts.Current.Path)));
            await BodyCopy.ToClientAsync(context, body);
            await output.FlushAsync(context.RequestAborted);
            isFirst = false;
        }
        while (await parts.MoveNextAsync());
        output.Write(Wrapping.EndOfParts());
        await output.FlushAsync(context.RequestAborted);
    }
}
