using System.Buffers;
using System.IO.Pipelines;

namespace Proxy.Operations;

/// <summary>Writes answers in steps, so that clients that read slowly hold little memory, however many there are.</summary>
/// <remarks>
/// The server copies what is written into the connection's own buffer, and a flush waits until the client has taken most
/// of it. One large step is the fastest way; while many clients are behind, steps become smaller.
/// </remarks>
public sealed class ResponseSteps
{
    /// <summary>A frame of a CT or an ultrasound leaves in one step.</summary>
    public const int LargestBytes = 1024 * 1024;

    /// <summary>The step while large ones are out of reach.</summary>
    public const int MiddleBytes = 64 * 1024;

    /// <summary>What everybody may write at any time; it is not counted.</summary>
    public const int SmallestBytes = 16 * 1024;

    /// <summary>In large steps, of all clients together, in bytes.</summary>
    public const long MostInLarge = 48L << 20;

    /// <summary>In large and middle steps together, in bytes.</summary>
    public const long MostInAll = 64L << 20;

    private long _bytes;

    /// <summary>Bytes that were written in steps of more than <see cref="SmallestBytes"/> and that no flush has confirmed yet.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Writes bytes and what stands behind them, up to the last flush.</summary>
    /// <param name="output">Of an answer that was started.</param>
    /// <param name="bytes">They may be given back when this returns.</param>
    /// <param name="end">Leaves with the last step; may be empty.</param>
    /// <param name="cancellation">The client leaves.</param>
    public async ValueTask WriteAsync(
        PipeWriter output, ReadOnlyMemory<byte> bytes, ReadOnlyMemory<byte> end, CancellationToken cancellation)
    {
        do
        {
            var (step, counted) = Begin(bytes.Length);
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

    /// <summary>Writes a whole answer that is ready.</summary>
    /// <param name="context">Its headers are set.</param>
    /// <param name="bytes">The body.</param>
    public async Task SendAsync(HttpContext context, ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Length <= SmallestBytes)
        {
            await context.Response.Body.WriteAsync(bytes, context.RequestAborted);
            return;
        }
        await context.Response.StartAsync(context.RequestAborted);
        await WriteAsync(context.Response.BodyWriter, bytes, default, context.RequestAborted);
    }

    private (int Step, bool IsCounted) Begin(int wanted)
    {
        if (wanted <= SmallestBytes) return (wanted, false);
        var large = Math.Min(wanted, LargestBytes);
        if (TryCount(large, MostInLarge)) return (large, true);
        var middle = Math.Min(wanted, MiddleBytes);
        return TryCount(middle, MostInAll) ? (middle, true) : (SmallestBytes, false);
    }

    private bool TryCount(int bytes, long most)
    {
        if (Interlocked.Add(ref _bytes, bytes) <= most) return true;
        Interlocked.Add(ref _bytes, -bytes);
        return false;
    }
}
