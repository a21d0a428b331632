using System.Collections.Immutable;
using Proxy.Dicom;

namespace Proxy.Metadata;

/// <summary>One backend's answer about the series of one study, with its time.</summary>
/// <remarks>
/// Two backends may hold the same study and disagree. Each has its own list and nothing is merged here: <see cref="Study"/> decides which
/// series a client sees. A list is immutable; a newer answer makes a new list, so a reader always sees one complete answer.
/// </remarks>
/// <param name="Backend">The name of the backend.</param>
public sealed record SeriesList(string Backend)
{
    /// <summary>The study's row in a search of this backend; null when no search found it.</summary>
    public Dataset? StudyRow { get; init; }

    /// <summary>True when only a prefetch has searched for <see cref="StudyRow"/>: no client has seen it.</summary>
    public bool StudyRowMadeInClient { get; init; }

    /// <summary>The time of the search that gave <see cref="StudyRow"/>.</summary>
    public DateTimeOffset StudyRowAsked { get; init; }

    /// <summary>The fields requested for <see cref="StudyRow"/> beyond those of every search, as tag paths.</summary>
    public IImmutableSet<string> StudyRowFields { get; init; } = ImmutableSortedSet<string>.Empty;

    /// <summary>The time at which the backend last listed all its series of the study; null for never.</summary>
    public DateTimeOffset? ListedAt { get; init; }

    /// <summary>Grows with every change of the study by a client. An answer to a request from before the change is not current.</summary>
    public int Revision { get; private init; }

    /// <summary>The <see cref="Revision"/> of the last complete list.</summary>
    internal int ListedRevision { get; init; }

    /// <summary>True when a client has changed the study in the backend since the last complete list.</summary>
    public bool IsChangedSinceListed => Revision != ListedRevision;

    /// <summary>
    /// True when the backend answered "not found" instead of a list, as backends do that hold studies without indexing them: only a request
    /// for the series itself can tell.
    /// </summary>
    public bool IsUnlisted { get; init; }

    /// <summary>The series by UID.</summary>
    public ImmutableDictionary<Uid, Series> Series
    {
        get;
        init
        {
            field = value;
            HasPrefetched = value.Values.Any(s => s is { MadeInClient: true, Summary: not null });
        }
    } = ImmutableDictionary<Uid, Series>.Empty;

    /// <summary>True when the list has prefetched series that no event has announced yet.</summary>
    public bool HasPrefetched { get; private init; }

    /// <summary>The last time at which the backend confirmed a part of the list.</summary>
    public DateTimeOffset LastConfirmedAt => Series.Values.Select(series => series.MetadataConfirmedAt)
        .Append(StudyRowAsked).Append(ListedAt ?? default).Max();

    /// <summary>True while every series in the list is prefetched.</summary>
    public bool MadeInClient => !Series.IsEmpty && Series.Values.All(s => s.MadeInClient);

    /// <summary>True when the backend has reported any part of the study.</summary>
    public bool HoldsStudy => !Series.IsEmpty || StudyRow is not null;

    /// <summary>True when a client has seen any part of the study.</summary>
    internal bool IsSeen => StudyRow is not null && !StudyRowMadeInClient || Series.Values.Any(s => !s.MadeInClient);

    /// <summary>True when the backend listed its series within this time.</summary>
    public bool IsFresh(TimeSpan lifetime, DateTimeOffset now) => ListedAt is { } asked && Freshness.IsWithin(asked, lifetime, now);

    /// <summary>The series in the list; null when it is not there.</summary>
    public Series? FindSeries(Uid seriesInstanceUid) => Series.GetValueOrDefault(seriesInstanceUid);

    /// <summary>The backend as a holder of a series in the list.</summary>
    public Holder GetHolder(Uid seriesInstanceUid, Func<string, int> preferenceOf) =>
        new(Backend, Series[seriesInstanceUid].Count, preferenceOf(Backend));

    /// <summary>
    /// True when the numbers of series and instances in a study's search row match the list: then the list still holds at any age.
    /// </summary>
    public bool AgreesWith(Dataset row) =>
        ListedAt is not null && row.FindInt(Tag.NumberOfStudyRelatedSeries) == Series.Count
            && row.FindInt(Tag.NumberOfStudyRelatedInstances) == Series.Values.Sum(s => s.Count);

    /// <summary>
    /// True when the list proves that the backend does not hold an instance: it is complete, and so is the metadata of the series if the
    /// list names it. The caller decides whether the list is new enough.
    /// </summary>
    public bool Lacks(InstancePath path) =>
        ListedAt is not null && !IsUnlisted && !IsChangedSinceListed
            && (FindSeries(path.Series) is not { } series || series.IsMetadataComplete && !series.Metadata!.Has(path.Instance));

    /// <summary>A copy in which nothing is fresh, after a client changed the study in the backend.</summary>
    /// <param name="changed">The series whose instances changed; null for all.</param>
    /// <param name="oldest">The time from which answers are not fresh any more.</param>
    public SeriesList WithChange(IReadOnlySet<Uid>? changed, DateTimeOffset oldest) => this with
    {
        Revision = Revision + 1,
        ListedAt = ListedAt < oldest ? ListedAt : ListedAt is null ? null : oldest,
        StudyRowAsked = StudyRowAsked < oldest ? StudyRowAsked : oldest,
        Series = Series.SetItems(
            Series.Where(s => changed?.Contains(s.Key) != false).Select(s => KeyValuePair.Create(s.Key, s.Value.WithChange(oldest)))),
    };

    /// <summary>A copy with a series added or replaced.</summary>
    public SeriesList With(Series series) => this with { Series = Series.SetItem(series.Uid, series) };

    /// <summary>A copy whose prefetched series are marked as requested by a client.</summary>
    public SeriesList MarkRequested()
    {
        if (!HasPrefetched) return this;
        var prefetched = Series.Values.Where(s => s is { MadeInClient: true, Summary: not null });
        return this with { Series = Series.SetItems(prefetched.Select(s => KeyValuePair.Create(s.Uid, s with { MadeInClient = false }))) };
    }

    /// <summary>The approximate memory held, in bytes.</summary>
    public long Bytes => 300 + (StudyRow?.Json.Length + 16 * StudyRow?.Attributes.Length ?? 0) + Series.Values.Sum(s => s.Bytes);
}
