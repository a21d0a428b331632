namespace Proxy.Imaging.Sandbox;

/// <summary>One frame to decode or to encode in the sandbox.</summary>
/// <param name="Function">The exported function of the module, such as <c>DecodeJpegLs</c>.</param>
/// <param name="Layout">
/// The frame as the module must see it: an image of the size of the codestream, in containers of 8 or 16 bits. The module does not
/// compare it with the codestream.
/// </param>
/// <param name="Input">The codestream, or the samples of the frame to encode.</param>
internal sealed record CodecTask(string Function, PixelLayout Layout, ReadOnlyMemory<byte> Input)
{
    /// <summary>Frames of more samples run one at a time, and the memory of their instance is released afterwards.</summary>
    private const int LargeSamples = 4 * 1024 * 1024;

    private static readonly TimeSpan Least = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan PerMillionSamples = TimeSpan.FromSeconds(2);

    /// <summary>True when the task encodes.</summary>
    public bool Encodes => Function.StartsWith("Encode", StringComparison.Ordinal);

    /// <summary>The samples of the frame.</summary>
    public long Samples => (long)Layout.Rows * Layout.Columns * Layout.SamplesPerPixel;

    /// <summary>True for a frame that takes much memory.</summary>
    public bool IsLarge => Samples > LargeSamples;

    /// <summary>How long the module may run: 2 s, and 2 s more for every million samples. The slowest codec needs 0.3 s for them.</summary>
    public TimeSpan Deadline => Least + PerMillionSamples * (Samples / 1e6);
}
