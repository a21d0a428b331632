using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Proxy.Dicom;

namespace Proxy.Wire.Part10;

/// <summary>The text of a dataset in DICOM JSON (PS3.18 §F.2) while it is written.</summary>
/// <remarks>Strings are escaped, and U+FFFF, which marks the root in stored datasets, becomes U+FFFD.</remarks>
internal sealed class DatasetText
{
    private const int FirstBytes = 16 * 1024;

    /// <summary>ASCII that needs no escape in a JSON string (RFC 8259 §7).</summary>
    private static readonly SearchValues<byte> Plain = SearchValues.Create(
        [.. Enumerable.Range(0x20, 0x5F).Select(c => (byte)c).Where(c => c is not ((byte)'"' or (byte)'\\'))]);

    private static readonly byte[] Hex = "0123456789ABCDEF"u8.ToArray();

    private readonly int _maxBytes;
    private byte[] _bytes = new byte[FirstBytes];

    /// <summary>Creates an empty text.</summary>
    /// <param name="maxBytes">The limit of the text, in bytes.</param>
    public DatasetText(int maxBytes) => _maxBytes = maxBytes;

    /// <summary>The number of bytes written.</summary>
    public int Length { get; private set; }

    /// <summary>A copy of the text.</summary>
    public byte[] ToArray() => _bytes[..Length];

    /// <summary>Room for this number of bytes, to be followed by <see cref="Advance"/>.</summary>
    /// <exception cref="MalformedAnswerException">The text exceeds its limit.</exception>
    public Span<byte> GetSpan(int count)
    {
        if (_bytes.Length - Length < count)
        {
            if (count > _maxBytes - Length) throw new MalformedAnswerException("The dataset is larger than the limit.");
            Array.Resize(ref _bytes, (int)Math.Min(_maxBytes, Math.Max(2L * _bytes.Length, (long)Length + count)));
        }
        return _bytes.AsSpan(Length);
    }

    /// <summary>Accepts bytes that were written into <see cref="GetSpan"/>.</summary>
    public void Advance(int count) => Length += count;

    public void Write(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(GetSpan(bytes.Length));
        Length += bytes.Length;
    }

    /// <summary>Inserts bytes at an offset of the text written so far.</summary>
    public void Insert(int at, ReadOnlySpan<byte> bytes)
    {
        GetSpan(bytes.Length);
        _bytes.AsSpan(at, Length - at).CopyTo(_bytes.AsSpan(at + bytes.Length));
        bytes.CopyTo(_bytes.AsSpan(at));
        Length += bytes.Length;
    }

    /// <summary>Writes <c>"00080060":{"vr":"CS"</c>, with a comma in front unless it is the first of its object.</summary>
    public void BeginAttribute(Tag tag, ushort vr, bool isFirst)
    {
        var room = GetSpan(22);
        var at = 0;
        if (!isFirst) room[at++] = (byte)',';
        room[at++] = (byte)'"';
        WriteHex(room[at..], tag.Value);
        "\":{\"vr\":\""u8.CopyTo(room[(at += 8)..]);
        at += 9;
        room[at++] = (byte)(vr >> 8);
        room[at++] = (byte)vr;
        room[at++] = (byte)'"';
        Length += at;
    }

    /// <summary>Writes an AT: eight hexadecimal digits in quotes.</summary>
    public void WriteTag(uint tag)
    {
        var room = GetSpan(10);
        room[0] = (byte)'"';
        WriteHex(room[1..], tag);
        room[9] = (byte)'"';
        Length += 10;
    }

    /// <summary>Writes an integer; one that JavaScript would round is a string (PS3.18 §F.2.3).</summary>
    public void WriteInteger<T>(T value) where T : struct, IUtf8SpanFormattable, System.Numerics.IBinaryInteger<T>
    {
        const long MaxSafe = (1L << 53) - 1;
        var isQuoted = value > T.CreateSaturating(MaxSafe) || value < T.CreateSaturating(-MaxSafe);
        var room = GetSpan(24);
        var at = 0;
        if (isQuoted) room[at++] = (byte)'"';
        value.TryFormat(room[at..], out var written, default, CultureInfo.InvariantCulture);
        at += written;
        if (isQuoted) room[at++] = (byte)'"';
        Length += at;
    }

    /// <summary>
    /// Writes a floating-point number, which reads back as the same bits. JSON has no NaN and no infinity, so these are strings.
    /// </summary>
    public void WriteNumber<T>(T value)
        where T : struct, IUtf8SpanFormattable, System.Numerics.IBinaryFloatingPointIeee754<T>
    {
        if (T.IsFinite(value))
        {
            value.TryFormat(GetSpan(32), out var written, default, CultureInfo.InvariantCulture);
            Length += written;
        }
        else
        {
            Write(T.IsNaN(value) ? "\"NaN\""u8 : T.IsPositive(value) ? "\"inf\""u8 : "\"-inf\""u8);
        }
    }

    /// <summary>Writes a string in quotes.</summary>
    /// <param name="utf8">Valid UTF-8.</param>
    public void WriteString(ReadOnlySpan<byte> utf8)
    {
        if (IsPlain(utf8))
        {
            var room = GetSpan(utf8.Length + 2);
            room[0] = (byte)'"';
            utf8.CopyTo(room[1..]);
            room[utf8.Length + 1] = (byte)'"';
            Length += utf8.Length + 2;
        }
        else
        {
            WriteString(Encoding.UTF8.GetString(utf8));
        }
    }

    /// <summary>Writes a string in quotes.</summary>
    public void WriteString(string text)
    {
        Write("\""u8);
        var clean = text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF') ? string.Concat(text.EnumerateRunes()) : text;
        clean = clean.Replace('\uFFFF', '\uFFFD');
        Write(JsonEncodedText.Encode(clean, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes);
        Write("\""u8);
    }

    /// <summary>True for ASCII text that is its own JSON string.</summary>
    public static bool IsPlain(ReadOnlySpan<byte> text) => text.IndexOfAnyExcept(Plain) < 0;

    private static void WriteHex(Span<byte> room, uint value)
    {
        for (var i = 7; i >= 0; i--, value >>= 4) room[i] = Hex[value & 15];
    }
}
