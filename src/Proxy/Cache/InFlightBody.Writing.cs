namespace Proxy.Cache;

public sealed partial class InFlightBody
{
    /// <summary>Appends bytes that are in memory; waits while a window is full.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="cancellation">Cancelled when no client waits any more.</param>
    /// <exception cref="Wire.MalformedAnswerException">The body exceeds the maximum length.</exception>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        while (!bytes.IsEmpty)
        {
            var room = await GetBufferAsync(cancellation);
            var count = Math.Min(room.Length, bytes.Length);
            bytes[..count].CopyTo(room);
            Commit(count);
            bytes = bytes[count..];
        }
    }
}
