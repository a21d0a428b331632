using Proxy.Cache;

namespace Proxy.Tests.Cache;

internal static class InFlightBodyWriting
{
    /// <summary>Writes bytes as a backend's body is read: into the buffers of the in-flight body.</summary>
    public static async ValueTask WriteAsync(this InFlightBody body, ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        while (!bytes.IsEmpty)
        {
            var room = await body.GetBufferAsync(cancellation);
            var count = Math.Min(room.Length, bytes.Length);
            bytes[..count].CopyTo(room);
            body.Commit(count);
            bytes = bytes[count..];
        }
    }
}
