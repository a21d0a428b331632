namespace Proxy.Imaging.Presentation;

/// <summary>The rows of a frame as grey or RGB of 8 bits.</summary>
internal abstract class PixelRows(int width, int height, int components)
{
    /// <summary>The columns of the frame.</summary>
    public int Width { get; } = width;

    /// <summary>The rows of the frame.</summary>
    public int Height { get; } = height;

    /// <summary>1 for grey, 3 for RGB.</summary>
    public int Components { get; } = components;

    /// <summary>Reads a part of a row: its pixels one after the other, each with its components.</summary>
    /// <param name="y">The row.</param>
    /// <param name="x">The first column.</param>
    /// <param name="pixels">Receives as many pixels as it has room for; they are inside the frame.</param>
    public abstract void Read(int y, int x, Span<byte> pixels);
}
