namespace Proxy.Imaging.Presentation;

/// <summary>Which bits of a word are the sample, and whether it has a sign (PS3.5 §8.1.1).</summary>
/// <param name="Shift">The number of bits below the sample.</param>
/// <param name="Count">The number of bits of the sample, 1 to 32.</param>
/// <param name="IsSigned">True when the sample is two's complement.</param>
internal readonly record struct SampleBits(int Shift, int Count, bool IsSigned)
{
    /// <summary>The bits of a layout. Other bits of the words, which old files use for overlays, are ignored.</summary>
    public static SampleBits Of(PixelLayout layout) => new(layout.HighBit + 1 - layout.BitsStored, layout.BitsStored, layout.IsSigned);

    /// <summary>The number of different samples; only of 16 bits at most.</summary>
    public int Values => 1 << Count;

    /// <summary>As many ones as the sample has bits.</summary>
    public uint Mask => (uint)((1L << Count) - 1);

    /// <summary>The value of an unsigned sample: with its sign extended.</summary>
    public long Extend(long index) => IsSigned && (index >> (Count - 1) & 1) != 0 ? index - (1L << Count) : index;

    /// <summary>
    /// A value of an attribute whose VR is US or SS, in the domain of the samples: a writer that is wrong about the VR gives 64,512 for
    /// −1024 and the reverse.
    /// </summary>
    public long Normalize(long value)
    {
        var low = IsSigned ? -(1L << (Count - 1)) : 0;
        var high = low + (1L << Count) - 1;
        if (value >= low && value <= high) return value;
        var wrapped = value < low ? value + 65_536 : value - 65_536;
        return wrapped >= low && wrapped <= high ? wrapped : value;
    }
}
