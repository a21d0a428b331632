namespace Proxy.Imaging;

/// <summary>One uncompressed frame.</summary>
/// <param name="Layout">
/// The layout of <paramref name="Bytes"/>. After decoding it can differ from that of the dataset: a codec converts colours and planes.
/// </param>
/// <param name="Bytes">The samples, little endian, of exactly <see cref="PixelLayout.FrameLength"/> bytes.</param>
public sealed record NativeFrame(PixelLayout Layout, ReadOnlyMemory<byte> Bytes);
