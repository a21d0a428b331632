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
    /// <summary>The rows that do not match, by their UIDs.</summary>
    public IReadOnlyList<Uid> Others { get; init; } = [];

    public int Count => Rows.Count + LeftOut + Others.Count;

    /// <summary>Reads a page.</summary>
    /// <param name="response">The backend's response.</param>
    /// <param name="reading">The search and the rows read before.</param>
    /// <param name="cancellation">Cancels the reading.</param>
    /// <exception cref="MalformedAnswerException">The response is not DICOM JSON, or a row belongs to another study or series.</exception>
    public static async Task<AnswerPage> ReadAsync(BackendResponse response, AnswerReading reading, CancellationToken cancellation)
    {
        var query = reading.Query;
        var studies = query.Study is { } uid ? [uid] : query.FindUids(Tag.StudyInstanceUid);
        var series = query.Series is { } one ? [one] : query.FindUids(Tag.SeriesInstanceUid);
        var rows = new List<FoundRow>();
        var others = new List<Uid>();
        int leftOut = 0, attributesLeftOut = 0, first = reading.Rows.Count, max = reading.MaxOfPage;
        await foreach (var row in response.ReadRowsAsync(cancellation))
        {
            attributesLeftOut += row.LeftOut;
            var study = row.FindUid(Tag.StudyInstanceUid);
            if (reading.Drops(row))
            {
                if (row.FindUid(query.Key) is { } other) others.Add(other);
                else leftOut++;
            }
            else if (studies is not null && study is { } named && !studies.Contains(named))
            {
                reading.IsSuspect |= query.Study is null;
                throw new MalformedAnswerException("A row belongs to another study than requested.");
            }
            else if (series is not null && row.FindUid(Tag.SeriesInstanceUid) is { } part && !series.Contains(part))
            {
                reading.IsSuspect |= query.Series is null;
                throw new MalformedAnswerException("A row belongs to another series than requested.");
            }
            else if (FoundRow.Find(query, row, study, reading.Packed, first + rows.Count) is { } found)
            {
                rows.Add(found);
            }
            else
            {
                leftOut++;
            }
            if (rows.Count + leftOut + others.Count >= max) break;
        }
        return new(rows, leftOut, attributesLeftOut, response.Warnings.Any(AnnouncesMore)) { Others = others };
    }

    private static bool AnnouncesMore(string warning) =>
        Remaining().Match(warning) is { Success: true } match
            && int.TryParse(match.Groups["count"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0;

    [GeneratedRegex(@"(?<count>\d{1,9})\s+additional\s+results", RegexOptions.IgnoreCase)]
    private static partial Regex Remaining();
}

/// <summary>The state of one search at one backend: the rows read so far.</summary>
/// <param name="query">The search in the form that the backend accepts.</param>
/// <param name="maxRows">The maximum number of rows; null for <see cref="SearchDepth.MaxRows"/>, and then no limit is sent.</param>
internal sealed class AnswerReading(SearchQuery query, int? maxRows)
{
    private readonly HashSet<Uid> _others = [];
    private HashSet<string>? _absent;

    public SearchQuery Query { get; } = query;

    public int? MaxRows { get; } = maxRows;

    /// <summary>Matches every row here; null when the backend matches them.</summary>
    public RowMatcher? Filter { get; init; }

    /// <summary>Shows whether the backend matches; null when that is known.</summary>
    public RowMatcher? Check { get; init; }

    /// <summary>True when the backend answers with its whole list and ignores the limit.</summary>
    public bool IsWholeList { get; init; }

    /// <summary>True when a row contradicts the search, so that the backend may ignore searches.</summary>
    public bool IsSuspect { get; set; }

    public Dictionary<Uid, FoundRow> Rows { get; } = [];

    public PackedRows Packed { get; } = new();

    public int LeftOut { get; set; }

    public int AttributesLeftOut { get; set; }

    public bool IsCut { get; set; }

    public bool IsUnlisted { get; set; }

    public BackendFailure? Failure { get; set; }

    /// <summary>The number of rows still allowed, plus one to detect that there are more; null to send no limit.</summary>
    public int? Wanted => IsWholeList ? null : MaxRows + 1 - Rows.Count;

    /// <summary>The maximum number of rows to read of one page; the rest is ignored.</summary>
    public int MaxOfPage => Wanted ?? SearchDepth.MaxRows + 1 - Rows.Count;

    /// <summary>True when the backend answered that nothing matches.</summary>
    public bool IsEmpty => Rows.Count == 0 && LeftOut == 0 && Failure is null && !IsUnlisted;

    /// <summary>The keys whose attribute no row has, so that none can match.</summary>
    public IReadOnlyCollection<string> Absent => _absent ?? [];

    /// <summary>The approximate memory of the rows, in bytes.</summary>
    public long Bytes => 512 + Packed.Bytes + PartsBytes + Rows.Count * FoundRow.OwnBytes;

    public long PartsBytes { get; set; }

    /// <summary>True for a row that does not match, when the backend does not match it.</summary>
    public bool Drops(Dataset row)
    {
        if (Check is not null && !IsSuspect) IsSuspect = Check.Contradicts(row);
        if (Filter is null) return false;
        if (_absent is null) _absent = [.. Filter.FindAbsent(row)];
        else if (_absent.Count > 0) _absent.IntersectWith(Filter.FindAbsent(row));
        return !Filter.Matches(row);
    }

    /// <summary>Adds a page; a repeated row replaces the earlier one. True when the page had a new row.</summary>
    public bool Add(AnswerPage page)
    {
        var before = Rows.Count + _others.Count;
        foreach (var row in page.Rows) Rows[row.Uid] = row;
        _others.UnionWith(page.Others);
        LeftOut += page.LeftOut;
        AttributesLeftOut += page.AttributesLeftOut;
        return Rows.Count + _others.Count > before;
    }
}
