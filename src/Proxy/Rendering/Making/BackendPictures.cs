using System.Buffers;
using Proxy.Backends;
using Proxy.Cache.InMemory;
using Proxy.Wire;

namespace Proxy.Rendering.Making;

/// <summary>Asks a backend for its own rendering, and checks the answer before a client gets any of it.</summary>
/// <remarks>
/// <code>
/// 1 type     the requested one: an image or plain text, never a page or an SVG, which browsers run
/// 2 bytes    at most <see cref="MaxBytes"/> and within the memory budget, as many as declared, and they begin like the type
/// 3 end      if the transport does not prove that the answer is complete, its last bytes must
/// </code>
/// </remarks>
internal sealed class BackendPictures(IArchive archive, BackendSet backends, MemoryTier tier)
{
    /// <summary>The limit of an answer in bytes: a large uncompressed radiograph as PNG is smaller.</summary>
    public const int MaxBytes = 64 << 20;

    private const int PieceBytes = 64 << 10;

    /// <summary>The first and the last bytes of a type: JPEG (ISO/IEC 10918-1 §B.1), PNG (§5.2, §11.2.5), GIF89a (§17, §27).</summary>
    private static readonly Dictionary<string, (byte[] Start, byte[] End)> Marks = new()
    {
        ["image/jpeg"] = ([0xFF, 0xD8, 0xFF], [0xFF, 0xD9]),
        ["image/png"] = ([0x89, .. "PNG\r\n\u001A\n"u8], [.. "IEND"u8, 0xAE, 0x42, 0x60, 0x82]),
        ["image/gif"] = ([.. "GIF8"u8], [0x3B]),
        ["text/plain"] = ([], []),
    };

    /// <summary>Asks for a rendering.</summary>
    /// <param name="backend">The backend's name.</param>
    /// <param name="request">What to render, and how.</param>
    /// <param name="cancellation">Cancels the request.</param>
    /// <returns>The file; missing when the backend renders nothing.</returns>
    public async Task<BackendAnswer<RenderedFile>> AskAsync(
        string backend, RenderedRequest request, CancellationToken cancellation)
    {
        if (backends.Find(backend) is not { } options) return new() { IsMissing = true };
        var reservation = new MemoryReservation(tier.InFlight);
        BackendAnswer<RenderedFile> answer = default;
        try
        {
            answer = await archive.OpenRenderedAsync(
                options, request, (body, stopped) => ReadAsync(body, request.MediaType, reservation, stopped), cancellation);
            return answer;
        }
        finally
        {
            if (!answer.IsFound) reservation.Dispose();
        }
    }

    private static async Task<RenderedFile> ReadAsync(
        ArchiveBody body, string mediaType, MemoryReservation reservation, CancellationToken cancellation)
    {
        // 1
        if (body.MediaType != mediaType || !Marks.TryGetValue(mediaType, out var mark))
            throw new MalformedAnswerException("The rendering does not have the requested media type.");
        // 2
        if (body.Length > MaxBytes) throw TooLarge();
        var bytes = new ArrayBufferWriter<byte>((int)Math.Clamp(body.Length ?? 0, PieceBytes, 1 << 20));
        for (int count; (count = await body.ReadAsync(GetBuffer(bytes, reservation), cancellation)) > 0;)
        {
            bytes.Advance(count);
            if (bytes.WrittenCount > MaxBytes) throw TooLarge();
        }
        await body.CheckEndAsync(cancellation);
        if (body.Length is { } declared && declared != bytes.WrittenCount)
            throw new MalformedAnswerException("The length of the rendering differs from its declared length.");
        var file = bytes.WrittenSpan;
        if (file.IsEmpty || !file.StartsWith(mark.Start) || ErrorPage.IsAt(file) == true)
            throw new MalformedAnswerException("The rendering does not begin like a file of its type.");
        // 3
        if (!body.IsTruncationDetectable && body.Length is null && (mark.End.Length == 0 || !file.EndsWith(mark.End)))
            throw new MalformedAnswerException("Nothing proves that the rendering is complete.");
        return new(mediaType, bytes.WrittenMemory) { Reservation = reservation };
    }

    /// <summary>Room for the next bytes. The buffer doubles, and the old and the new one are in memory while it is copied.</summary>
    private static Memory<byte> GetBuffer(ArrayBufferWriter<byte> bytes, MemoryReservation reservation) =>
        reservation.TryGrow(bytes.FreeCapacity < PieceBytes ? 3L * bytes.Capacity : bytes.Capacity)
            ? bytes.GetMemory(PieceBytes)
            : throw new MalformedAnswerException("The memory budget does not suffice for the rendering.");

    private static MalformedAnswerException TooLarge() => new("The rendering is too large.");
}
