using System.IO.Compression;

namespace Proxy.Operations;

/// <summary>Sends text packed when the client takes gzip, which every browser does, over plain HTTP too.</summary>
internal static class Packing
{
    /// <summary>Below this packing saves no packet.</summary>
    public const int LeastBytes = 1024;

    /// <summary>Done once for an answer that is kept: 1.3 ms for the 768 KB of a CT series.</summary>
    private static readonly ZLibCompressionOptions Options = new() { CompressionLevel = 6 };

    public static bool TakesGzip(this HttpRequest request)
    {
        foreach (var value in request.Headers.AcceptEncoding)
        {
            foreach (var range in (value ?? "").AsSpan().Split(','))
            {
                var coding = value.AsSpan()[range].Trim();
                if (!coding.StartsWith("gzip", StringComparison.OrdinalIgnoreCase)) continue;
                var weight = coding[4..].Trim();
                if (weight.IsEmpty || weight[0] == ';' && !weight.EndsWith("q=0") && !weight.EndsWith("q=0.0") && !weight.EndsWith("q=0.000")) return true;
            }
        }
        return false;
    }

    public static byte[] Gzip(IEnumerable<ReadOnlyMemory<byte>> pieces)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, Options, leaveOpen: true))
        {
            foreach (var piece in pieces) gzip.Write(piece.Span);
        }
        return packed.ToArray();
    }

    public static byte[] Join(IEnumerable<ReadOnlyMemory<byte>> pieces)
    {
        using var joined = new MemoryStream();
        foreach (var piece in pieces) joined.Write(piece.Span);
        return joined.ToArray();
    }
}
