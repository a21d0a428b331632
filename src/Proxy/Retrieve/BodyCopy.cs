using System.Buffers;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Cache.OnDisk;
using Proxy.Operations;
using Proxy.Operations.Output;

namespace Proxy.Retrieve;

/// <summary>Copies a body from the cache or from an ongoing fetch to a client.</summary>
internal static class BodyCopy
{
    /// <summary>The maximum of a flush that sends from a file, in bytes.</summary>
    private const int MaxFileBytes = 64 << 20;

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
        var cancellation = context.RequestAborted;
        var steps = context.RequestServices.GetRequiredService<ResponseSteps>();
        var left = (body as ICachedBody)?.Length ?? long.MaxValue;
        if (left > ResponseSteps.SmallBytes && ResponseSteps.FindLender(context) is { } lender)
        {
            if (body is MemoryBody memory)
            {
                await LendAsync(context, lender, memory, end);
                return;
            }
            if (body is FileBody { CanSend: true } file && await TrySendAsync(context, lender, file, end)) return;
        }
        for (ReadOnlyMemory<byte> piece; !(piece = await body.ReadAsync(cancellation)).IsEmpty;)
        {
            left -= piece.Length;
            await steps.WriteAsync(context, piece, left == 0 ? end : default);
        }
        // A length was declared for it.
        if (left > 0 && body is ICachedBody) throw new TruncatedBodyException();
        if (left != 0 && !end.IsEmpty) await steps.WriteAsync(context, default, end);
    }

    /// <summary>Sends a body from its own memory, several pieces at a time: they stay valid until the body is disposed.</summary>
    private static async Task LendAsync(HttpContext context, ConnectionOutput lender, MemoryBody body, ReadOnlyMemory<byte> end)
    {
        var (writer, cancellation) = (context.Response.BodyWriter, context.RequestAborted);
        try
        {
            var (pending, left) = (0, body.Length);
            for (ReadOnlyMemory<byte> piece; !(piece = await body.ReadAsync(cancellation)).IsEmpty;)
            {
                if (!lender.TryLend(writer, piece)) writer.Write(piece.Span);
                pending += piece.Length;
                left -= piece.Length;
                // The last piece leaves with the end.
                if (pending < ResponseSteps.LargeBytes || left == 0) continue;
                await writer.FlushAsync(cancellation);
                pending = 0;
            }
            writer.Write(end.Span);
            await writer.FlushAsync(cancellation);
        }
        finally
        {
            await lender.ReclaimAsync();
        }
    }

    /// <summary>Sends a body from its file to the socket; false when it must be copied.</summary>
    private static async Task<bool> TrySendAsync(HttpContext context, ConnectionOutput lender, FileBody body, ReadOnlyMemory<byte> end)
    {
        var (writer, cancellation) = (context.Response.BodyWriter, context.RequestAborted);
        try
        {
            for (var isFirst = true; body.Left is > 0 and var left; isFirst = false)
            {
                var step = (int)Math.Min(left, MaxFileBytes);
                if (!lender.TrySend(writer, step, (socket, stopped) => body.SendAsync(socket, step, stopped)))
                {
                    // The answer was aborted.
                    return isFirst ? false : throw new TruncatedBodyException();
                }
                if (step == left) writer.Write(end.Span);
                await writer.FlushAsync(cancellation);
                if (body.IsTruncated) throw new TruncatedBodyException();
                if (body.Left == left) return true;
            }
            return true;
        }
        finally
        {
            await lender.ReclaimAsync();
        }
    }
}
