namespace Proxy.Imaging.Presentation;

/// <summary>The colours of a palette image (PS3.3 §C.7.6.3.1.5, §C.7.6.3.1.6).</summary>
/// <param name="first">The sample of the first colour.</param>
/// <param name="colors">Red, green and blue of each colour, at least one.</param>
internal sealed class PaletteTable(int first, byte[] colors)
{
    private const int Components = 3;

    /// <summary>The offset in <see cref="Colors"/> of a sample's colour. Samples outside the table have its first or last colour.</summary>
    public int FindOffset(long sample) => (int)Math.Clamp(sample - first, 0, colors.Length / Components - 1) * Components;

    /// <summary>Red, green and blue of each colour.</summary>
    public byte[] Colors => colors;

    /// <summary>Reads a palette; null when a table of it is missing or empty.</summary>
    public static PaletteTable? Read(ImagePresentation presentation, bool isSigned)
    {
        if (presentation.Palette is not [{ Descriptor: { } red }, { Descriptor: not null }, { Descriptor: not null }]) return null;
        var tables = new ushort[Components][];
        var largest = 0;
        for (var component = 0; component < Components; component++)
        {
            tables[component] = ReadEntries(presentation.Palette[component]);
            if (tables[component].Length == 0) return null;
            largest = Math.Max(largest, tables[component].Max());
        }
        var colors = new byte[tables.Max(t => t.Length) * Components];
        for (var at = 0; at < colors.Length; at++)
        {
            var table = tables[at % Components];
            var entry = table[Math.Min(at / Components, table.Length - 1)];
            // Writers exist that declare 16 bits and write values of 8 bits, or the reverse: the largest value tells.
            colors[at] = (byte)(largest > byte.MaxValue ? entry >> 8 : entry);
        }
        return new(red.FirstInput(isSigned), colors);
    }

    private static ushort[] ReadEntries(LutSource source)
    {
        if (source.Descriptor is not { } descriptor) return [];
        if (!source.IsSegmented) return descriptor.ReadEntries(source.Data.Span);
        var entries = new ushort[descriptor.Entries];
        // Numbers are words if the second byte is 0: a packed first segment has its length there.
        var areBytes = descriptor.Bits <= 8 && source.Data.Span is not [_, 0, ..];
        var count = new PaletteSegments(source.Data.Span, areBytes, entries).Expand();
        return entries[..count];
    }
}
