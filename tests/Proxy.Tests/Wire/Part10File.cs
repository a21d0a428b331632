using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Proxy.Cache.InMemory;
using Proxy.Wire.Part10;

namespace Proxy.Tests.Wire;

/// <summary>
/// Builds a DICOM file of a few attributes in the order of their tags; each can be set, removed or set to any bytes.
/// </summary>
internal sealed class Part10File
{
    public const string Implicit = "1.2.840.10008.1.2";
    public const string Explicit = "1.2.840.10008.1.2.1";
    public const string JpegBaseline = "1.2.840.10008.1.2.4.50";
    public const string SopInstanceUid = "2.25.7";
    public const uint Undefined = uint.MaxValue;

    private readonly bool _isImplicit;
    private readonly SortedDictionary<uint, byte[]> _elements = [];

    /// <summary>Finds the frames of a file in memory, in pieces like those of a cached body.</summary>
    public static Part10Frames? FindFrames(IReadOnlyList<ReadOnlyMemory<byte>> pieces, out FrameRefusal refusal)
    {
        using var body = new MemoryBody(new("application/dicom", null, null), default, isPrefetched: false, pieces);
        return Part10Reader.FindFrames(body.Length, body.ReadAt, out refusal);
    }

    public Part10File(string transferSyntax = Explicit)
    {
        _isImplicit = transferSyntax == Implicit;
        _elements[0x00020001] = Element(0x00020001, "OB", [0, 1]);
        _elements[0x00020010] = Element(0x00020010, "UI", Even(transferSyntax, '\0'));
        Set(0x00080018, "UI", Even(SopInstanceUid, '\0'));
    }

    public bool IsImplicit => _isImplicit;

    public byte[] Preamble { get; set; } = [.. new byte[128], .. "DICM"u8];

    public byte[] Trailer { get; set; } = [];

    /// <summary>Native frames of <paramref name="rows"/> × <paramref name="columns"/>, with ascending bytes.</summary>
    public static Part10File Native(
        ushort rows, ushort columns, int frames = 1, ushort samples = 1, ushort bits = 8, string photometric = "MONOCHROME2",
        string transferSyntax = Explicit, int? bytes = null)
    {
        var length = bytes ?? rows * columns * samples * bits / 8 * frames;
        return Describe(new(transferSyntax), rows, columns, frames, samples, bits, photometric)
            .Set(0x7FE00010, bits > 8 ? "OW" : "OB", Counting(length + length % 2));
    }

    /// <summary>Encapsulated frames with these items in their pixel data, the offset table first.</summary>
    public static Part10File Encapsulated(int frames, byte[] table, params byte[][] fragments) =>
        Describe(new(JpegBaseline), 8, 8, frames, 1, 8, "MONOCHROME2").SetRaw(0x7FE00010, Fragments(0x7FE00010, table, fragments));

    public Part10File Set(uint tag, string vr, byte[] value) => SetRaw(tag, Element(tag, vr, value, _isImplicit));

    public Part10File Set(uint tag, string vr, ushort value) => Set(tag, vr, UShort(value));

    public Part10File Set(uint tag, string vr, string value) => Set(tag, vr, Even(value));

    public Part10File SetRaw(uint tag, byte[] element)
    {
        _elements[tag] = element;
        return this;
    }

    public Part10File Remove(uint tag)
    {
        _elements.Remove(tag);
        return this;
    }

    public byte[] ToArray() => [.. Preamble, .. _elements.Values.SelectMany(e => e), .. Trailer];

    public static byte[] Element(uint tag, string vr, byte[] value, bool isImplicit = false, uint? length = null)
    {
        var declared = length ?? (uint)value.Length;
        if (isImplicit) return [.. TagBytes(tag), .. UInt(declared), .. value];
        var isLong = vr is "OB" or "OD" or "OF" or "OL" or "OV" or "OW" or "SQ" or "SV" or "UC" or "UN" or "UR" or "UT" or "UV";
        return [
            .. TagBytes(tag), .. Encoding.ASCII.GetBytes(vr), .. isLong ? [0, 0, .. UInt(declared)] : UShort((ushort)declared), .. value];
    }

    public static byte[] Item(byte[] content) => [.. TagBytes(0xFFFEE000), .. UInt((uint)content.Length), .. content];

    public static byte[] OpenItem(params byte[][] content) =>
        [.. TagBytes(0xFFFEE000), .. UInt(Undefined), .. content.SelectMany(c => c), .. TagBytes(0xFFFEE00D), .. UInt(0)];

    /// <summary>An attribute of undefined length: its items, then their delimiter.</summary>
    public static byte[] Open(uint tag, string vr, bool isImplicit, params byte[][] items) =>
        Element(tag, vr, [.. items.SelectMany(i => i), .. TagBytes(0xFFFEE0DD), .. UInt(0)], isImplicit, Undefined);

    public static byte[] Fragments(uint tag, byte[] table, params byte[][] fragments) =>
        Open(tag, "OB", false, [Item(table), .. fragments.Select(Item)]);

    public static byte[] Offsets32(params uint[] offsets) => [.. offsets.SelectMany(UInt)];

    public static byte[] Offsets64(params ulong[] offsets) => [.. offsets.SelectMany(o => BitConverter.GetBytes(o))];

    public static byte[] Counting(int length) => [.. Enumerable.Range(1, length).Select(i => (byte)i)];

    public static byte[] UShort(ushort value)
    {
        var bytes = new byte[2];
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, value);
        return bytes;
    }

    public static byte[] UInt(uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return bytes;
    }

    /// <summary>Each frame's bytes, as hexadecimal digits.</summary>
    public static List<string> Cut(byte[] file, Part10Frames frames) =>
        [.. Enumerable.Range(1, frames.Count)
            .Select(n => string.Concat(
                frames.FindFrame(n)!.Value.Ranges.ToArray().Select(r => Convert.ToHexString(file.AsSpan((int)r.Offset, (int)r.Length)))))];

    private static Part10File Describe(
        Part10File file, ushort rows, ushort columns, int frames, ushort samples, ushort bits, string photometric)
    {
        file.Set(0x00280002, "US", samples).Set(0x00280004, "CS", photometric).Set(0x00280010, "US", rows).Set(0x00280011, "US", columns)
            .Set(0x00280100, "US", bits);
        return frames == 1 ? file : file.Set(0x00280008, "IS", frames.ToString(CultureInfo.InvariantCulture));
    }

    private static byte[] TagBytes(uint tag) => [.. UShort((ushort)(tag >> 16)), .. UShort((ushort)tag)];

    public static byte[] Even(string text, char pad = ' ') => Encoding.ASCII.GetBytes(text.Length % 2 == 0 ? text : text + pad);
}
