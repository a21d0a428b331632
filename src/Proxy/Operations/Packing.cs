using System.IO.Compression;

namespace Proxy.Operations;

/// <summary>Compresses answers. Browsers accept gzip over plain HTTP, and also Brotli over TLS and from localhost.</summary>
internal static class Packing
{
    /// <summary>The minimum size worth compressing: a smaller answer fits into one packet anyway.</summary>
    public const int MinBytes = 1024;

    /// <summary>For cached text, compressed once: 768 KB of a CT series' metadata become 15.6 KB in 0.7 ms.</summary>
    private static readonly ZLibCompressionOptions CachedGzip = new() { CompressionLevel = 6 };

    /// <summary>For the same text: 6.7 KB in 1.6 ms.</summary>
    private static readonly BrotliCompressionOptions CachedBrotli = new() { Quality = 5 };

    /// <summary>For answers that are compressed each time: 36 KB in 0.3 ms.</summary>
    private static readonly ZLibCompressionOptions StreamGzip = new() { CompressionLevel = 1 };

    /// <summary>For answers that are compressed each time: 9.3 KB in 0.2 ms.</summary>
    private static readonly BrotliCompressionOptions StreamBrotli = new() { Quality = 1 };

    /// <summary>For cached frames, compressed once: 512 KiB of a CT become half in 8 ms.</summary>
    private static readonly ZLibCompressionOptions PixelGzip = new() { CompressionLevel = 3 };

    /// <summary>For the same frame: half in 5 ms. A higher quality takes many times as long and saves a few percent.</summary>
    private static readonly BrotliCompressionOptions PixelBrotli = new() { Quality = 2 };

    /// <summary>Compresses text for the cache.</summary>
    public static byte[] Compress(IEnumerable<ReadOnlyMemory<byte>> pieces, Coding coding) =>
        Compress(pieces, coding, CachedGzip, CachedBrotli);

    /// <summary>Compresses uncompressed pixels for the cache.</summary>
    public static byte[] CompressPixels(IEnumerable<ReadOnlyMemory<byte>> pieces, Coding coding) =>
        Compress(pieces, coding, PixelGzip, PixelBrotli);

    private static byte[] Compress(
        IEnumerable<ReadOnlyMemory<byte>> pieces, Coding coding, ZLibCompressionOptions gzip, BrotliCompressionOptions brotli)
    {
        using var packed = new MemoryStream();
        using (var packing = Open(packed, coding, gzip, brotli))
        {
            foreach (var piece in pieces) (packing ?? packed).Write(piece.Span);
        }
        return packed.ToArray();
    }

    /// <summary>A stream that compresses fast into <paramref name="output"/>; null for <see cref="Coding.Identity"/>.</summary>
    public static Stream? OpenStream(Stream output, Coding coding) => Open(output, coding, StreamGzip, StreamBrotli);

    private static Stream? Open(Stream output, Coding coding, ZLibCompressionOptions gzip, BrotliCompressionOptions brotli) => coding switch
    {
        Coding.Gzip => new GZipStream(output, gzip, leaveOpen: true),
        Coding.Brotli => new BrotliStream(output, brotli, leaveOpen: true),
        _ => null,
    };
}
