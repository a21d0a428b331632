using System.Buffers.Binary;
using System.IO.Compression;

namespace Proxy.Integration;

/// <summary>The pixels of a PNG from a browser: 8 bits, RGB or RGBA, not interlaced (W3C PNG, 7 to 10).</summary>
public sealed class Screenshot
{
    private readonly byte[] _pixels;
    private readonly int _samples;

    private Screenshot(int width, int height, int samples, byte[] pixels) =>
        (Width, Height, _samples, _pixels) = (width, height, samples, pixels);

    public int Width { get; }

    public int Height { get; }

    /// <summary>The mean of red, green and blue.</summary>
    public int Grey(int x, int y)
    {
        var at = ((y * Width) + x) * _samples;
        return (_pixels[at] + _pixels[at + 1] + _pixels[at + 2]) / 3;
    }

    /// <summary>The share of the picture, 0 to 1, with a grey within <paramref name="tolerance"/> of <paramref name="grey"/>.</summary>
    public double GetShare(int grey, int tolerance)
    {
        var hits = 0;
        for (var y = 0; y < Height; y++)
        {
            for (var x = 0; x < Width; x++)
                hits += Math.Abs(Grey(x, y) - grey) <= tolerance ? 1 : 0;
        }

        return hits / (double)(Width * Height);
    }

    /// <summary>The share of the picture, 0 to 1, that is clearly red.</summary>
    public double GetRedShare()
    {
        var hits = 0;
        for (var at = 0; at < _pixels.Length; at += _samples)
            hits += _pixels[at] - Math.Max(_pixels[at + 1], _pixels[at + 2]) > 40 ? 1 : 0;
        return hits / (double)(Width * Height);
    }

    public static Screenshot Read(byte[] png)
    {
        var (header, packed) = (Array.Empty<byte>(), new MemoryStream());
        for (var at = 8; at < png.Length;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(at));
            var type = png.AsSpan(at + 4, 4);
            var data = png.AsSpan(at + 8, length);
            if (type.SequenceEqual("IHDR"u8))
                header = data.ToArray();
            else if (type.SequenceEqual("IDAT"u8))
                packed.Write(data);
            at += length + 12;
        }

        var (width, height) = (BinaryPrimitives.ReadInt32BigEndian(header), BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(4)));
        var samples = (header[8], header[9], header[12]) switch
        {
            (8, 2, 0) => 3,
            (8, 6, 0) => 4,
            var other => throw new InvalidDataException($"Unsupported PNG: {other}"),
        };
        packed.Position = 0;
        using var rows = new ZLibStream(packed, CompressionMode.Decompress);
        return new(width, height, samples, Unfilter(rows, width * samples, height, samples));
    }

    /// <summary>Each row holds the difference to the pixels left, above or both, as its first byte says.</summary>
    private static byte[] Unfilter(ZLibStream rows, int stride, int height, int samples)
    {
        var pixels = new byte[stride * height];
        for (var y = 0; y < height; y++)
        {
            var filter = rows.ReadByte();
            var row = pixels.AsSpan(y * stride, stride);
            var above = y == 0 ? new byte[stride] : pixels.AsSpan((y - 1) * stride, stride);
            rows.ReadExactly(row);
            for (var x = 0; x < stride; x++)
            {
                int left = x < samples ? 0 : row[x - samples], corner = x < samples ? 0 : above[x - samples];
                row[x] += (byte)(filter switch
                {
                    0 => 0,
                    1 => left,
                    2 => above[x],
                    3 => (left + above[x]) / 2,
                    4 => Paeth(left, above[x], corner),
                    _ => throw new InvalidDataException($"PNG filter {filter}"),
                });
            }
        }

        return pixels;
    }

    private static int Paeth(int left, int above, int corner)
    {
        var (a, b, c) = (Math.Abs(above - corner), Math.Abs(left - corner), Math.Abs(left + above - corner - corner));
        return a <= b && a <= c ? left : b <= c ? above : corner;
    }
}
