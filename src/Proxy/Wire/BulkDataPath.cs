using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace Proxy.Wire;

/// <summary>The location of one bulk data item at one backend, as a BulkDataURI of its metadata names it (PS3.18 §10.4.1.1.5).</summary>
/// <remarks>
/// Stored metadata holds it as a link behind <see cref="DicomJsonWriter.RootMark"/>:
/// <code>
/// /studies/S/series/E/instances/I/bulkdata/{backend}/{rest}
///  └────────── resource ────────┘
/// rest   bulk/7fe00010    below the resource
///        |bulkdata/x      a relative URI: below the resource, else below its study (viewers resolve it to either)
///        ^bulk/1?x=2      below the backend's root; the resource is the instance that names the item
///        #00291010        in the file of the resource, an instance: the path of a <see cref="Part10.BulkValue"/>
/// </code>
/// The resource always names the study that the item belongs to.
/// </remarks>
/// <param name="Backend">The backend's name, as in the link.</param>
/// <param name="Resource">The study, series or instance, without a slash at either end.</param>
/// <param name="Rest">The part behind the resource as sent on the wire: percent-encoded where the backend or RFC 3986 requires it.</param>
public sealed record BulkDataPath(string Backend, string Resource, string Rest)
{
    internal const char StudyRelative = '|';
    internal const char BelowRoot = '^';
    internal const char InFile = '#';

    /// <summary>The longest rest, in characters.</summary>
    public const int MaxRestLength = 1024;

    private const string Bulk = "/bulkdata/";

    private static readonly SearchValues<char> PathCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$'()*+,;:@/?&=%");

    /// <summary>Path and query below the backend's DICOMweb root.</summary>
    public string Path => Rest[0] == BelowRoot ? Rest[1..] : $"{Resource}/{Rest.TrimStart(StudyRelative)}";

    /// <summary>The path of the value in the instance's own file; null for an item that the backend serves by itself.</summary>
    public string? FilePath => Rest[0] == InFile ? Rest[1..] : null;

    /// <summary>The second meaning of a relative URI, requested when the first is not found. Null for one meaning only.</summary>
    public string? StudyPath => Rest[0] == StudyRelative ? $"{string.Join('/', Resource.Split('/')[..2])}/{Rest[1..]}" : null;

    /// <summary>The item's name in the cache, below its study: removing the study, series or instance removes it too.</summary>
    public string CacheKey => $"{Resource}/{Rest.TrimStart(StudyRelative)}";

    /// <summary>The link as stored in metadata, without the root mark.</summary>
    public string Link => $"/{Resource}{Bulk}{Backend}/{Rest}";

    /// <summary>Reads a link from stored metadata, with or without the root mark.</summary>
    /// <param name="link">The link.</param>
    /// <param name="item">The item that it names.</param>
    /// <returns>False for a link that the proxy does not follow: it names a location outside the backend's root, or none.</returns>
    public static bool TryReadLink(string link, [NotNullWhen(true)] out BulkDataPath? item)
    {
        item = null;
        var path = link.TrimStart('\uFFFF');
        var bulk = path.IndexOf(Bulk, StringComparison.Ordinal);
        if (bulk < 1) return false;
        var backend = path[(bulk + Bulk.Length)..];
        var slash = backend.IndexOf('/', StringComparison.Ordinal);
        if (slash < 1 || slash == backend.Length - 1) return false;
        item = new(backend[..slash], path[1..bulk], backend[(slash + 1)..]);
        return true;
    }

    /// <summary>True when the text may follow a backend's root or a resource.</summary>
    /// <remarks>
    /// Allowed are the ASCII characters of a URI (RFC 3986 §3.3, §3.4), without a <c>.</c> or <c>..</c> segment and without control
    /// characters. This also holds for a server that decodes escapes twice, reads <c>\</c> as <c>/</c>, or reads <c>..;x</c> as
    /// <c>..</c> with a parameter.
    /// </remarks>
    public static bool IsRest(string rest)
    {
        if (rest.Length is 0 or > MaxRestLength || rest[0] == '/' || rest.AsSpan().ContainsAnyExcept(PathCharacters)) return false;
        var path = rest.Split('?')[0];
        if (path.Length == 0) return false;
        for (var decodings = 0; decodings < 3; decodings++)
        {
            if (path.Any(char.IsControl) || path.Split('/', '\\').Any(s => s.Split(';')[0] is "." or "..")) return false;
            path = Uri.UnescapeDataString(path);
        }
        return true;
    }
}
