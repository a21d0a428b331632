using Proxy.Cache;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>Copies a body from the cache or from an ongoing fetch to a client.</summary>
internal static class BodyCopy
{
    /// <summary>
    /// Writes a body to the client: a body in flight piece by piece as it arrives; the last piece of a complete body is sent
    /// together with the bytes behind it.
    /// </summary>
    /// <param name="context">The request; its response has started.</param>
    /// <param name="body">The body.</param>
    /// <param name="end">The bytes to write behind the body; may be empty.</param>
    /// <exception cref="TruncatedBodyException">The backend or the disk failed; the client's connection must be closed.</exception>
    public static async Task ToClientAsync(HttpContext context, IBody body, ReadOnlyMemory<byte> end = default)
    {
        var (output, cancellation) = (context.Response.BodyWriter, context.RequestAborted);
        var steps = context.RequestServices.GetRequiredService<ResponseSteps>();
        var left = (body as ICachedBody)?.Length ?? long.MaxValue;
        for (ReadOnlyMemory<byte> piece; !(piece = await body.ReadAsync(cancellation)).IsEmpty;)
        {
            left -= piece.Length;
            await steps.WriteAsync(output, piece, left == 0 ? end : default, cancellation);
        }
        if (left != 0 && !end.IsEmpty) await steps.WriteAsync(output, default, end, cancellation);
    }
}
