using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Proxy.Dicom;
using Proxy.Wire.Part10;

namespace Proxy.Dimse.Protocol;

/// <summary>The keys of a C-FIND or C-GET, with values or without for universal matching (PS3.4 §C.2.2.2).</summary>
internal sealed class Identifier
{
    private const ushort Sq = ('S' << 8) | 'Q';
    private const uint ItemTag = 0xFFFEE000;

    private readonly SortedDictionary<Tag, string> _values = [];
    private readonly SortedDictionary<Tag, Identifier> _items = [];

    /// <summary>Sets a key.</summary>
    /// <param name="tag">The attribute.</param>
    /// <param name="value">The value, with <c>\</c> between several; empty to ask for the attribute.</param>
    public void Set(Tag tag, string value)
    {
        if (DataDictionary.FindVr(tag) == Sq) _items.TryAdd(tag, new());
        else if (value.Length > 0 || !_values.ContainsKey(tag)) _values[tag] = value;
    }

    /// <summary>Sets a key inside of sequences.</summary>
    /// <param name="path">The tags, with periods between them.</param>
    /// <param name="value">The value; empty to ask for the attribute.</param>
    public void SetPath(ReadOnlySpan<char> path, string value)
    {
        var end = path.IndexOf('.');
        if (!Tag.TryParse(end < 0 ? path : path[..end], out var tag)) return;
        if (end < 0)
        {
            Set(tag, value);
            return;
        }
        if (!_items.TryGetValue(tag, out var item)) _items[tag] = item = new();
        item.SetPath(path[(end + 1)..], value);
    }

    /// <summary>Writes the identifier.</summary>
    /// <param name="transferSyntax">Implicit or Explicit VR Little Endian.</param>
    /// <param name="characterSet">The term of the character set of the text, such as <c>ISO_IR 192</c> (PS3.3 §C.12.1.1.2).</param>
    public byte[] Write(string transferSyntax, string characterSet)
    {
        Set(Tag.SpecificCharacterSet, characterSet);
        using var output = new MemoryStream();
        Write(output, transferSyntax == TransferSyntax.ImplicitLittleEndian, CharacterSet.FindEncoding(characterSet) ?? Encoding.ASCII);
        return output.ToArray();
    }

    private void Write(MemoryStream output, bool isImplicit, Encoding encoding)
    {
        foreach (var tag in _values.Keys.Union(_items.Keys).Order())
        {
            var vr = DataDictionary.FindVr(tag);
            if (vr == DataDictionary.UsOrSs) vr = ('U' << 8) | 'S';
            if (_items.TryGetValue(tag, out var item)) WriteHead(output, tag, Sq, item.WriteItem(isImplicit, encoding), isImplicit);
            else WriteHead(output, tag, vr, Encode(vr, _values[tag], encoding), isImplicit);
        }
    }

    /// <summary>The one item of a sequence of keys; nothing when it has no key, which asks for the sequence.</summary>
    private byte[] WriteItem(bool isImplicit, Encoding encoding)
    {
        if (_values.Count + _items.Count == 0) return [];
        using var inner = new MemoryStream();
        Write(inner, isImplicit, encoding);
        using var output = new MemoryStream();
        // An item has no VR in any transfer syntax (PS3.5 §7.5).
        WriteHead(output, new(ItemTag), 0, inner.ToArray(), isImplicit: true);
        return output.ToArray();
    }

    private static void WriteHead(MemoryStream output, Tag tag, ushort vr, byte[] value, bool isImplicit)
    {
        Span<byte> head = stackalloc byte[12];
        BinaryPrimitives.WriteUInt16LittleEndian(head, (ushort)(tag.Value >> 16));
        BinaryPrimitives.WriteUInt16LittleEndian(head[2..], (ushort)tag.Value);
        var length = 8;
        if (isImplicit)
        {
            BinaryPrimitives.WriteInt32LittleEndian(head[4..], value.Length);
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(head[4..], vr);
            if (Vr.Find(vr).IsShort) BinaryPrimitives.WriteUInt16LittleEndian(head[6..], checked((ushort)value.Length));
            else
            {
                (head[6], head[7], length) = (0, 0, 12);
                BinaryPrimitives.WriteInt32LittleEndian(head[8..], value.Length);
            }
        }
        output.Write(head[..length]);
        output.Write(value);
    }

    /// <summary>The bytes of a value. Binary numbers that cannot be read are left empty: the proxy matches them itself.</summary>
    private static byte[] Encode(ushort vr, string value, Encoding encoding)
    {
        switch ((char)(vr >> 8), (char)(vr & 0xFF))
        {
            case ('U', 'S') when ushort.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number):
                var bytes = new byte[2];
                BinaryPrimitives.WriteUInt16LittleEndian(bytes, number);
                return bytes;
            case ('U', 'S') or ('S', 'S') or ('U', 'L') or ('S', 'L') or ('F', 'L') or ('F', 'D') or ('A', 'T') or ('O', _) or ('U', 'N')
                or ('U', 'V') or ('S', 'V'):
                return [];
        }
        var text = encoding.GetBytes(value);
        var padding = (vr >> 8, vr & 0xFF) == ('U', 'I') ? (byte)0 : (byte)' ';
        return text.Length % 2 == 0 ? text : [.. text, padding];
    }
}
