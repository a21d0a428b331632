namespace Proxy.Imaging.Presentation;

/// <summary>A modality or VOI LUT: values of consecutive inputs (PS3.3 §C.11.1.1.1, §C.11.2.1.1).</summary>
/// <remarks>Inputs before the first and after the last entry have the value of that entry.</remarks>
/// <param name="first">The input of the first entry.</param>
/// <param name="bits">
/// The bits of an entry as the descriptor says. If they are not 1 to 16, or too few for the entries, those of the largest entry count.
/// </param>
/// <param name="entries">The values, at least one.</param>
internal sealed class LookupTable(int first, int bits, ushort[] entries)
{
    private readonly double _max = FindMax(bits, entries);

    /// <summary>The value of an input.</summary>
    public double Map(double input)
    {
        var at = Math.Clamp(Math.Floor(input - first), 0, entries.Length - 1);
        return entries[double.IsNaN(at) ? 0 : (int)at];
    }

    /// <summary>The value of an input, from 0 to 1.</summary>
    public double MapToUnit(double input) => Map(input) / _max;

    /// <summary>Reads a table; null when the descriptor or the data is missing.</summary>
    /// <param name="descriptor">LUT Descriptor (0028,3002).</param>
    /// <param name="data">LUT Data (0028,3006), little endian.</param>
    /// <param name="isSigned">True when the input can be negative: 65,535 as first input is −1 then.</param>
    public static LookupTable? Read(LutDescriptor? descriptor, ReadOnlySpan<byte> data, bool isSigned)
    {
        if (descriptor is not { } d || data.IsEmpty) return null;
        var entries = d.ReadEntries(data);
        return entries.Length == 0 ? null : new(d.FirstInput(isSigned), d.Bits, entries);
    }

    private static double FindMax(int bits, ushort[] entries)
    {
        var largest = Math.Max(entries.Max(), (ushort)1);
        var full = bits is >= 1 and <= 16 ? (1 << bits) - 1 : 0;
        return full >= largest ? full : (1 << (32 - int.LeadingZeroCount(largest))) - 1;
    }
}

/// <summary>The three values that describe a lookup table (PS3.3 §C.11.1.1, §C.7.6.3.1.5).</summary>
/// <param name="Entries">The number of entries, 1 to 65,536.</param>
/// <param name="First">The first input as written: −32,768 to 65,535.</param>
/// <param name="Bits">The bits of an entry as written.</param>
internal readonly record struct LutDescriptor(int Entries, int First, int Bits)
{
    /// <summary>The largest number of entries.</summary>
    public const int MaxEntries = 65_536;

    /// <summary>Reads a descriptor; null when it has fewer than three integers or one out of range.</summary>
    /// <param name="values">
    /// The values. A number of entries of 0 means 65,536; a negative one was written as SS and means 65,536 more.
    /// </param>
    public static LutDescriptor? Read(ReadOnlySpan<double> values)
    {
        if (values is not [var entries, var first, var bits, ..]) return null;
        if (entries is not (>= -32768 and <= 65535) || first is not (>= -32768 and <= 65535) || bits is not (>= 0 and <= 64))
            return null;
        var count = (int)entries & 0xFFFF;
        return new(count == 0 ? MaxEntries : count, (int)first, (int)bits);
    }

    /// <summary>The first input. A VR of US turns a negative one into a large one.</summary>
    public int FirstInput(bool isSigned) => isSigned && First > short.MaxValue ? First - 65_536 : First;

    /// <summary>
    /// The entries of a table: words, or bytes if the data has one byte per entry (PS3.3 §C.7.6.3.1.6). Data that is too short gives
    /// fewer entries.
    /// </summary>
    public ushort[] ReadEntries(ReadOnlySpan<byte> data)
    {
        var areBytes = Bits <= 8 && data.Length < 2L * Entries;
        var entries = new ushort[Math.Min(Entries, areBytes ? data.Length : data.Length / 2)];
        for (var at = 0; at < entries.Length; at++)
            entries[at] = areBytes ? data[at] : (ushort)(data[2 * at] | data[2 * at + 1] << 8);
        return entries;
    }
}
