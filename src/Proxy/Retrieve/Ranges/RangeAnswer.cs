using System.Buffers;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Proxy.Cache;
using Proxy.Operations;
using Proxy.Wire;

namespace Proxy.Retrieve.Ranges;

/// <summary>Answers a request with a <c>Range</c> header: 206 with one range or several, or 416 (RFC 9110 §14, §15.3.7).</summary>
/// <remarks>
/// <code>
/// --boundary                          one range:    Content-Range and the bytes
/// Content-Type: application/dicom     several:      multipart/byteranges, as on the left
/// Content-Range: bytes 0-9/2048
///
/// (bytes)
/// --boundary--
/// </code>
/// A PACS is never asked for a range: a body in flight is read as a whole and cut here, so it is cached as a whole.
/// </remarks>
internal static class RangeAnswer
{
    /// <summary>The parts of the body that the request selects; null when the whole body is to be sent.</summary>
    /// <param name="context">The request, and the answer with its entity tag.</param>
    /// <param name="length">The length of the body; null while it is not known, and then no range can be described.</param>
    public static RangeSelection? Select(HttpContext context, long? length)
    {
        var headers = context.Request.Headers;
        // Range has no meaning for other methods (RFC 9110 §14.2), and two headers are malformed.
        if (length is not { } known || !HttpMethods.IsGet(context.Request.Method) || headers.Range is not [{ } range]) return null;
        // Strong comparison (RFC 9110 §13.1.5): a weak tag does not match, and neither does a date, because no answer has one.
        if (headers.IfRange is { Count: > 0 } condition
            && (context.Response.Headers.ETag is not [['"', ..] tag] || condition.ToString() != tag))
            return null;
        return RangeSelection.Read(range, known);
    }

    /// <summary>Sends the selected parts.</summary>
    /// <param name="context">The answer, with the headers that describe it.</param>
    /// <param name="body">The body, at its start.</param>
    /// <param name="contentType">The type of the whole body.</param>
    /// <param name="length">The length of the whole body.</param>
    /// <param name="selection">The parts.</param>
    /// <exception cref="TruncatedBodyException">The backend or the disk failed; the client's connection must be closed.</exception>
    public static async Task WriteAsync(HttpContext context, IBody body, string contentType, long length, RangeSelection selection)
    {
        var (response, ranges) = (context.Response, selection.Ranges);
        if (ranges.IsEmpty)
        {
            response.Headers.ContentRange = string.Create(CultureInfo.InvariantCulture, $"bytes */{length}");
            await Problems.RangeNotSatisfiable(length).ExecuteAsync(context);
            return;
        }
        response.StatusCode = StatusCodes.Status206PartialContent;
        var (heads, end) = ranges is [var only]
            ? Describe(response, contentType, only, length)
            : CreateHeads(response, contentType, ranges, length);
        response.ContentLength = heads.Sum(h => h.Length) + ranges.Sum(r => r.Length) + end.Length;
        await body.MoveToAsync(ranges[0].First, context.RequestAborted);
        await response.StartAsync(context.RequestAborted);
        await CopyAsync(context, body, ranges, heads, end);
        // The client will ask for other ranges: let the body arrive completely.
        (body as InFlightBody.Reader)?.KeepFetching();
    }

    private static (byte[][] Heads, byte[] End) Describe(HttpResponse response, string contentType, BodyRange range, long length)
    {
        response.ContentType = contentType;
        response.Headers.ContentRange = Describe(range, length);
        return ([[]], []);
    }

    private static (byte[][] Heads, byte[] End) CreateHeads(
        HttpResponse response, string contentType, ImmutableArray<BodyRange> ranges, long length)
    {
        var writer = MultipartWriter.CreateRandom();
        response.ContentType = $"multipart/byteranges; boundary={writer.Boundary}";
        return (
            [.. ranges.Select((range, index) => Encoding.Latin1.GetBytes(
                $"{(index == 0 ? "" : "\r\n")}--{writer.Boundary}\r\nContent-Type: {contentType}\r\n"
                + $"Content-Range: {Describe(range, length)}\r\n\r\n"))],
            writer.End());
    }

    private static string Describe(BodyRange range, long length) =>
        string.Create(CultureInfo.InvariantCulture, $"bytes {range.First}-{range.Last}/{length}");

    private static async Task CopyAsync(
        HttpContext context, IBody body, ImmutableArray<BodyRange> ranges, byte[][] heads, ReadOnlyMemory<byte> end)
    {
        var (output, cancellation) = (context.Response.BodyWriter, context.RequestAborted);
        var steps = context.RequestServices.GetRequiredService<ResponseSteps>();
        // The last piece that was read, which may hold the start of the next range too, and the offset behind it.
        var (piece, behind) = (ReadOnlyMemory<byte>.Empty, ranges[0].First);
        for (var i = 0; i < ranges.Length; i++)
        {
            output.Write(heads[i]);
            for (var at = ranges[i].First; at <= ranges[i].Last;)
            {
                if (at > behind) await body.MoveToAsync(behind = at, cancellation);
                if (at == behind)
                {
                    piece = await body.ReadAsync(cancellation);
                    if (piece.IsEmpty) throw new TruncatedBodyException();
                    behind += piece.Length;
                }
                var bytes = piece[^(int)(behind - at)..];
                bytes = bytes[..(int)Math.Min(bytes.Length, ranges[i].Last - at + 1)];
                at += bytes.Length;
                await steps.WriteAsync(context, bytes, i == ranges.Length - 1 && at > ranges[i].Last ? end : default);
            }
        }
    }
}
