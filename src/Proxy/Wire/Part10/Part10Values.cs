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

    /// <summary>A longer binary value is bulk data: it is seldom needed to show an image.</summary>
    private const int MaxInlineBytes = 1024;

    /// <summary>A longer list of numbers is bulk data. A look-up table of 16 bits fits.</summary>
    private const int MaxNumberBytes = 128 * 1024;

    private const ushort Ae = ('A' << 8) | 'E', As = ('A' << 8) | 'S', At = ('A' << 8) | 'T', Cs = ('C' << 8) | 'S', Da = ('D' << 8) | 'A',
        Ds = ('D' << 8) | 'S', Dt = ('D' << 8) | 'T', Fd = ('F' << 8) | 'D', Fl = ('F' << 8) | 'L', Is = ('I' << 8) | 'S',
        Lo = ('L' << 8) | 'O', Lt = ('L' << 8) | 'T', Ob = ('O' << 8) | 'B', Od = ('O' << 8) | 'D', Of = ('O' << 8) | 'F',
        Ol = ('O' << 8) | 'L', Ov = ('O' << 8) | 'V', Ow = ('O' << 8) | 'W', Pn = ('P' << 8) | 'N', Sh = ('S' << 8) | 'H',
        Sl = ('S' << 8) | 'L', Ss = ('S' << 8) | 'S', St = ('S' << 8) | 'T', Sv = ('S' << 8) | 'V', Tm = ('T' << 8) | 'M',
        Uc = ('U' << 8) | 'C', Ui = ('U' << 8) | 'I', Ul = ('U' << 8) | 'L', Un = ('U' << 8) | 'N', Ur = ('U' << 8) | 'R',
        Us = ('U' << 8) | 'S', Ut = ('U' << 8) | 'T', Uv = ('U' << 8) | 'V';

    /// <summary>True when a text with characters outside of ASCII was written.</summary>
    public bool HasDecoded { get; private set; }

    /// <summary>The number of bytes that a big endian file reverses; 1 for text and bytes.</summary>
    public static int GetUnit(ushort vr) => vr switch
    {
        Us or Ss or Ow or At => 2,
        Ul or Sl or Fl or Of or Ol => 4,
        Fd or Sv or Uv or Od or Ov => 8,
        _ => 1,
    };

    /// <summary>The number of bytes of one number; 1 for text and bytes.</summary>
    public static int GetSize(ushort vr) => vr == At ? 4 : GetUnit(vr);

    /// <summary>True when a value is referred to by a BulkDataURI.</summary>
    public static bool IsBulk(ushort vr, uint length) => vr switch
    {
        Ob or Od or Of or Ol or Ov or Ow or Un => length > MaxInlineBytes,
        At or Fd or Fl or Sl or Ss or Sv or Ul or Us or Uv => length > MaxNumberBytes,
        _ => false,
    };

    /// <summary>Writes the member with the value; nothing when it is empty.</summary>
    /// <param name="vr">The VR.</param>
    /// <param name="value">The value as in the file.</param>
    /// <param name="coding">The byte order of numbers.</param>
    /// <param name="characters">The character set of the VRs that use it (PS3.5 §6.1.2.2).</param>
    /// <exception cref="MalformedAnswerException">The length is not a multiple of the size of one number.</exception>
    public void Write(ushort vr, ReadOnlySpan<byte> value, ElementCoding coding, CharacterSet characters)
    {
        switch (vr)
        {
            case Ae or As or Cs or Da or Dt or Tm or Ui:
                WriteTexts(value, CharacterSet.Default, isTrimmed: true);
                break;
            case Lo or Sh or Uc:
                WriteTexts(value, characters, isTrimmed: false);
                break;
            case Lt or St or Ut or Ur:
                WriteText(TrimEnd(value), vr == Ur ? CharacterSet.Default : characters);
                break;
            case Ds or Is:
                WriteNumberTexts(value);
                break;
            case Pn:
                WriteNames(value, characters);
                break;
            case Ob or Od or Of or Ol or Ov or Ow or Un:
                WriteBinary(value, coding == ElementCoding.BigEndian ? GetUnit(vr) : 1);
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
        while (true)
        {
            var end = value.IndexOf((byte)'\\');
            var one = TrimEnd(end < 0 ? value : value[..end]).TrimStart((byte)' ');
            if (one.IsEmpty) text.Write("null"u8);
            else if (DatasetText.IsNumber(one)) text.Write(one);
            else WriteString(one, CharacterSet.Default, isName: false);
            if (end < 0) break;
            value = value[(end + 1)..];
            text.Write(","u8);
        }
        text.Write("]"u8);
    }

    /// <summary>The value without the spaces or NULs that pad it to an even length (PS3.5 §6.2).</summary>
    private static ReadOnlySpan<byte> TrimEnd(ReadOnlySpan<byte> value)
    {
        var length = value.Length;
        while (length > 0 && value[length - 1] is 0 or (byte)' ') length--;
        return value[..length];
    }

    private void WriteNumbers(ushort vr, ReadOnlySpan<byte> value, bool isBigEndian)
    {
        var size = GetSize(vr);
        if (value.Length % size != 0) throw PartOfNumber();
        if (value.IsEmpty) return;
        Span<byte> number = stackalloc byte[8];
        text.Write(",\"Value\":["u8);
        for (var at = 0; at < value.Length; at += size)
        {
            if (at > 0) text.Write(","u8);
            value.Slice(at, size).CopyTo(number);
            if (isBigEndian) Reverse(number[..size], GetUnit(vr));
            WriteNumber(vr, number[..size]);
        }
        text.Write("]"u8);
    }

    private void WriteNumber(ushort vr, ReadOnlySpan<byte> one)
    {
        switch (vr)
        {
            case Us:
                text.WriteInteger(BinaryPrimitives.ReadUInt16LittleEndian(one));
                break;
            case Ss:
                text.WriteInteger(BinaryPrimitives.ReadInt16LittleEndian(one));
                break;
            case Ul:
                text.WriteInteger(BinaryPrimitives.ReadUInt32LittleEndian(one));
                break;
            case Sl:
                text.WriteInteger(BinaryPrimitives.ReadInt32LittleEndian(one));
                break;
            case Uv:
                text.WriteInteger(BinaryPrimitives.ReadUInt64LittleEndian(one));
                break;
            case Sv:
                text.WriteInteger(BinaryPrimitives.ReadInt64LittleEndian(one));
                break;
            case Fl:
                text.WriteNumber(BinaryPrimitives.ReadSingleLittleEndian(one));
                break;
            case Fd:
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
