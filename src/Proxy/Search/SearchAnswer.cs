using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Search;

/// <summary>One backend's rows, checked against what it was asked.</summary>
/// <param name="Rows">Each with a valid UID of its level, each UID once.</param>
/// <param name="LeftOut">Rows without such a UID.</param>
public sealed record SearchAnswer(IReadOnlyList<Dataset> Rows, int LeftOut)
{
    /// <exception cref="MalformedAnswerException">It is not DICOM JSON, or speaks of another study than was asked about.</exception>
    public static async Task<SearchAnswer> ReadAsync(BackendResponse response, SearchQuery query, CancellationToken cancellation)
    {
        var studies = query.Study is { } one ? [one] : query.FindUids(Tag.StudyInstanceUid);
        var rows = new Dictionary<Uid, Dataset>();
        var leftOut = 0;
        await foreach (var row in response.ReadDatasetsAsync(cancellation))
        {
            if (studies is not null && row.FindUid(Tag.StudyInstanceUid) is { } study && !studies.Contains(study))
                throw new MalformedAnswerException("A row is of another study than was asked about.");
            var isWhole = row.FindUid(query.Key) is not null && (query.Study is not null || row.FindUid(Tag.StudyInstanceUid) is not null);
            if (isWhole) rows[row.FindUid(query.Key)!.Value] = row;
            else leftOut++;
        }
        return new([.. rows.Values], leftOut);
    }
}
