using System.Buffers;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Retrieve.Ranges;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>Writes bodies to a client: a single body, or several as the parts of a multipart answer.</summary>
internal static class MultipartAnswer
{
    /// <summary>The number of parts that are read concurrently.</summary>
    private const int MaxPending = 4;

    /// <summary>Writes a single body; without a multipart around it, only the ranges of it that the client asks for.</summary>
    public static async Task WriteOneAsync(HttpContext context, Wrapping wrapping, IBody body)
    {
        var response = context.Response;
        var length = (body as ICachedBody)?.Length ?? body.Head.Length;
        if (wrapping.IsShown) response.SetShown();
        else response.SetInert();
        if (!wrapping.IsMultipart)
        {
            response.Headers.AcceptRanges = "bytes";
            if (context.Request.Headers.Range.Count > 0 && RangeAnswer.Select(context, length) is { } selection)
            {
                await RangeAnswer.WriteAsync(context, body, wrapping.ContentType, length!.Value, selection);
                return;
            }
        }
        response.ContentType = wrapping.ContentType;
        if (length is { } known) response.ContentLength = wrapping.Opening.Length + known + wrapping.End.Length;
        if (EndHead(context, body)) return;
        // Bytes written before the start go through an extra buffer.
        await response.StartAsync(context.RequestAborted);
        response.BodyWriter.Write(wrapping.Opening);
        await BodyCopy.ToClientAsync(context, body, wrapping.End);
    }

    /// <summary>Writes a known number of parts.</summary>
    /// <param name="context">The request.</param>
    /// <param name="first">The first part, already found.</param>
    /// <param name="count">The number of parts.</param>
    /// <param name="read">Finds a part by its index, from 1 on; index 0 is <paramref name="first"/>.</param>
    /// <param name="locate">The address of a part by its index, from 0 on.</param>
    public static async Task WriteManyAsync(
        HttpContext context, IBody first, int count, Func<int, Task<BodyResult>> read, Func<int, string> locate)
    {
        var response = context.Response;
        var output = response.BodyWriter;
        var writer = MultipartWriter.CreateRandom();
        response.SetInert();
        response.ContentType = Wrapping.GetMultipartType(writer, first.Head);
        if (EndHead(context, first)) return;
        await response.StartAsync(context.RequestAborted);
        output.Write(Wrapping.CreatePartHead(writer, isFirst: true, first.Head, locate(0)));
        await BodyCopy.ToClientAsync(context, first);

        var pending = new Queue<Task<BodyResult>>();
        try
        {
            for (int next = 1, written = 1; written < count; written++)
            {
                await output.FlushAsync(context.RequestAborted);
                while (next < count && pending.Count < MaxPending) pending.Enqueue(read(next++));
                using var result = await pending.Dequeue();
                if (result.Body is not { } body) throw new TruncatedBodyException();
                output.Write(Wrapping.CreatePartHead(writer, isFirst: false, body.Head, locate(written)));
                await BodyCopy.ToClientAsync(context, body);
            }
        }
        finally
        {
            foreach (var rest in pending)
                _ = rest.ContinueWith(
                    static r => r.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion,
                    TaskScheduler.Default);
        }
        output.Write(writer.End());
        await output.FlushAsync(context.RequestAborted);
    }

    /// <summary>Sets the headers of an answer whose parts are whole instances.</summary>
    /// <returns>Writes the parts.</returns>
    public static MultipartWriter SetHeaders(HttpResponse response)
    {
        var writer = MultipartWriter.CreateRandom();
        response.SetInert();
        response.ContentType = Wrapping.GetMultipartType(writer, new(BodyFormat.Dicom, null, null));
        return writer;
    }

    /// <summary>
    /// Writes parts as they arrive. An unavailable part closes the connection: the answer would look complete without it.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="writer">From <see cref="SetHeaders"/>.</param>
    /// <param name="parts">Positioned at the first part, which has a body.</param>
    /// <param name="locate">The address of a part.</param>
    public static async Task WriteAllAsync(
        HttpContext context, MultipartWriter writer, IAsyncEnumerator<InstancePart> parts, Func<InstancePath, string> locate)
    {
        var output = await PartsOutput.StartAsync(context);
        var isFirst = true;
        do
        {
            using var result = parts.Current.Result;
            if (result.Body is not { } body) throw new TruncatedBodyException();
            await output.WriteAsync(Wrapping.CreatePartHead(writer, isFirst, body.Head, locate(parts.Current.Path)), body);
            isFirst = false;
        }
        while (await parts.MoveNextAsync());
        await output.EndAsync(writer.End());
    }

    /// <summary>True for a HEAD request, whose answer is complete with its headers. The body is fetched: a GET usually follows.</summary>
    public static bool EndHead(HttpContext context, IBody body)
    {
        if (!HttpMethods.IsHead(context.Request.Method)) return false;
        (body as InFlightBody.Reader)?.KeepFetching();
        return true;
    }
}
