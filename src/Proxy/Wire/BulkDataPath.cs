using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace Proxy.Wire;

/// <summary>Where one backend keeps one item of bulk data: what a BulkDataURI of its metadata named (PS3.18 §10.4.1.1.5).</summary>
/// <remarks>
/// Kept metadata holds it behind <see cref="DicomJsonWriter.RootMark"/> as a link:
/// <code>
/// /studies/S/series/E/instances/I/bulkdata/{backend}/{rest}
///  └────────── resource ────────┘
/// rest   bulk/7fe00010    below the resource
///        |bulkdata/x      written relative: below the resource, else below its study (viewers resolve it to either)
///        ^bulk/1?x=2      below the backend's root; the resource is the instance that named it
/// </code>
/// So the resource always names the study that the item belongs to.
/// </remarks>
/// <param name="Backend">The backend's name as the link has it.</param>
/// <param name="Resource">The study, series or instance, without a slash at either end.</param>
/// <param name="Rest">What follows, as it goes on the wire: percent-encoded where the backend, or RFC 3986, needs it.</param>
public sealed record BulkDataPath(string Backend, string Resource, string Rest)
{
    internal const char StudyRelative = '|';
    internal const char BelowRoot = '^';

    /// <summary>The longest rest, in characters.</summary>
    public const int MaxRestLength = 1024;

    private const string Bulk = "/bulkdata/";

    private static readonly SearchValues<char> PathCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$'()*+,;:@/?&=%");

    /// <summary>Path and query below the backend's DICOMweb root.</summary>
    public string Path => Rest[0] == BelowRoot ? Rest[1..] : $"{Resource}/{Rest.TrimStart(StudyRelative)}";

    /// <summary>A second meaning of a relative URI, to be asked for where the first gives "not found"; null for none.</summary>
    public string? StudyPath => Rest[0] == StudyRelative ? $"{string.Join('/', Resource.Split('/')[..2])}/{Rest[1..]}" : null;

    /// <summary>Names the item in the cache, below its study: it goes when the study, the series or the instance goes.</summary>
    public string CacheKey => $"{Resource}/{Rest.TrimStart(StudyRelative)}";

    /// <summary>The link as kept metadata has it, without the mark of the root.</summary>
    public string Link => $"/{Resource}{Bulk}{Backend}/{Rest}";

    /// <summary>Reads a link of kept metadata, with or without the mark of the root.</summary>
    /// <returns>False for a link that is not followed: the backend named a place outside its root, or none.</returns>
    public static bool TryReadLink(string link, [NotNullWhen(true)] out BulkDataPath? place)
    {
        place = null;
        var path = link.TrimStart('\uFFFF');
        var bulk = path.IndexOf(Bulk, StringComparison.Ordinal);
        if (bulk < 1) return false;
        var backend = path[(bulk + Bulk.Length)..];
        var slash = backend.IndexOf('/', StringComparison.Ordinal);
        if (slash < 1 || slash == backend.Length - 1) return false;
        place = new(backend[..slash], path[1..bulk], backend[(slash + 1)..]);
        return true;
    }

    /// <summary>
    /// Whether text may follow a backend's root or resource: ASCII that a URI may hold (RFC 3986 §3.3, §3.4), without a
    /// <c>.</c> or <c>..</c> segment and without control characters, also for a server that decodes escapes twice, reads
    /// <c>\</c> as <c>/</c>, or takes <c>..;x</c> for <c>..</c> with a parameter.
    /// </summary>
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
