using System.Buffers;
using System.Text;

namespace Proxy.Wire;

/// <summary>Recognizes the log-in pages and error documents that come in place of bulk data, with a status of 200.</summary>
/// <remarks>
/// <code>
/// byte order mark, white space │ &lt;?xml … ?&gt;  &lt;!-- … --&gt;  &lt;!DOCTYPE … &gt; │ &lt;prefix:name
///                              └────────── any number of them ───────────┘
/// </code>
/// Only the name of the root element decides: a CDA document is XML too, and is bulk data (PS3.3 §A.45.2).
/// </remarks>
internal static class ErrorPage
{
    private static readonly SearchValues<byte> NameEnds = SearchValues.Create(" \t\r\n/>"u8);

    private static readonly string[] Roots = ["html", "head", "body", "error"];

    /// <summary>Whether a page begins here; null when more bytes are needed to tell.</summary>
    public static bool? IsAt(ReadOnlySpan<byte> start)
    {
        if (start.IsEmpty) return null;
        if (start.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF])) start = start[3..];
        else if (start[0] == 0xEF && start.Length < 3) return null;
        while (true)
        {
            start = start.TrimStart(" \t\r\n"u8);
            if (start.IsEmpty) return null;
            if (start[0] != '<') return false;
            if (start.Length == 1) return null;
            if (start[1] is not ((byte)'?' or (byte)'!')) return IsRoot(start[1..]);
            if (IsDoctypeOfHtml(start) is true) return true;
            var end = start.StartsWith("<!--"u8) ? "-->"u8 : start[1] == '?' ? "?>"u8 : ">"u8;
            var at = start.IndexOf(end);
            if (at < 0) return null;
            start = start[(at + end.Length)..];
        }
    }

    private static bool IsDoctypeOfHtml(ReadOnlySpan<byte> start)
    {
        if (start.Length < 9 || !Ascii.EqualsIgnoreCase(start[..9], "<!doctype")) return false;
        var name = start[9..].TrimStart(" \t\r\n"u8);
        return name.Length >= 4 && Ascii.EqualsIgnoreCase(name[..4], "html");
    }

    private static bool? IsRoot(ReadOnlySpan<byte> name)
    {
        var end = name.IndexOfAny(NameEnds);
        if (end < 0) return name.Length > 256 ? false : null;
        name = name[..end];
        name = name[(name.IndexOf((byte)':') + 1)..];
        foreach (var root in Roots)
        {
            if (Ascii.EqualsIgnoreCase(name, root)) return true;
        }
        return false;
    }
}
