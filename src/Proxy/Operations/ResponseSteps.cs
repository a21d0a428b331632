using System.Buffers;
using System.IO.Pipelines;
using Proxy.Operations.Output;

namespace Proxy.Operations;

/// <summary>Writes answers in steps, so that any number of slow clients holds a bounded amount of memory.</summary>
/// <remarks>
/// Kestrel copies written bytes into the connection's buffer, and a flush waits until the client has read most of them.
/// One large step is fastest. While many clients read slowly, steps become smaller. Where the connection can send a body from its own
/// memory (<see cref="ConnectionOutput"/>), nothing is copied, and a step counts no bytes: the body was in memory before, and its tier
/// or its reader counts it.
/// </remarks>
public sealed class ResponseSteps
{
    /// <summary>The size of a large step: a CT or ultrasound frame is sent in one.</summary>
    public const int LargeBytes = 1024 * 1024;

    /// <summary>The size of a medium step, used while large steps are at their limit.</summary>
    public const int MediumBytes = 64 * 1024;

    /// <summary>The size of a small step, which every client may write at any time; small steps are not counted.</summary>
    public const int SmallBytes = 16 * 1024;

    /// <summary>The maximum number of pending bytes at which a large step may start, over all clients.</summary>
    public const long MaxWithLargeBytes = 48L << 20;

    /// <summary>The maximum number of pending bytes in large and medium steps, over all clients.</summary>
    public const long MaxBytes = 64L << 20;

    private long _bytes;

    /// <summary>Pending bytes: written in large or medium steps and not yet flushed.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Writes a body and its end; returns after the last flush.</summary>
    /// <param name="output">The output of a started answer.</param>
    /// <param name="bytes">The body; the caller may reuse the memory afterwards.</param>
    /// <param name="end">Bytes to send with the last step; may be empty.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public async ValueTask WriteAsync(
        PipeWriter output, ReadOnlyMemory<byte> bytes, ReadOnlyMemory<byte> end, CancellationToken cancellation)
    {
        do
        {
            var (step, counted) = BeginStep(bytes.Length);
            try
            {
                output.Write(bytes.Span[..step]);
                bytes = bytes[step..];
                if (bytes.IsEmpty) output.Write(end.Span);
                await output.FlushAsync(cancellation);
            }
            finally
            {
                if (counted) Interlocked.Add(ref _bytes, -step);
            }
        }
        while (!bytes.IsEmpty);
    }

    /// <summary>Writes a body and its end, without a copy where the connection can do so; returns after the last flush.</summary>
    /// <param name="context">The answer, which has started.</param>
    /// <param name="bytes">The body; the caller may reuse the memory afterwards.</param>
    /// <param name="end">Bytes to send with the last step; may be empty.</param>
    public async ValueTask WriteAsync(HttpContext context, ReadOnlyMemory<byte> bytes, ReadOnlyMemory<byte> end)
    {
        var (writer, cancellation) = (context.Response.BodyWriter, context.RequestAborted);
        if (bytes.Length <= SmallBytes || FindLender(context) is not { } lender)
        {
            await WriteAsync(writer, bytes, end, cancellation);
            return;
        }
        try
        {
            while (!bytes.IsEmpty)
            {
                var step = bytes[..Math.Min(bytes.Length, LargeBytes)];
                if (!lender.TryLend(writer, step)) break;
                bytes = bytes[step.Length..];
                if (bytes.IsEmpty) writer.Write(end.Span);
                await writer.FlushAsync(cancellation);
            }
        }
        finally
        {
            await lender.ReclaimAsync();
        }
        if (!bytes.IsEmpty) await WriteAsync(writer, bytes, end, cancellation);
    }

    /// <summary>The output that sends bodies of this answer from their own memory; null when they must be copied.</summary>
    /// <remarks>
    /// Without a declared length the server writes chunks around the bytes, unless the answer has <see cref="OwnChunks"/>; and in HTTP/2
    /// frames.
    /// </remarks>
    internal static ConnectionOutput? FindLender(HttpContext context) =>
        (context.Response.ContentLength is not null || context.FindFeature<OwnChunks>() is not null)
        && HttpProtocol.IsHttp11(context.Request.Protocol)
            ? context.FindFeature<ConnectionOutput>()
            : null;

    /// <summary>Starts an answer and writes its whole body.</summary>
    /// <param name="context">The answer, with its headers set.</param>
    /// <param name="bytes">The body.</param>
    public async Task SendAsync(HttpContext context, ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Length <= SmallBytes)
        {
            await context.Response.Body.WriteAsync(bytes, context.RequestAborted);
            return;
        }
        await context.Response.StartAsync(context.RequestAborted);
        await WriteAsync(context, bytes, default);
    }

    private (int Step, bool IsCounted) BeginStep(int remaining)
    {
        if (remaining <= SmallBytes) return (remaining, false);
        var large = Math.Min(remaining, LargeBytes);
        if (TryCount(large, MaxWithLargeBytes)) return (large, true);
        var medium = Math.Min(remaining, MediumBytes);
        return TryCount(medium, MaxBytes) ? (medium, true) : (SmallBytes, false);
    }

    private bool TryCount(int bytes, long max)
    {
        if (Interlocked.Add(ref _bytes, bytes) <= max) return true;
        Interlocked.Add(ref _bytes, -bytes);
        return false;
    }
}
