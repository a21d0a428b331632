using System.Buffers;

namespace Proxy.Imaging.Pictures;

/// <summary>The pixels of a picture in pooled memory: grey or RGB of 8 bits, row by row.</summary>
/// <param name="width">The width in pixels.</param>
/// <param name="height">The height in pixels.</param>
/// <param name="components">1 for grey, 3 for RGB.</param>
internal sealed class Raster(int width, int height, int components) : IDisposable
{
    private readonly byte[] _pixels = ArrayPool<byte>.Shared.Rent(width * height * components);

    /// <summary>The width in pixels.</summary>
    public int Width => width;

    /// <summary>The height in pixels.</summary>
    public int Height => height;

    /// <summary>1 for grey, 3 for RGB.</summary>
    public int Components => components;

    /// <summary>The array that begins with the pixels.</summary>
    public byte[] Pixels => _pixels;

    /// <summary>The bytes of a row.</summary>
    public Span<byte> Row(int y) => _pixels.AsSpan(y * width * components, width * components);

    /// <summary>Returns the memory.</summary>
    public void Dispose() => ArrayPool<byte>.Shared.Return(_pixels);
}
