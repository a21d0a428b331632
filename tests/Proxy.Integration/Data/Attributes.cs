using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Proxy.Integration;

/// <summary>The attributes of a dataset, written in explicit VR little endian (PS3.5 A.2) in the order of their tags.</summary>
public sealed class Attributes
{
    /// <summary>The length that says that a delimiter ends the value (PS3.5 7.1.1).</summary>
    private const uint Undefined = 0xFFFFFFFF;

    private readonly SortedDictionary<uint, (string Vr, byte[] Value, uint Length)> _elements = [];

    public Attributes Text(uint tag, string vr, params IEnumerable<string> values)
    {
        // PS3.5 6.2: pad values to an even length, UIDs with a zero byte and all other text with a space.
        var text = Encoding.UTF8.GetBytes(string.Join('\\', values));
        return Bytes(tag, vr, text.Length % 2 == 0 ? text : [.. text, vr == "UI" ? (byte)0 : (byte)' ']);
    }

    /// <summary>Numbers as text: DS and IS.</summary>
    public Attributes Decimal(uint tag, string vr, params IEnumerable<double> values) =>
        Text(tag, vr, values.Select(v => Math.Round(v, 4).ToString(CultureInfo.InvariantCulture)));

    public Attributes Short(uint tag, params IEnumerable<int> values) =>
        Bytes(tag, "US", [.. values.SelectMany(v => BitConverter.GetBytes((ushort)v))]);

    /// <summary>A pointer to another attribute: AT.</summary>
    public Attributes Pointer(uint tag, uint to) =>
        Bytes(tag, "AT", [.. BitConverter.GetBytes((ushort)(to >> 16)), .. BitConverter.GetBytes((ushort)to)]);

    public Attributes Bytes(uint tag, string vr, byte[] value)
    {
        _elements[tag] = value.Length % 2 == 0
            ? (vr, value, (uint)value.Length)
            : throw new ArgumentException($"{tag:X8} has an odd length");
        return this;
    }

    /// <summary>A sequence of items: SQ (PS3.5 7.5).</summary>
    public Attributes Sequence(uint tag, params IEnumerable<Attributes> items) =>
        Bytes(tag, "SQ", [.. items.SelectMany(item => ToItem(item.ToBytes()))]);

    /// <summary>A code as a sequence of one item (PS3.3 8.8).</summary>
    public Attributes Code(uint tag, string value, string scheme, string meaning) => Sequence(tag, new Attributes()
        .Text(Tags.CodeValue, "SH", value).Text(Tags.CodingSchemeDesignator, "SH", scheme).Text(Tags.CodeMeaning, "LO", meaning));

    /// <summary>Encapsulated pixel data: an empty offset table, one fragment and the delimiter (PS3.5 A.4).</summary>
    public Attributes Encapsulated(uint tag, byte[] fragment)
    {
        byte[] padded = fragment.Length % 2 == 0 ? fragment : [.. fragment, 0];
        _elements[tag] = ("OB", [.. ToItem([]), .. ToItem(padded), 0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0], Undefined);
        return this;
    }

    public byte[] ToBytes()
    {
        var bytes = new MemoryStream();
        foreach (var (tag, (vr, value, length)) in _elements)
        {
            WriteHeader(bytes, tag, vr, length);
            bytes.Write(value);
        }

        return bytes.ToArray();
    }

    private static byte[] ToItem(byte[] value) => [0xFE, 0xFF, 0x00, 0xE0, .. BitConverter.GetBytes(value.Length), .. value];

    private static void WriteHeader(MemoryStream bytes, uint tag, string vr, uint length)
    {
        Span<byte> header = stackalloc byte[12];
        BinaryPrimitives.WriteUInt16LittleEndian(header, (ushort)(tag >> 16));
        BinaryPrimitives.WriteUInt16LittleEndian(header[2..], (ushort)tag);
        Encoding.ASCII.GetBytes(vr, header[4..]);
        if (vr is "OB" or "OW" or "SQ" or "UN" or "UT" or "UR")
        {
            BinaryPrimitives.WriteUInt32LittleEndian(header[8..], length);
            bytes.Write(header);
            return;
        }

        BinaryPrimitives.WriteUInt16LittleEndian(header[6..], checked((ushort)length));
        bytes.Write(header[..8]);
    }
}
