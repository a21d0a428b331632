using System.Buffers;
using Proxy.Cache;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>Moves a body from the cache or a fill to a client.</summary>
internal static class BodyCopy
{
    /// <summary>
    /// Writes a body to the client: one on its way leaves piece by piece as it comes; the last piece of one that is here
    /// leaves with what is written behind it.
    /// </summary>
    /// <exception cref="BrokenBodyException">The backend or the disk broke off: the client's connection has to, too.</exception>
    public static async Task ToClientAsync(HttpContext context, IBody body)
    {
        var output = context.Response.BodyWriter;
        var left = (body as IKeptBody)?.Length ?? long.MaxValue;
        for (ReadOnlyMemory<byte> piece; !(piece = await body.ReadAsync(context.RequestAborted)).IsEmpty;)
        {
            output.Write(piece.Span);
            left -= piece.Length;
            if (left > 0) await output.FlushAsync(context.RequestAborted);
        }
    }
}
