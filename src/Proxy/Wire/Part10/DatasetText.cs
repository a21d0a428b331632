using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using Proxy.Dicom;

namespace Proxy.Wire.Part10;

/// <summary>The text of a dataset in DICOM JSON (PS3.18 §F.2) while it is written.</summary>
/// <remarks>Strings are escaped, and U+FFFF, which marks the root in stored datasets, becomes U+FFFD.</remarks>
internal sealed class DatasetText : IDisposable
{
    private const int FirstBytes = 16 * 1024;

    /// <summary>Whole numbers below have no exponent in the shortest text of either type.</summary>
    private const int MaxWhole = 1 << 22;

    /// <summary>ASCII that needs no escape in a JSON string (RFC 8259 §7).</summary>
    private static readonly SearchValues<byte> Plain = SearchValues.Create(
        [.. Enumerable.Range(0x20, 0x5F).Select(c => (byte)c).Where(c => c is not ((byte)'"' or (byte)'\\'))]);

    /// <summary>The two hexadecimal digits of each byte, the first in the lower byte.</summary>
    private static readonly ushort[] Hex =
    [
        .. Enumerable.Range(0, 256).Select(b => b.ToString("X2", CultureInfo.InvariantCulture))
            .Select(hex => (ushort)(hex[0] | (hex[1] << 8))),
    ];

    private readonly int _maxBytes;
    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(FirstBytes);

    /// <summary>Creates an empty text.</summary>
    /// <param name="maxBytes">The limit of the text, in bytes.</param>
    public DatasetText(int maxBytes) => _maxBytes = maxBytes;

    /// <summary>The number of bytes written.</summary>
    public int Length { get; private set; }

    /// <summary>A copy of the text.</summary>
    public byte[] ToArray()
    {
        var copy = GC.AllocateUninitializedArray<byte>(Length);
        _bytes.AsSpan(0, Length).CopyTo(copy);
        return copy;
    }

    /// <summary>Room for this number of bytes, to be followed by <see cref="Advance"/>.</summary>
    /// <exception cref="MalformedAnswerException">The text exceeds its limit.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<byte> GetSpan(int count)
    {
        if (_bytes.Length - Length < count) Grow(count);
        return _bytes.AsSpan(Length);
    }

    /// <summary>Accepts bytes that were written into <see cref="GetSpan"/>.</summary>
    public void Advance(int count) => Length += count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
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
        const int Bytes = 21;
        var room = GetSpan(Bytes + 1);
        if (!isFirst)
        {
            room[0] = (byte)',';
            room = room[1..];
            Length++;
        }
        room = room[..Bytes];
        room[0] = (byte)'"';
        WriteHex(room[1..], tag.Value);
        "\":{\"vr\":\""u8.CopyTo(room[9..]);
        BinaryPrimitives.WriteUInt16BigEndian(room[18..], vr);
        room[20] = (byte)'"';
        Length += Bytes;
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
        var isQuoted = Unsafe.SizeOf<T>() > sizeof(uint) && (value > T.CreateSaturating(MaxSafe) || value < T.CreateSaturating(-MaxSafe));
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
        // Most are whole, which integers are written faster. The sign of -0 is kept.
        var whole = T.Abs(value) < T.CreateTruncating(MaxWhole) ? long.CreateTruncating(value) : 0;
        if (whole != 0 && T.CreateTruncating(whole) == value)
        {
            WriteInteger(whole);
        }
        else if (T.IsFinite(value))
        {
            value.TryFormat(GetSpan(32), out var written, default, CultureInfo.InvariantCulture);
            Length += written;
        }
        else
        {
            Write(T.IsNaN(value) ? "\"NaN\""u8 : T.IsPositive(value) ? "\"inf\""u8 : "\"-inf\""u8);
        }
    }

    /// <summary>Writes bytes, one of them replaced everywhere.</summary>
    public void WriteReplaced(ReadOnlySpan<byte> bytes, byte old, byte replacement)
    {
        bytes.Replace(GetSpan(bytes.Length), old, replacement);
        Length += bytes.Length;
    }

    /// <summary>Writes <c>,"Value":["…"]</c> with one string that <see cref="IsPlain"/>.</summary>
    public void WritePlainValue(ReadOnlySpan<byte> plain)
    {
        var room = GetSpan(plain.Length + 13);
        ",\"Value\":[\""u8.CopyTo(room);
        plain.CopyTo(room[11..]);
        "\"]"u8.CopyTo(room[(plain.Length + 11)..]);
        Length += plain.Length + 13;
    }

    /// <summary>Writes a string that <see cref="IsPlain"/> in quotes.</summary>
    public void WritePlain(ReadOnlySpan<byte> plain)
    {
        var room = GetSpan(plain.Length + 2);
        room[0] = (byte)'"';
        plain.CopyTo(room[1..]);
        room[plain.Length + 1] = (byte)'"';
        Length += plain.Length + 2;
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

    /// <summary>Returns the memory of the text.</summary>
    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
        Length = 0;
    }

    /// <summary>True for ASCII text that is its own JSON string.</summary>
    public static bool IsPlain(ReadOnlySpan<byte> text) => text.IndexOfAnyExcept(Plain) < 0;

    /// <summary>
    /// True for numbers in the grammar of JSON (RFC 8259 §6), which have no leading zeros and no plus sign, with one delimiter between
    /// them.
    /// </summary>
    public static bool AreNumbers(ReadOnlySpan<byte> value, byte delimiter)
    {
        for (var at = 0; ; at++)
        {
            if (Find(value, at) == '-') at++;
            var first = at;
            if (!SkipDigits(value, ref at) || value[first] == '0' && at > first + 1) return false;
            if (Find(value, at) == '.')
            {
                at++;
                if (!SkipDigits(value, ref at)) return false;
            }
            if (Find(value, at) is 'e' or 'E')
            {
                at++;
                if (Find(value, at) is '+' or '-') at++;
                if (!SkipDigits(value, ref at)) return false;
            }
            if (at == value.Length) return true;
            if (value[at] != delimiter) return false;
        }
    }

    private void Grow(int count)
    {
        if (count > _maxBytes - Length) throw new MalformedAnswerException("The dataset is larger than the limit.");
        var larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(_maxBytes, Math.Max(2L * _bytes.Length, (long)Length + count)));
        _bytes.AsSpan(0, Length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }

    private static void WriteHex(Span<byte> room, uint value)
    {
        var (high, low) = (Hex[value >> 24] | (uint)Hex[(byte)(value >> 16)] << 16, Hex[(byte)(value >> 8)] | (uint)Hex[(byte)value] << 16);
        BinaryPrimitives.WriteUInt64LittleEndian(room, high | (ulong)low << 32);
    }

    /// <summary>The byte at an offset; 0 behind the end.</summary>
    private static int Find(ReadOnlySpan<byte> value, int at) => (uint)at < (uint)value.Length ? value[at] : 0;

    /// <summary>Moves behind the digits; false when there is none.</summary>
    private static bool SkipDigits(ReadOnlySpan<byte> value, ref int at)
    {
        var first = at;
        while (Find(value, at) is >= '0' and <= '9') at++;
        return at > first;
    }
}
