using System.Text;

namespace Proxy.Viewing;

/// <summary>Makes files that were built for one path work below any other.</summary>
/// <remarks>
/// <code>
/// script       __webpack_require__.p = "/"            the path of a page from PUBLIC_URL, of a worker from its own address
///              browserImportFunction('/folder/...')
/// style sheet  url(/font.woff2)                       relative to the style sheet
/// manifest     "/assets/icon.png"                     relative to the manifest
/// </code>
/// An edited file does not depend on the path of the viewer: one compressed form is right for all.
/// </remarks>
internal static class ViewerEdits
{
    /// <summary>Counts changes of this class: browsers keep a file for a year under an address that names this version.</summary>
    public const string Version = "1";

    /// <summary>The query parameter with <see cref="Version"/>.</summary>
    public const string VersionParameter = "edits";

    private const string Expression = """globalThis.PUBLIC_URL||new URL(".",location.href).pathname""";

    /// <summary>The content of a file, in pieces; the whole content as the only piece if nothing is to be edited.</summary>
    /// <param name="file">The file.</param>
    /// <param name="content">Its content as built.</param>
    /// <param name="builtFor">The path that the viewer was built for, with a slash at its end.</param>
    public static IReadOnlyList<ReadOnlyMemory<byte>> Apply(ViewerFile file, ReadOnlyMemory<byte> content, string builtFor)
    {
        var edits = Find(file, content.Span, builtFor).OrderBy(edit => edit.Start).ToList();
        var pieces = new List<ReadOnlyMemory<byte>>();
        var at = 0;
        foreach (var (start, length, text) in edits)
        {
            pieces.Add(content[at..start]);
            pieces.Add(Encoding.UTF8.GetBytes(text));
            at = start + length;
        }
        pieces.Add(content[at..]);
        return pieces;
    }

    private static List<(int Start, int Length, string Text)> Find(ViewerFile file, ReadOnlySpan<byte> content, string builtFor)
    {
        var edits = new List<(int Start, int Length, string Text)>();
        switch (Path.GetExtension(file.Name))
        {
            case ".js" or ".mjs":
                foreach (var assignment in (string[])[$".p = \"{builtFor}\"", $".p=\"{builtFor}\""])
                {
                    foreach (var start in FindAll(content, assignment))
                    {
                        if (EndsWithBundler(content[..start])) edits.Add((start, assignment.Length, $".p=({Expression})"));
                    }
                }
                foreach (var quote in (string[])["'", "\""])
                {
                    const string call = "browserImportFunction(";
                    foreach (var start in FindAll(content, call + quote + builtFor))
                        edits.Add((start + call.Length, 1 + builtFor.Length, $"({Expression})+{quote}"));
                }
                break;
            case ".css":
                foreach (var opening in (string[])["url(", "url('", "url(\""]) AddRelative(opening, content);
                break;
            case ".json" or ".webapp" or ".webmanifest" when file.Name.Contains("manifest", StringComparison.Ordinal):
                AddRelative("\"", content);
                break;
        }
        return edits;

        // From the folder of the file to the folder of the viewer.
        void AddRelative(string opening, ReadOnlySpan<byte> content)
        {
            var up = string.Concat(Enumerable.Repeat("../", file.Depth));
            foreach (var start in FindAll(content, opening + builtFor))
            {
                var end = start + opening.Length + builtFor.Length;
                // Two slashes begin the address of another host.
                if (end < content.Length && content[end] != '/')
                    edits.Add((start, end - start, opening + up));
            }
        }
    }

    /// <summary>Whether the text ends with the name of the bundler's object: its full name, or one letter in a minified build.</summary>
    private static bool EndsWithBundler(ReadOnlySpan<byte> text)
    {
        var start = text.Length;
        while (start > 0 && IsWord((char)text[start - 1])) start--;
        var isMember = start > 0 && text[start - 1] == '.';
        return !isMember && (text.Length - start == 1 || text[start..].SequenceEqual("__webpack_require__"u8));

        static bool IsWord(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '$';
    }

    private static List<int> FindAll(ReadOnlySpan<byte> content, string text)
    {
        var (found, wanted, at) = (new List<int>(), Encoding.UTF8.GetBytes(text), 0);
        while (content[at..].IndexOf(wanted) is >= 0 and var next)
        {
            found.Add(at + next);
            at += next + wanted.Length;
        }
        return found;
    }
}
