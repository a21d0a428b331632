using System.Buffers;
using System.Collections.Immutable;
using System.Text;

namespace Proxy.Dicom;

/// <summary>A media type with its parameters, read as leniently as real DICOMweb peers require.</summary>
/// <remarks>
/// The framework's parsers reject forms that viewers and archives send: an unquoted <c>type=application/octet-stream</c>
/// (PS3.18 §8.7.1 even asks for it), an unquoted boundary with <c>:</c> or <c>/</c>, and Orthanc's
/// <c>type="application/octet-stream; transfer-syntax=1.2…"</c> with the second parameter inside the quotes.
/// A token and a quoted string mean the same here; parameter names and types are compared without case.
/// </remarks>
/// <param name="Type">Such as <c>image/jp2</c>, in lower case.</param>
/// <param name="Parameters">The parameters in the order given, their names in lower case.</param>
public sealed record MediaType(string Type, ImmutableArray<KeyValuePair<string, string>> Parameters)
{
    /// <summary>DICOM JSON (PS3.18 Annex F).</summary>
    public const string DicomJson = "application/dicom+json";

    /// <summary>DICOM XML, the Native DICOM Model (PS3.19 §A.1).</summary>
    public const string DicomXml = "application/dicom+xml";

    /// <summary>Uncompressed bulk data.</summary>
    public const string OctetStream = "application/octet-stream";

    /// <summary>A multipart body (PS3.18 §8.6.1.2).</summary>
    public const string MultipartRelated = "multipart/related";

    /// <summary>A ZIP file of whole instances (PS3.18 §10.4.4).</summary>
    public const string Zip = "application/zip";

    private static readonly SearchValues<char> TokenCharacters =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    /// <summary>Reads a <c>Content-Type</c>; null when the text has no <c>type/subtype</c>.</summary>
    public static MediaType? Parse(string? text) => text is null ? null : new Cursor(text, list: false).ReadMediaType();

    /// <summary>Reads the list of an <c>Accept</c> header. Elements that are not media types are skipped (PS3.18 §8.7.7).</summary>
    public static ImmutableArray<MediaType> ParseList(string? text)
    {
        if (string.IsNullOrWhiteSpace(text)) return [];
        var cursor = new Cursor(text, list: true);
        var types = ImmutableArray.CreateBuilder<MediaType>();
        while (!cursor.AtEnd)
        {
            if (cursor.ReadMediaType() is { } type) types.Add(type);
            cursor.SkipElement();
        }
        return types.ToImmutable();
    }

    /// <summary>The value of a parameter; null when the type has no such parameter.</summary>
    public string? Find(string name)
    {
        foreach (var (key, value) in Parameters)
        {
            if (key.Equals(name, StringComparison.OrdinalIgnoreCase)) return value;
        }
        return null;
    }

    /// <summary>True for any <c>multipart/*</c>: a receiver treats an unknown subtype as multipart/mixed (RFC 2046 §5.1.3).</summary>
    public bool IsMultipart => Type.StartsWith("multipart/", StringComparison.OrdinalIgnoreCase);

    /// <summary>True when the text is <c>type/subtype</c> of tokens (RFC 9110 §5.6.2, §8.3.1), safe to write into a header.</summary>
    public static bool IsWellFormed(string type)
    {
        var slash = type.IndexOf('/', StringComparison.Ordinal);
        return slash > 0 && slash < type.Length - 1
            && !type.AsSpan(0, slash).ContainsAnyExcept(TokenCharacters) && !type.AsSpan(slash + 1).ContainsAnyExcept(TokenCharacters);
    }

    /// <summary>True when the type without its parameters equals <paramref name="type"/>, ignoring case.</summary>
    public bool Is(string type) => Type.Equals(type, StringComparison.OrdinalIgnoreCase);

    /// <summary>
    /// The text of a header: each parameter once, quoted where a token cannot hold its value (RFC 9110 §5.6.2). Parameters that no header
    /// can hold are left out.
    /// </summary>
    public string ToHeader()
    {
        var text = new StringBuilder(Type);
        foreach (var (name, value) in Parameters.DistinctBy(p => p.Key))
        {
            if (name.AsSpan().ContainsAnyExcept(TokenCharacters) || value.AsSpan().ContainsAnyExceptInRange(' ', '~')) continue;
            var isToken = value.Length > 0 && !value.AsSpan().ContainsAnyExcept(TokenCharacters);
            var written = value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
            text.Append("; ").Append(name).Append('=').Append(isToken ? value : $"\"{written}\"");
        }
        return text.ToString();
    }

    private sealed class Cursor(string text, bool list)
    {
        private int _at;

        public bool AtEnd => _at >= text.Length;

        public MediaType? ReadMediaType()
        {
            var type = ReadUntilSeparator().Trim();
            var slash = type.IndexOf('/', StringComparison.Ordinal);
            var parameters = ImmutableArray.CreateBuilder<KeyValuePair<string, string>>();
            while (!AtEnd && text[_at] == ';')
            {
                _at++;
                ReadParameter(parameters);
            }
            return slash <= 0 || slash == type.Length - 1 ? null : new(type.ToLowerInvariant(), parameters.ToImmutable());
        }

        public void SkipElement()
        {
            while (!AtEnd && text[_at++] != ',') { }
        }

        private void ReadParameter(ImmutableArray<KeyValuePair<string, string>>.Builder parameters)
        {
            var start = _at;
            while (!AtEnd && text[_at] is not ('=' or ';') && !(list && text[_at] == ',')) _at++;
            var name = text[start.._at].Trim().ToLowerInvariant();
            if (AtEnd || text[_at] != '=') return;
            _at++;
            while (!AtEnd && text[_at] is ' ' or '\t') _at++;
            var value = !AtEnd && text[_at] == '"' ? ReadQuoted() : ReadUntilSeparator().Trim();
            var inner = name == "type" ? value.IndexOf(';', StringComparison.Ordinal) : -1;
            if (inner >= 0)
            {
                foreach (var hidden in new Cursor("x/x" + value[inner..], list: false).ReadMediaType()!.Parameters) parameters.Add(hidden);
                value = value[..inner].Trim();
            }
            if (name.Length > 0) parameters.Add(new(name, value));
        }

        private string ReadUntilSeparator()
        {
            var start = _at;
            while (!AtEnd && text[_at] != ';' && !(list && text[_at] == ',')) _at++;
            return text[start.._at];
        }

        private string ReadQuoted()
        {
            var value = new StringBuilder();
            for (_at++; !AtEnd && text[_at] != '"'; _at++)
            {
                if (text[_at] == '\\' && _at + 1 < text.Length) _at++;
                value.Append(text[_at]);
            }
            _at = Math.Min(_at + 1, text.Length);
            while (!AtEnd && text[_at] != ';' && !(list && text[_at] == ',')) _at++;
            return value.ToString();
        }
    }
}
