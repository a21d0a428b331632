using Proxy.Cache;

namespace Proxy.Rendering.Making;

/// <summary>A rendered file in memory.</summary>
/// <param name="MediaType">The media type of the file.</param>
/// <param name="Bytes">The whole file.</param>
internal sealed record RenderedFile(string MediaType, ReadOnlyMemory<byte> Bytes) : IDisposable
{
    /// <summary>The memory reserved for the file; null for a file whose memory its slot counted.</summary>
    public MemoryReservation? Reservation { get; init; }

    /// <inheritdoc/>
    public void Dispose() => Reservation?.Dispose();

    /// <summary>Copies the file to the clients that wait for it.</summary>
    /// <param name="inFlight">Receives the file.</param>
    /// <param name="cancellation">Cancelled when no client waits any more.</param>
    public async Task<EntryHead> CopyToAsync(InFlightBody inFlight, CancellationToken cancellation)
    {
        var head = new EntryHead(MediaType, null, Bytes.Length);
        inFlight.Begin(head);
        // The file is whole. Where it does not fit, its readers make the room that the writer waits for.
        inFlight.Open();
        await inFlight.WriteAsync(Bytes, cancellation);
        return head;
    }
}
