using System.Globalization;
using System.Text.RegularExpressions;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Search;

/// <summary>What one backend said to one search, to the end as far as it went.</summary>
/// <param name="Backend">Who.</param>
/// <param name="Rows">Each UID of their level once.</param>
/// <param name="Asked">When it was asked.</param>
public sealed record SearchAnswer(BackendOptions Backend, IReadOnlyList<FoundRow> Rows, DateTimeOffset Asked)
{
    /// <summary>Rows without a UID of their level.</summary>
    public int LeftOut { get; init; }

    /// <summary>Attributes of the rows that were not DICOM JSON.</summary>
    public int AttributesLeftOut { get; init; }

    /// <summary>There are more than were to be read.</summary>
    public bool IsCut { get; init; }

    /// <summary>It knows nothing of the study that the path names, or does not search.</summary>
    public bool IsUnlisted { get; init; }

    /// <summary>Why it was not read to the end; rows that came before stand.</summary>
    public BackendFailure? Failure { get; init; }

    /// <summary>Whether the rows are all that the backend has.</summary>
    public bool IsWhole => Failure is null && !IsCut && LeftOut == 0;

    /// <summary>Bytes of memory that the rows hold, nearly.</summary>
    public long Bytes { get; init; }
}

/// <summary>One page of a backend's answer, checked against what it was asked.</summary>
/// <param name="Rows">Each has a valid UID of its level.</param>
/// <param name="LeftOut">Rows without such a UID.</param>
/// <param name="AttributesLeftOut">Attributes of the rows that are no DICOM JSON.</param>
/// <param name="SaysMore">Whether a <c>Warning</c> says that further results can be requested (PS3.18 §8.3.4.4).</param>
internal sealed partial record AnswerPage(IReadOnlyList<FoundRow> Rows, int LeftOut, int AttributesLeftOut, bool SaysMore)
{
    public int Count => Rows.Count + LeftOut;

    /// <param name="response">What came.</param>
    /// <param name="query">What was asked.</param>
    /// <param name="packed">Where the rows are kept.</param>
    /// <param name="first">The place of its first row in the backend's list.</param>
    /// <param name="most">Rows that are wanted: the reading ends there, whatever the backend goes on to send.</param>
    /// <param name="cancellation">Ends the reading.</param>
    /// <exception cref="MalformedAnswerException">It is not DICOM JSON, or speaks of another study than was asked about.</exception>
    public static async Task<AnswerPage> ReadAsync(
        BackendResponse response, SearchQuery query, PackedRows packed, int first, int most, CancellationToken cancellation)
    {
        var studies = query.Study is { } one ? [one] : query.FindUids(Tag.StudyInstanceUid);
        var rows = new List<FoundRow>();
        int leftOut = 0, attributesLeftOut = 0;
        await foreach (var row in response.ReadRowsAsync(cancellation))
        {
            var study = row.FindUid(Tag.StudyInstanceUid);
            if (studies is not null && study is { } named && !studies.Contains(named))
                throw new MalformedAnswerException("A row is of another study than was asked about.");
            attributesLeftOut += row.LeftOut;
            if (FoundRow.Find(query, row, study, packed, first + rows.Count) is { } found) rows.Add(found);
            else leftOut++;
            if (rows.Count + leftOut >= most) break;
        }
        return new(rows, leftOut, attributesLeftOut, response.Warnings.Any(SaysThatMoreRemain));
    }

    private static bool SaysThatMoreRemain(string warning) =>
        Remaining().Match(warning) is { Success: true } match
            && int.TryParse(match.Groups[1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0;

    [GeneratedRegex(@"(\d{1,9})\s+additional\s+results", RegexOptions.IgnoreCase)]
    private static partial Regex Remaining();
}
