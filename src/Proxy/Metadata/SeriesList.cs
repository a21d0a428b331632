using System.Collections.Immutable;
using Proxy.Dicom;

namespace Proxy.Metadata;

/// <summary>What one backend said about the series of one study, and when it said it.</summary>
/// <remarks>
/// Two backends may hold the same study and disagree. Each keeps its own list and nothing is merged here:
/// <see cref="Study"/> decides which series a client sees. A list never changes; a newer answer makes a newer list,
/// so a reader always sees one answer, whole.
/// </remarks>
public sealed record SeriesList(string Backend)
{
    /// <summary>The study's row of a search in this backend; null when it was never found by one.</summary>
    public Dataset? StudyRow { get; init; }

    /// <summary>When <see cref="StudyRow"/> was given.</summary>
    public DateTimeOffset StudyRowAsked { get; init; }

    /// <summary>What was asked for in <see cref="StudyRow"/> besides what every search asks for, as paths of tags.</summary>
    public IImmutableSet<string> StudyRowFields { get; init; } = ImmutableSortedSet<string>.Empty;

    /// <summary>When the backend last named all its series of the study; null when it never did.</summary>
    public DateTimeOffset? Asked { get; init; }

    /// <summary>
    /// The backend gave no list but "not found", as one does that holds studies and does not search them: only asking
    /// for a series itself can tell.
    /// </summary>
    public bool IsUnlisted { get; init; }

    public ImmutableDictionary<Uid, Series> Series
    {
        get;
        init
        {
            field = value;
            HasPrefetched = value.Values.Any(s => s is { MadeInClient: true, Summary: not null });
        }
    } = ImmutableDictionary<Uid, Series>.Empty;

    /// <summary>Whether a client that is given the list finds a series in it that no event named yet.</summary>
    public bool HasPrefetched { get; private init; }

    /// <summary>True while everything in the list was fetched ahead.</summary>
    public bool MadeInClient => !Series.IsEmpty && Series.Values.All(s => s.MadeInClient);

    /// <summary>Whether the backend holds something of the study, as far as it said.</summary>
    public bool HoldsStudy => !Series.IsEmpty || StudyRow is not null;

    public bool IsFresh(TimeSpan lifetime, DateTimeOffset now) => Asked is { } asked && Freshness.IsWithin(asked, lifetime, now);

    public Series? FindSeries(Uid seriesInstanceUid) => Series.GetValueOrDefault(seriesInstanceUid);

    /// <summary>
    /// Whether the list has as many series and instances as a search's row says of the study: then it still holds, however old it is.
    /// </summary>
    public bool AgreesWith(Dataset row) =>
        Asked is not null && row.FindInt(Tag.NumberOfStudyRelatedSeries) == Series.Count
            && row.FindInt(Tag.NumberOfStudyRelatedInstances) == Series.Values.Sum(s => s.Count);

    public SeriesList With(Series series) => this with { Series = Series.SetItem(series.Uid, series) };

    /// <summary>The same, seen by a client: what it names was asked for.</summary>
    public SeriesList MarkRequested()
    {
        if (!HasPrefetched) return this;
        var untold = Series.Values.Where(s => s is { MadeInClient: true, Summary: not null });
        return this with { Series = Series.SetItems(untold.Select(s => KeyValuePair.Create(s.Uid, s with { MadeInClient = false }))) };
    }

    /// <summary>Bytes of memory that are held, nearly.</summary>
    public long Bytes => 300 + (StudyRow?.Json.Length + 16 * StudyRow?.Attributes.Length ?? 0) + Series.Values.Sum(s => s.Bytes);
}
