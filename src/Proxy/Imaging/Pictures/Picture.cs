namespace Proxy.Imaging.Pictures;

/// <summary>An encoded picture.</summary>
/// <param name="Bytes">The file.</param>
/// <param name="Format">How it is encoded.</param>
/// <param name="Width">The width in pixels.</param>
/// <param name="Height">The height in pixels.</param>
public sealed record Picture(ReadOnlyMemory<byte> Bytes, PictureFormat Format, int Width, int Height);
