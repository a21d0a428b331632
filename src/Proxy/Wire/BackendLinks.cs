using System.Buffers;
using System.Text;
using System.Text.Json;
using Proxy.Dicom;

namespace Proxy.Wire;

/// <summary>Turns the URLs in a backend's answer into URLs of the proxy (PS3.18 §F.2.6, attribute 0008,1190).</summary>
/// <remarks>
/// <para>
/// A backend writes URLs with the host name that it believes to have. Only the part from <c>studies/</c> on is used; a later
/// request always goes to the configured host, so no answer can send the proxy elsewhere.
/// </para>
/// <code>
/// http://pacs:8042/dicom-web/studies/S/series/E/instances/I/bulk/7fe00010
///                            └──────────── path ─────────┘ └─── rest ──┘
/// {root}/studies/S/series/E/instances/I/bulkdata/{backend}/bulk/7fe00010
/// </code>
/// <para>
/// Bulk data links are stored in the forms of <see cref="BulkDataPath"/> and signed when written (<see cref="BulkTokens"/>). The
/// proxy does not follow a link outside the backend's DICOMweb root or into another study: its rest is empty, and a request for
/// it gets 404.
/// </para>
/// </remarks>
/// <param name="backend">The backend's name, which is part of the URLs given to clients.</param>
/// <param name="root">The backend's own DICOMweb root.</param>
/// <param name="source">The address of the answer, the base of its relative URIs.</param>
public sealed class BackendLinks(string backend, Uri root, Uri source)
{
    private const string Studies = "/studies/";

    /// <summary>Relative forms that archives write and viewers resolve against the study instead of the metadata's address.</summary>
    private static readonly string[] Relative = ["bulkdata/", "series/"];

    /// <summary>The same dataset with all URLs under <see cref="DicomJsonWriter.RootMark"/>.</summary>
    public Dataset Rewrite(Dataset dataset)
    {
        if (dataset.Links.IsEmpty) return dataset;
        var study = dataset.FindUid(Tag.StudyInstanceUid);
        var original = dataset.Json.Span;
        var json = new ArrayBufferWriter<byte>(original.Length + 64);
        var moves = new List<(int At, int By)>();
        var copied = 0;
        foreach (var link in dataset.Links)
        {
            json.Write(original[copied..link.Start]);
            var uri = Unescape(original[link.Start..link.End]);
            json.Write(Encoding.UTF8.GetBytes("\uFFFF" + (link.IsBulkData ? ToBulkData(uri, study, dataset) : ToResource(uri, study))));
            copied = link.End;
            moves.Add((link.End, json.WrittenCount - link.End));
        }
        json.Write(original[copied..]);
        return new(
            json.WrittenMemory, [.. dataset.Attributes.Select(a => new Dataset.Attribute(a.Tag, Move(a.Start), Move(a.End)))],
            [])
        { LeftOut = dataset.LeftOut };

        int Move(int at)
        {
            var by = 0;
            foreach (var move in moves)
            {
                if (move.At > at) break;
                by = move.By;
            }
            return at + by;
        }
    }

    /// <summary>The path below any root of the resource that a Retrieve URL names, such as <c>/studies/1.2</c>; empty for none.</summary>
    public string FindResource(string text) => ToResource(text, study: null);

    private string ToBulkData(string text, Uid? study, Dataset dataset)
    {
        var nowhere = $"/bulkdata/{backend}/";
        if (!Uri.TryCreate(source, text, out var uri)) return nowhere;
        if (FindResource(uri, study) is var (path, behind))
        {
            var tail = Escape(behind);
            // No rest begins with a query: one directly behind the resource is stored with its path below the root.
            if (tail.StartsWith('?') && BulkDataPath.IsRest(path + tail))
                return $"/{path}/bulkdata/{backend}/{BulkDataPath.BelowRoot}{path}{tail}";
            if (!BulkDataPath.IsRest(tail)) return $"/{path}/bulkdata/{backend}/";
            var isStudyRelative = path.Contains("/series/", StringComparison.Ordinal)
                && Relative.Any(start => text.StartsWith(start, StringComparison.Ordinal));
            return $"/{path}/bulkdata/{backend}/{(isStudyRelative ? BulkDataPath.StudyRelative : "")}{tail}";
        }
        var prefix = root.AbsolutePath.TrimEnd('/') + "/";
        if (uri.Authority != root.Authority || !uri.AbsolutePath.StartsWith(prefix, StringComparison.Ordinal)) return nowhere;
        var below = Escape(uri.PathAndQuery[prefix.Length..]);
        if (!BulkDataPath.IsRest(below) || uri.AbsolutePath.Contains(Studies, StringComparison.Ordinal)) return nowhere;
        return FindOwner(dataset) is { } owner ? $"/{owner}/bulkdata/{backend}/{BulkDataPath.BelowRoot}{below}" : nowhere;
    }

    /// <summary>
    /// Escapes brackets: <see cref="Uri"/> escapes everything else that RFC 3986 §3.3 forbids, but leaves these for IPv6 hosts.
    /// </summary>
    private static string Escape(string rest) =>
        rest.Replace("[", "%5B", StringComparison.Ordinal).Replace("]", "%5D", StringComparison.Ordinal);

    /// <summary>The path of the instance, series or study that a dataset describes; null when it names no study.</summary>
    private static string? FindOwner(Dataset dataset) =>
        dataset.FindUid(Tag.StudyInstanceUid) is not { } study ? null
        : dataset.FindUid(Tag.SeriesInstanceUid) is not { } series ? new StudyPath(study).ToString()
        : dataset.FindUid(Tag.SopInstanceUid) is not { } instance ? new SeriesPath(study, series).ToString()
        : new InstancePath(study, series, instance).ToString();

    private string ToResource(string text, Uid? study) =>
        Uri.TryCreate(source, text, out var uri) && FindResource(uri, study) is var (path, _) ? $"/{path}"
        : study is { } uid ? $"/{new StudyPath(uid)}"
        : "";

    /// <summary>The path of the deepest study, series or instance in a URL, and the rest behind it with the query.</summary>
    private static (string Path, string Tail)? FindResource(Uri uri, Uid? study)
    {
        var at = uri.AbsolutePath.LastIndexOf(Studies, StringComparison.Ordinal);
        if (at < 0) return null;
        var parts = uri.AbsolutePath[(at + 1)..].Split('/');
        if (!Uid.TryParse(parts.ElementAtOrDefault(1), out var s) || study is not null && s != study) return null;
        var depth = 2;
        if (parts.ElementAtOrDefault(2) == "series" && Uid.TryParse(parts.ElementAtOrDefault(3), out _)) depth = 4;
        if (depth == 4 && parts.ElementAtOrDefault(4) == "instances" && Uid.TryParse(parts.ElementAtOrDefault(5), out _)) depth = 6;
        return (string.Join('/', parts[..depth]), string.Join('/', parts[depth..]) + uri.Query);
    }

    private static string Unescape(ReadOnlySpan<byte> text)
    {
        if (!text.Contains((byte)'\\')) return Encoding.UTF8.GetString(text);
        var reader = new Utf8JsonReader([(byte)'"', .. text, (byte)'"']);
        reader.Read();
        return reader.GetString()!;
    }
}
