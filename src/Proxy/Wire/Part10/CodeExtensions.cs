using System.Collections.Concurrent;
using System.Text;

namespace Proxy.Wire.Part10;

/// <summary>Decodes text with code extensions: escape sequences that select character sets (PS3.5 §6.1.2.5, ISO/IEC 2022).</summary>
/// <remarks>
/// <code>
/// ESC ( B  ASCII        ESC ( J  JIS X 0201 romaji     ESC - x   a table of ISO 8859, TIS 620     low   bytes below 80, G0
/// ESC $ B  JIS X 0208   ESC $ ( D  JIS X 0212          ESC $ ) C  KS X 1001                       high  bytes from 80, G1
/// ESC ) I  JIS X 0201 katakana                         ESC $ ) A  GB 2312
/// </code>
/// The initial state holds again behind each delimiter, line end, and tabulator.
/// </remarks>
internal sealed class CodeExtensions
{
    public const byte Escape = 0x1B;

    public const int Katakana = -1;
    public const int Korean = 51949;
    public const int Chinese = 936;
    private const int Japanese = 20932;

    private const int None = 0;
    private const int Romaji = -2;
    private const int Jis208 = -3;
    private const int Jis212 = -4;

    private static readonly ConcurrentDictionary<int, Encoding> Encodings = new();

    private readonly int _low;
    private readonly int _high;

    /// <summary>Creates the decoder.</summary>
    /// <param name="first">The code page of the first value of Specific Character Set; 0 for ASCII.</param>
    /// <param name="high">The code page of the bytes from 80 on before any escape sequence; 0 for none.</param>
    public CodeExtensions(int first, int high) => (_low, _high) = (first == Katakana ? Romaji : None, high);

    /// <summary>True when a byte below 80 is an ASCII character, as long as there is no escape sequence.</summary>
    public bool IsAsciiPlain => _low == None;

    /// <summary>True for a code page whose characters have two bytes from A1 on.</summary>
    public static bool IsDoubleByte(int codePage) => codePage is Korean or Chinese;

    /// <summary>An encoding of the shared framework, with U+FFFD for undefined bytes.</summary>
    public static Encoding GetEncoding(int codePage) => Encodings.GetOrAdd(
        codePage,
        static page => page == 28591
            ? Encoding.Latin1
            : CodePagesEncodingProvider.Instance.GetEncoding(
                page, EncoderFallback.ReplacementFallback, new DecoderReplacementFallback("\uFFFD"))!);

    /// <inheritdoc cref="CharacterSet.FindEnd"/>
    public int FindEnd(ReadOnlySpan<byte> text, byte delimiter)
    {
        var (low, high) = (_low, _high);
        for (var at = 0; at < text.Length;)
        {
            var length = ReadEscape(text[at..], ref low, ref high);
            if (length > 0)
            {
                at += length;
                continue;
            }
            if (IsPair(text[at..], low)) at++;
            else if (text[at] == delimiter) return at;
            else if (IsReset(text[at], isName: false)) (low, high) = (_low, _high);
            at++;
        }
        return text.Length;
    }

    /// <inheritdoc cref="CharacterSet.Decode"/>
    public string Decode(ReadOnlySpan<byte> text, bool isName)
    {
        var output = new StringBuilder(text.Length);
        var (low, high) = (_low, _high);
        while (!text.IsEmpty)
        {
            var length = ReadEscape(text, ref low, ref high);
            if (length == 0)
            {
                if (IsReset(text[0], isName)) (low, high) = (_low, _high);
                length = IsPair(text, low) ? DecodePairs(text, low, output)
                    : text[0] >= 0x80 ? DecodeHigh(text, high, output)
                    : DecodeLow(text, low, isName, output);
            }
            text = text[length..];
        }
        return output.ToString();
    }

    /// <summary>Reads the escape sequence at the beginning of the text; 0 if PS3.3 Table C.12-3 does not list it.</summary>
    private static int ReadEscape(ReadOnlySpan<byte> text, ref int low, ref int high)
    {
        if (text.Length < 3 || text[0] != Escape) return 0;
        switch (text[1], text[2])
        {
            case ((byte)'(', (byte)'B'):
                low = None;
                return 3;
            case ((byte)'(', (byte)'J'):
                low = Romaji;
                return 3;
            case ((byte)')', (byte)'I'):
                high = Katakana;
                return 3;
            case ((byte)'$', (byte)'B' or (byte)'@'):
                low = Jis208;
                return 3;
            case ((byte)'$', (byte)'(') when text.Length > 3 && text[3] == 'D':
                low = Jis212;
                return 4;
            case ((byte)'$', (byte)')') when text.Length > 3 && text[3] is (byte)'C' or (byte)'A':
                high = text[3] == 'C' ? Korean : Chinese;
                return 4;
            case ((byte)'-', var final) when FindTable(final) is var table and not None:
                high = table;
                return 3;
            default:
                return 0;
        }
    }

    private static int FindTable(byte final) => final switch
    {
        (byte)'A' => 28591,
        (byte)'B' => 28592,
        (byte)'C' => 28593,
        (byte)'D' => 28594,
        (byte)'L' => 28595,
        (byte)'G' => 28596,
        (byte)'F' => 28597,
        (byte)'H' => 28598,
        (byte)'M' => 28599,
        (byte)'T' => 874,
        (byte)'b' => 28605,
        _ => None,
    };

    /// <summary>True at a character of two bytes in G0.</summary>
    private static bool IsPair(ReadOnlySpan<byte> text, int low) =>
        low is Jis208 or Jis212 && text.Length > 1 && text[0] is > 0x20 and < 0x7F && text[1] is > 0x20 and < 0x7F;

    private static bool IsReset(byte value, bool isName) =>
        value is (byte)'\r' or (byte)'\n' or (byte)'\f' or (byte)'\t' || isName && value is (byte)'^' or (byte)'=';

    /// <summary>Decodes pairs of G0. The code page has JIS X 0208 with both high bits, JIS X 0212 with the first only.</summary>
    private static int DecodePairs(ReadOnlySpan<byte> text, int low, StringBuilder output)
    {
        var length = 0;
        while (IsPair(text[length..], low)) length += 2;
        var pairs = text[..length].ToArray();
        for (var i = 0; i < length; i++) pairs[i] |= (byte)(low == Jis208 || i % 2 == 0 ? 0x80 : 0);
        output.Append(GetEncoding(Japanese).GetString(pairs));
        return length;
    }

    private static int DecodeHigh(ReadOnlySpan<byte> text, int high, StringBuilder output)
    {
        var length = text.IndexOfAnyExceptInRange((byte)0x80, (byte)0xFF);
        if (length < 0) length = text.Length;
        var bytes = text[..length];
        if (high == None) output.Append('\uFFFD', length);
        else if (high == Katakana) foreach (var b in bytes) output.Append(b is >= 0xA1 and <= 0xDF ? (char)(0xFF61 + b - 0xA1) : '\uFFFD');
        else output.Append(GetEncoding(high).GetString(bytes));
        return length;
    }

    private static int DecodeLow(ReadOnlySpan<byte> text, int low, bool isName, StringBuilder output)
    {
        var length = 0;
        do
        {
            output.Append((low, text[length]) switch
            {
                (Romaji, (byte)'\\') => '¥',
                (Romaji, (byte)'~') => '‾',
                var (_, ascii) => (char)ascii,
            });
            length++;
        }
        while (length < text.Length && text[length] is < 0x80 and not Escape && low is None or Romaji && !IsReset(text[length], isName));
        return length;
    }
}
