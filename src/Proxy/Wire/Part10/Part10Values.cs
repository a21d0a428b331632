using System.Buffers.Binary;
using System.Buffers.Text;
using System.Numerics;
using System.Text;

namespace Proxy.Wire.Part10;

/// <summary>Writes the values of data elements as DICOM JSON (PS3.5 §6.2, PS3.18 §F.2.3).</summary>
/// <remarks>
/// <code>
/// text        "Value":["A","B"]       without padding; an empty value is null; no value at all, no member
/// PN          "Value":[{"Alphabetic":"山田^太郎",…}]
/// DS, IS      "Value":[1.50,"007"]    the text as written: a number where it is one in JSON, else a string
/// binary      "InlineBinary":"…"      little endian
/// </code>
/// </remarks>
/// <param name="text">Receives the members, each with a comma in front.</param>
internal sealed class Part10Values(DatasetText text)
{
    /// <summary>The longest value that is read, in bytes.</summary>
    public const int MaxBytes = 16 * 1024 * 1024;

    /// <summary>True when a text with characters outside of ASCII was written.</summary>
    public bool HasDecoded { get; private set; }

    /// <summary>Writes the member with the value; nothing when it is empty.</summary>
    /// <param name="vr">The VR.</param>
    /// <param name="value">The value as in the file.</param>
    /// <param name="coding">The byte order of numbers.</param>
    /// <param name="characters">The character set of the VRs that use it (PS3.5 §6.1.2.2).</param>
    /// <exception cref="MalformedAnswerException">The length is not a multiple of the size of one number.</exception>
    public void Write(Vr vr, ReadOnlySpan<byte> value, ElementCoding coding, CharacterSet characters)
    {
        switch (vr.Form)
        {
            case VrForm.Code:
                WriteTexts(value, CharacterSet.Default, isTrimmed: true);
                break;
            case VrForm.Text:
                WriteTexts(value, characters, isTrimmed: false);
                break;
            case VrForm.LongText:
                WriteText(TrimEnd(value), characters);
                break;
            case VrForm.Address:
                WriteText(TrimEnd(value), CharacterSet.Default);
                break;
            case VrForm.NumberText:
                WriteNumberTexts(value);
                break;
            case VrForm.Name:
                WriteNames(value, characters);
                break;
            case VrForm.Binary:
                WriteBinary(value, coding == ElementCoding.BigEndian ? vr.Unit : 1);
                break;
            default:
                WriteNumbers(vr, value, coding == ElementCoding.BigEndian);
                break;
        }
    }

    private void WriteTexts(ReadOnlySpan<byte> value, CharacterSet characters, bool isTrimmed)
    {
        value = TrimEnd(value);
        if (value.IsEmpty) return;
        // The usual case: one value of ASCII. A plain text has no delimiter.
        if (DatasetText.IsPlain(value) && characters.IsAsciiPlain)
        {
            text.WritePlainValue(isTrimmed ? value.TrimStart((byte)' ') : value);
            return;
        }
        text.Write(",\"Value\":["u8);
        while (true)
        {
            var end = characters.FindEnd(value, (byte)'\\');
            var one = TrimEnd(value[..end]);
            if (isTrimmed) one = one.TrimStart((byte)' ');
            if (one.IsEmpty) text.Write("null"u8);
            else WriteString(one, characters, isName: false);
            if (end == value.Length) break;
            value = value[(end + 1)..];
            text.Write(","u8);
        }
        text.Write("]"u8);
    }

    private void WriteText(ReadOnlySpan<byte> value, CharacterSet characters)
    {
        if (value.IsEmpty) return;
        text.Write(",\"Value\":["u8);
        WriteString(value, characters, isName: false);
        text.Write("]"u8);
    }

    /// <summary>Person names: up to three component groups, separated by <c>=</c> (PS3.5 §6.2.1.1, PS3.18 §F.2.2).</summary>
    private void WriteNames(ReadOnlySpan<byte> value, CharacterSet characters)
    {
        value = TrimEnd(value);
        if (value.IsEmpty) return;
        text.Write(",\"Value\":["u8);
        while (true)
        {
            var end = characters.FindEnd(value, (byte)'\\');
            WriteName(TrimEnd(value[..end]), characters);
            if (end == value.Length) break;
            value = value[(end + 1)..];
            text.Write(","u8);
        }
        text.Write("]"u8);
    }

    private void WriteName(ReadOnlySpan<byte> name, CharacterSet characters)
    {
        var isEmpty = true;
        for (var group = 0; group < 3 && !name.IsEmpty; group++)
        {
            var end = characters.FindEnd(name, (byte)'=');
            var one = TrimEnd(name[..end]);
            name = end == name.Length ? [] : name[(end + 1)..];
            if (one.IsEmpty) continue;
            text.Write(isEmpty ? "{"u8 : ","u8);
            text.Write(group switch { 0 => "\"Alphabetic\":"u8, 1 => "\"Ideographic\":"u8, _ => "\"Phonetic\":"u8 });
            WriteString(one, characters, isName: true);
            isEmpty = false;
        }
        text.Write(isEmpty ? "null"u8 : "}"u8);
    }

    private void WriteString(ReadOnlySpan<byte> value, CharacterSet characters, bool isName)
    {
        if (characters.IsAsciiPlain && DatasetText.IsPlain(value))
        {
            text.WritePlain(value);
        }
        else if (characters.IsUtf8(value))
        {
            HasDecoded |= !Ascii.IsValid(value);
            text.WriteString(Encoding.UTF8.GetString(value));
        }
        else
        {
            var decoded = characters.Decode(value, isName);
            HasDecoded |= !Ascii.IsValid(decoded);
            text.WriteString(decoded);
        }
    }

    private void WriteNumberTexts(ReadOnlySpan<byte> value)
    {
        value = TrimEnd(value);
        if (value.IsEmpty) return;
        text.Write(",\"Value\":["u8);
        // The usual case: numbers of JSON without padding, which become its list in one step.
        if (DatasetText.AreNumbers(value, (byte)'\\')) text.WriteReplaced(value, (byte)'\\', (byte)',');
        else WriteEachNumberText(value);
        text.Write("]"u8);
    }

    private void WriteEachNumberText(ReadOnlySpan<byte> value)
    {
        while (true)
        {
            var end = value.IndexOf((byte)'\\');
            var one = TrimEnd(end < 0 ? value : value[..end]).TrimStart((byte)' ');
            if (one.IsEmpty) text.Write("null"u8);
            else if (DatasetText.AreNumbers(one, (byte)'\\')) text.Write(one);
            else WriteString(one, CharacterSet.Default, isName: false);
            if (end < 0) return;
            value = value[(end + 1)..];
            text.Write(","u8);
        }
    }

    /// <summary>The value without the spaces or NULs that pad it to an even length (PS3.5 §6.2).</summary>
    private static ReadOnlySpan<byte> TrimEnd(ReadOnlySpan<byte> value)
    {
        var length = value.Length;
        while (length > 0 && value[length - 1] is 0 or (byte)' ') length--;
        return value[..length];
    }

    private void WriteNumbers(Vr vr, ReadOnlySpan<byte> value, bool isBigEndian)
    {
        int size = vr.Size;
        if (value.Length % size != 0) throw PartOfNumber();
        if (value.IsEmpty) return;
        if (isBigEndian) value = Reverse(value.ToArray(), vr.Unit);
        text.Write(",\"Value\":["u8);
        WriteNumber(vr.Form, value);
        for (value = value[size..]; !value.IsEmpty; value = value[size..])
        {
            text.Write(","u8);
            WriteNumber(vr.Form, value);
        }
        text.Write("]"u8);
    }

    private void WriteNumber(VrForm form, ReadOnlySpan<byte> one)
    {
        switch (form)
        {
            case VrForm.UInt16:
                text.WriteInteger(BinaryPrimitives.ReadUInt16LittleEndian(one));
                break;
            case VrForm.Int16:
                text.WriteInteger(BinaryPrimitives.ReadInt16LittleEndian(one));
                break;
            case VrForm.UInt32:
                text.WriteInteger(BinaryPrimitives.ReadUInt32LittleEndian(one));
                break;
            case VrForm.Int32:
                text.WriteInteger(BinaryPrimitives.ReadInt32LittleEndian(one));
                break;
            case VrForm.UInt64:
                text.WriteInteger(BinaryPrimitives.ReadUInt64LittleEndian(one));
                break;
            case VrForm.Int64:
                text.WriteInteger(BinaryPrimitives.ReadInt64LittleEndian(one));
                break;
            case VrForm.Single:
                text.WriteNumber(BinaryPrimitives.ReadSingleLittleEndian(one));
                break;
            case VrForm.Double:
                text.WriteNumber(BinaryPrimitives.ReadDoubleLittleEndian(one));
                break;
            default:
                text.WriteTag(BitOperations.RotateLeft(BinaryPrimitives.ReadUInt32LittleEndian(one), 16));
                break;
        }
    }

    private static MalformedAnswerException PartOfNumber() => new("A value is not a whole number of numbers (PS3.5 §6.2).");

    private void WriteBinary(ReadOnlySpan<byte> value, int unit)
    {
        if (value.IsEmpty) return;
        if (value.Length % unit != 0) throw PartOfNumber();
        text.Write(",\"InlineBinary\":\""u8);
        var little = unit == 1 ? value : Reverse(value.ToArray(), unit);
        Base64.EncodeToUtf8(little, text.GetSpan(Base64.GetMaxEncodedToUtf8Length(value.Length)), out _, out var written);
        text.Advance(written);
        text.Write("\""u8);
    }

    /// <summary>Reverses the bytes of each number in place.</summary>
    internal static Span<byte> Reverse(Span<byte> numbers, int unit)
    {
        for (var at = 0; at + unit <= numbers.Length; at += unit) numbers.Slice(at, unit).Reverse();
        return numbers;
    }
}
