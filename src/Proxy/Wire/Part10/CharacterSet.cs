using System.Text;

namespace Proxy.Wire.Part10;

/// <summary>The character set of the text in a dataset: Specific Character Set (0008,0005), PS3.3 §C.12.1.1.2.</summary>
/// <remarks>
/// <code>
/// none, ISO_IR 6     ASCII; other bytes are read as UTF-8 if they are valid UTF-8, else as Latin 1
/// one value          one of the tables of ISO 8859, JIS X 0201, TIS 620; ISO_IR 192 (UTF-8), GB18030, GBK
/// ISO 2022 …         those tables, and JIS X 0208, JIS X 0212, KS X 1001, GB 2312, selected by escape sequences
/// </code>
/// Text is split at its delimiters before it is decoded, because the second byte of a character can be a delimiter's code (PS3.5
/// §6.1.2.3). Undefined bytes are decoded to U+FFFD.
/// </remarks>
internal sealed class CharacterSet
{
    private const int Gb18030 = 54936;
    private const int Gbk = 936;
    private const int Utf8 = 65001;

    /// <summary>The code page of each term. JIS X 0208 and JIS X 0212 are selected by escape sequences only.</summary>
    private static readonly Dictionary<string, int> CodePages = new(StringComparer.Ordinal)
    {
        ["100"] = 28591,
        ["101"] = 28592,
        ["109"] = 28593,
        ["110"] = 28594,
        ["144"] = 28595,
        ["127"] = 28596,
        ["126"] = 28597,
        ["138"] = 28598,
        ["148"] = 28599,
        ["203"] = 28605,
        ["166"] = 874,
        ["13"] = CodeExtensions.Katakana,
        ["149"] = CodeExtensions.Korean,
        ["58"] = CodeExtensions.Chinese,
    };

    private readonly int _codePage;
    private readonly CodeExtensions? _extensions;

    private CharacterSet(int codePage, CodeExtensions? extensions) => (_codePage, _extensions) = (codePage, extensions);

    /// <summary>The default repertoire (PS3.5 §6.1.2.1).</summary>
    public static CharacterSet Default { get; } = new(0, null);

    /// <summary>True when every ASCII byte is its own character, outside of multi-byte characters and escape sequences.</summary>
    public bool IsAsciiPlain => _extensions?.IsAsciiPlain != false;

    /// <summary>Reads the value of Specific Character Set. An unknown term is read as the default repertoire.</summary>
    public static CharacterSet Read(ReadOnlySpan<byte> value)
    {
        var terms = Encoding.ASCII.GetString(value.TrimEnd((byte)0)).Split('\\', StringSplitOptions.TrimEntries);
        if (terms is ["ISO_IR 192", ..]) return new(Utf8, null);
        if (terms is ["GB18030", ..]) return new(Gb18030, null);
        if (terms is ["GBK", ..]) return new(Gbk, null);
        var first = FindCodePage(terms[0]);
        if (first == 0 && terms.Length == 1 && !terms[0].StartsWith("ISO 2022", StringComparison.Ordinal)) return Default;
        // Many files omit the escape sequence in front of each Korean or Chinese text.
        return new(0, new(first, first != 0 ? first : terms.Select(FindCodePage).FirstOrDefault(CodeExtensions.IsDoubleByte)));
    }

    /// <summary>The offset of a delimiter, outside of multi-byte characters; the length of the text when it has none.</summary>
    /// <param name="text">The text, from a place where the initial state holds: the start of a value, or behind a delimiter.</param>
    /// <param name="delimiter">An ASCII character.</param>
    public int FindEnd(ReadOnlySpan<byte> text, byte delimiter)
    {
        var end = text.IndexOf(delimiter);
        if (end < 0) return text.Length;
        if (_extensions is not null) return text.Contains(CodeExtensions.Escape) ? _extensions.FindEnd(text, delimiter) : end;
        if (_codePage is not (Gb18030 or Gbk) || Ascii.IsValid(text[..end])) return end;
        for (var at = 0; at < text.Length;)
        {
            if (text[at] == delimiter) return at;
            var isDigit = at + 1 < text.Length && text[at + 1] is >= (byte)'0' and <= (byte)'9';
            at += text[at] < 0x81 ? 1 : _codePage == Gb18030 && isDigit ? 4 : 2;
        }
        return text.Length;
    }

    /// <summary>Decodes the text of one value, or of one component of a name.</summary>
    /// <param name="text">Text without the delimiters that separate values and component groups.</param>
    /// <param name="isName">True for a PN, in which <c>^</c> restores the initial state (PS3.5 §6.1.2.5.3).</param>
    public string Decode(ReadOnlySpan<byte> text, bool isName)
    {
        if (_extensions is not null) return _extensions.Decode(text, isName);
        if (_codePage == 0) return (System.Text.Unicode.Utf8.IsValid(text) ? Encoding.UTF8 : Encoding.Latin1).GetString(text);
        return _codePage == Utf8 ? Encoding.UTF8.GetString(text) : CodeExtensions.GetEncoding(_codePage).GetString(text);
    }

    /// <summary>True when the bytes are UTF-8, so that they need no decoding.</summary>
    public bool IsUtf8(ReadOnlySpan<byte> text) => _extensions is null && _codePage is 0 or Utf8 && System.Text.Unicode.Utf8.IsValid(text);

    /// <summary>
    /// The encoding of a single-byte or UTF-8 character set, to write text in it: a character that it does not have becomes <c>?</c>. Null
    /// for a term that is not known or needs escape sequences.
    /// </summary>
    public static Encoding? FindEncoding(string term) => term switch
    {
        "ISO_IR 192" => new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
        "ISO_IR 6" => Encoding.ASCII,
        "GB18030" => CodeExtensions.GetEncoding(Gb18030),
        "GBK" => CodeExtensions.GetEncoding(Gbk),
        _ when term.StartsWith("ISO_IR ", StringComparison.Ordinal) && FindCodePage(term) is > 0 and var page
            and not (CodeExtensions.Katakana or CodeExtensions.Korean or CodeExtensions.Chinese) => CodeExtensions.GetEncoding(page),
        _ => null,
    };

    /// <summary>The code page of a term such as <c>ISO_IR 100</c> or <c>ISO 2022 IR 100</c>; 0 for ASCII and for unknown terms.</summary>
    private static int FindCodePage(string term)
    {
        var at = term.IndexOf("IR ", StringComparison.Ordinal);
        return at < 0 ? 0 : CodePages.GetValueOrDefault(term[(at + 3)..]);
    }
}
