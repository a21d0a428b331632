using System.Globalization;
using System.Text.RegularExpressions;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Search;

/// <summary>What one backend said to one search, to the end as far as it went.</summary>
/// <param name="Backend">Who.</param>
/// <param name="Rows">Each with a valid UID of its level, each UID once.</param>
/// <param name="Asked">When it was asked.</param>
public sealed record SearchAnswer(BackendOptions Backend, IReadOnlyList<Dataset> Rows, DateTimeOffset Asked)
{
    /// <summary>Rows without a UID of their level.</summary>
    public int LeftOut { get; init; }

    /// <summary>There are more than were to be read.</summary>
    public bool IsCut { get; init; }

    /// <summary>It knows nothing of the study that the path names, or does not search.</summary>
    public bool IsUnlisted { get; init; }

    /// <summary>Why it was not read to the end; rows that came before stand.</summary>
    public BackendFailure? Failure { get; init; }

    /// <summary>Whether the rows are all that the backend has.</summary>
    public bool IsWhole => Failure is null && !IsCut && LeftOut == 0;

    /// <summary>Bytes of memory that are held, nearly.</summary>
    public long Bytes => 512 + Rows.Sum(row => 256L + row.Json.Length);
}

/// <summary>One page of a backend's answer, checked against what it was asked.</summary>
/// <param name="Rows">Each with a valid UID of its level.</param>
/// <param name="LeftOut">Rows without such a UID.</param>
/// <param name="SaysMore">Whether a <c>Warning</c> says that further results can be requested (PS3.18 §8.3.4.4).</param>
internal sealed partial record AnswerPage(IReadOnlyList<Dataset> Rows, int LeftOut, bool SaysMore)
{
    public int Count => Rows.Count + LeftOut;

    /// <exception cref="MalformedAnswerException">It is not DICOM JSON, or speaks of another study than was asked about.</exception>
    public static async Task<AnswerPage> ReadAsync(BackendResponse response, SearchQuery query, CancellationToken cancellation)
    {
        var studies = query.Study is { } one ? [one] : query.FindUids(Tag.StudyInstanceUid);
        var rows = new List<Dataset>();
        var leftOut = 0;
        await foreach (var row in response.ReadDatasetsAsync(cancellation))
        {
            var study = row.FindUid(Tag.StudyInstanceUid);
            if (studies is not null && study is { } named && !studies.Contains(named)) throw new MalformedAnswerException("A row is of another study than was asked about.");
            if (row.FindUid(query.Key) is not null && (query.Study is not null || study is not null)) rows.Add(row);
            else leftOut++;
        }
        return new(rows, leftOut, response.Warnings.Any(SaysThatMoreRemain));
    }

    private static bool SaysThatMoreRemain(string warning) =>
        Remaining().Match(warning) is { Success: true } match && int.TryParse(match.Groups[1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0;

    [GeneratedRegex(@"(\d{1,9})\s+additional\s+results", RegexOptions.IgnoreCase)]
    private static partial Regex Remaining();
}
