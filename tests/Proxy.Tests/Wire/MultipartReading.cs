using Proxy.Wire;

namespace Proxy.Tests.Wire;

internal static class MultipartReading
{
    /// <summary>The next piece of a body, of any length; empty at the end.</summary>
    public static async ValueTask<ReadOnlyMemory<byte>> ReadBodyAsync(this MultipartReader reader, CancellationToken cancellation)
    {
        var piece = new byte[4096];
        return piece.AsMemory(0, await reader.ReadBodyAsync(piece, cancellation));
    }
}
