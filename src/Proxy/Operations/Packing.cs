using System.IO.Compression;

namespace Proxy.Operations;

/// <summary>Packs what is sent: over plain HTTP a browser takes gzip, over TLS and on its own machine Brotli too.</summary>
internal static class Packing
{
    /// <summary>Below this packing saves no packet.</summary>
    public const int LeastBytes = 1024;

    /// <summary>Done once for an answer that is kept: 768 KB of a CT series' metadata are 15.6 KB after 0.7 ms.</summary>
    private static readonly ZLibCompressionOptions KeptGzip = new() { CompressionLevel = 6 };

    /// <summary>The same: 6.7 KB after 1.6 ms.</summary>
    private static readonly BrotliCompressionOptions KeptBrotli = new() { Quality = 5 };

    /// <summary>Done at each answer: 36 KB after 0.3 ms.</summary>
    private static readonly ZLibCompressionOptions PassingGzip = new() { CompressionLevel = 1 };

    /// <summary>The same: 9.3 KB after 0.2 ms.</summary>
    private static readonly BrotliCompressionOptions PassingBrotli = new() { Quality = 1 };

    /// <summary>Done once for a frame that is kept: a CT's 512 KiB are half after 8 ms.</summary>
    private static readonly ZLibCompressionOptions PixelGzip = new() { CompressionLevel = 3 };

    /// <summary>The same after 5 ms. More quality takes many times as long and saves a few hundredths.</summary>
    private static readonly BrotliCompressionOptions PixelBrotli = new() { Quality = 2 };

    /// <summary>Text that is to be kept, packed once.</summary>
    public static byte[] Pack(IEnumerable<ReadOnlyMemory<byte>> pieces, Coding coding) => Pack(pieces, coding, KeptGzip, KeptBrotli);

    /// <summary>Uncompressed pixels that are to be kept, packed once.</summary>
    public static byte[] PackPixels(IEnumerable<ReadOnlyMemory<byte>> pieces, Coding coding) =>
        Pack(pieces, coding, PixelGzip, PixelBrotli);

    private static byte[] Pack(
        IEnumerable<ReadOnlyMemory<byte>> pieces, Coding coding, ZLibCompressionOptions gzip, BrotliCompressionOptions brotli)
    {
        using var packed = new MemoryStream();
        using (var packing = Open(packed, coding, gzip, brotli))
        {
            foreach (var piece in pieces) (packing ?? packed).Write(piece.Span);
        }
        return packed.ToArray();
    }

    /// <summary>What is written comes out packed, fast; null when it is not to be packed.</summary>
    public static Stream? OpenPassing(Stream output, Coding coding) => Open(output, coding, PassingGzip, PassingBrotli);

    private static Stream? Open(Stream output, Coding coding, ZLibCompressionOptions gzip, BrotliCompressionOptions brotli) => coding switch
    {
        Coding.Gzip => new GZipStream(output, gzip, leaveOpen: true),
        Coding.Brotli => new BrotliStream(output, brotli, leaveOpen: true),
        _ => null,
    };
}
