using System.Globalization;
using System.Web;

namespace Proxy.Dicom;

/// <summary>A viewer's image id: the scheme of an image loader and the address that it fetches the frame from.</summary>
/// <remarks>
/// OHIF and Cornerstone build these forms, absolute or relative, percent-encoded or not:
/// <code>
/// wadors:{root}/studies/{study}/series/{series}/instances/{instance}/frames/{frame}
/// wadouri:{root}?requestType=WADO&amp;studyUID=…&amp;seriesUID=…&amp;objectUID=…[&amp;frame=n]     (also dicomweb:)
/// </code>
/// The frame is 1 when the id names none.
/// </remarks>
/// <param name="Instance">The instance that holds the frame.</param>
/// <param name="Frame">The frame number, counted from 1.</param>
public readonly record struct ImageId(InstancePath Instance, int Frame)
{
    /// <summary>Reads an image id; false when the text has none of these forms.</summary>
    public static bool TryParse(string? text, out ImageId imageId)
    {
        imageId = default;
        if (string.IsNullOrEmpty(text)) return false;
        // Searching for one character first costs a tenth of searching for the two escapes.
        if (text.Contains('%', StringComparison.Ordinal)
            && (text.Contains("%2F", StringComparison.OrdinalIgnoreCase) || text.Contains("%3A", StringComparison.OrdinalIgnoreCase)))
            text = Uri.UnescapeDataString(text);
        var query = text.IndexOf('?', StringComparison.Ordinal);
        return query >= 0 && text.AsSpan(query).Contains("objectUID=", StringComparison.OrdinalIgnoreCase)
            ? TryParseQuery(text[(query + 1)..], out imageId)
            : TryParsePath(query < 0 ? text : text.AsSpan(0, query), out imageId);
    }

    /// <summary>Every store look-up by image id runs this, so it allocates only the strings of the three UIDs.</summary>
    private static bool TryParsePath(ReadOnlySpan<char> path, out ImageId imageId)
    {
        imageId = default;
        var start = path.LastIndexOf("/studies/");
        if (start < 0) return false;
        path = path[(start + 1)..].TrimEnd('/');
        Span<Range> parts = stackalloc Range[9];
        var count = path.Split(parts, '/');
        if (count is not (6 or 8) || path[parts[2]] is not "series" || path[parts[4]] is not "instances") return false;
        var frame = 1;
        if (count == 8 && (path[parts[6]] is not "frames" || !TryParseFrame(path[parts[7]], out frame))) return false;
        return TryMake(path[parts[1]], path[parts[3]], path[parts[5]], frame, out imageId);
    }

    private static bool TryParseQuery(string query, out ImageId imageId)
    {
        imageId = default;
        var values = HttpUtility.ParseQueryString(query);
        var frame = 1;
        if (values["frame"] is { } text && !TryParseFrame(text, out frame)) return false;
        return TryMake(values["studyUID"], values["seriesUID"], values["objectUID"], frame, out imageId);
    }

    private static bool TryParseFrame(ReadOnlySpan<char> text, out int frame) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out frame) && frame > 0;

    private static bool TryMake(
        ReadOnlySpan<char> study, ReadOnlySpan<char> series, ReadOnlySpan<char> instance, int frame, out ImageId imageId)
    {
        imageId = default;
        if (!Uid.TryParse(study, out var s) || !Uid.TryParse(series, out var e) || !Uid.TryParse(instance, out var i)) return false;
        imageId = new(new(s, e, i), frame);
        return true;
    }
}
