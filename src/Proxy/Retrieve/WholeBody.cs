using Proxy.Cache;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>
/// A body that has arrived: it can be read without waiting for a backend, into memory that the reader reserves first
/// (<see cref="PixelSlots"/>).
/// </summary>
/// <param name="Result">The body.</param>
/// <param name="Length">
/// Its length in bytes, or one beyond the limit; 0 for a result without a body, or with one that is not wanted.
/// </param>
public sealed record WholeBody(BodyResult Result, long Length) : IDisposable
{
    /// <summary>
    /// Opens a body, after it has arrived: until then it counts as a body in flight, and its fetch holds up no other reader.
    /// </summary>
    /// <param name="open">Finds the body in the cache, or fetches it.</param>
    /// <param name="isWanted">False, by the head, for a body that is not going to be read.</param>
    /// <param name="maxBytes">The limit of its length.</param>
    /// <param name="cancellation">Cancelled when no client waits any more.</param>
    /// <exception cref="TruncatedBodyException">The end of the body did not arrive.</exception>
    public static async Task<WholeBody> OpenAsync(
        Func<Task<BodyResult>> open, Predicate<EntryHead> isWanted, long maxBytes, CancellationToken cancellation)
    {
        for (long? arrived = null; ;)
        {
            var result = await open();
            if (result.Body is not { } body || !isWanted(body.Head)) return new(result, 0);
            if (((body as ICachedBody)?.Length ?? arrived) is { } length) return new(result, length);
            using (result) arrived = await ReadToEndAsync(body, maxBytes, cancellation);
        }
    }

    /// <summary>The bytes, valid until the body is disposed.</summary>
    /// <param name="cancellation">Cancelled when no client waits any more.</param>
    /// <exception cref="TruncatedBodyException">The body is shorter or longer than before.</exception>
    public async Task<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellation)
    {
        var body = Result.Body!;
        var piece = await body.ReadAsync(cancellation);
        // A frame in memory is one array, which stays valid while the body is open.
        if (piece.Length == Length && body is ICachedBody) return piece;
        var bytes = new byte[Length];
        var filled = 0;
        for (; !piece.IsEmpty; piece = await body.ReadAsync(cancellation))
        {
            if (filled + piece.Length > bytes.Length) throw new TruncatedBodyException();
            piece.CopyTo(bytes.AsMemory(filled));
            filled += piece.Length;
        }
        return filled == bytes.Length ? bytes : throw new TruncatedBodyException();
    }

    /// <inheritdoc/>
    public void Dispose() => Result.Dispose();

    private static async Task<long> ReadToEndAsync(IBody body, long maxBytes, CancellationToken cancellation)
    {
        var length = 0L;
        for (ReadOnlyMemory<byte> piece; length <= maxBytes && !(piece = await body.ReadAsync(cancellation)).IsEmpty;)
            length += piece.Length;
        return length;
    }
}
