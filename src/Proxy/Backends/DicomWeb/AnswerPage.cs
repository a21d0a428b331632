using System.Globalization;
using System.Text.RegularExpressions;
using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Backends.DicomWeb;

/// <summary>One page of a backend's answer, checked against the search.</summary>
/// <param name="Rows">The rows with a valid UID of their level.</param>
/// <param name="LeftOut">The number of rows without such a UID.</param>
/// <param name="AttributesLeftOut">The number of attributes that were not valid DICOM JSON.</param>
/// <param name="SaysMore">True when a <c>Warning</c> announces additional results (PS3.18 §8.3.4.4).</param>
internal sealed partial record AnswerPage(IReadOnlyList<FoundRow> Rows, int LeftOut, int AttributesLeftOut, bool SaysMore)
{
    public int Count => Rows.Count + LeftOut;

    /// <summary>Reads a page.</summary>
    /// <param name="response">The backend's response.</param>
    /// <param name="query">The search.</param>
    /// <param name="packed">Stores the rows.</param>
    /// <param name="first">The index of the page's first row in the backend's list.</param>
    /// <param name="max">The maximum number of rows to read; the rest of the response is ignored.</param>
    /// <param name="cancellation">Cancels the reading.</param>
    /// <exception cref="MalformedAnswerException">The response is not DICOM JSON, or a row belongs to another study.</exception>
    public static async Task<AnswerPage> ReadAsync(
        BackendResponse response, SearchQuery query, PackedRows packed, int first, int max, CancellationToken cancellation)
    {
        var studies = query.Study is { } uid ? [uid] : query.FindUids(Tag.StudyInstanceUid);
        var rows = new List<FoundRow>();
        int leftOut = 0, attributesLeftOut = 0;
        await foreach (var row in response.ReadRowsAsync(cancellation))
        {
            var study = row.FindUid(Tag.StudyInstanceUid);
            if (studies is not null && study is { } named && !studies.Contains(named))
                throw new MalformedAnswerException("A row belongs to another study than requested.");
            attributesLeftOut += row.LeftOut;
            if (FoundRow.Find(query, row, study, packed, first + rows.Count) is { } found) rows.Add(found);
            else leftOut++;
            if (rows.Count + leftOut >= max) break;
        }
        return new(rows, leftOut, attributesLeftOut, response.Warnings.Any(AnnouncesMore));
    }

    private static bool AnnouncesMore(string warning) =>
        Remaining().Match(warning) is { Success: true } match
            && int.TryParse(match.Groups["count"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0;

    [GeneratedRegex(@"(?<count>\d{1,9})\s+additional\s+results", RegexOptions.IgnoreCase)]
    private static partial Regex Remaining();
}
