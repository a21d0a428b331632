using Proxy.Cache;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>Moves a body from the cache or a fill to a client.</summary>
internal static class BodyCopy
{
    /// <summary>
    /// Writes a body to the client: one on its way leaves piece by piece as it comes; the last piece of one that is here
    /// leaves with what stands behind it.
    /// </summary>
    /// <param name="context">The client, whose answer was started.</param>
    /// <param name="body">The body.</param>
    /// <param name="end">What stands behind it; may be empty.</param>
    /// <exception cref="BrokenBodyException">The backend or the disk broke off: the client's connection has to, too.</exception>
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
        if (left != 0) await steps.WriteAsync(output, default, end, cancellation);
    }
}
