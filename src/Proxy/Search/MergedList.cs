using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Metadata;

namespace Proxy.Search;

/// <summary>
/// The results of several backends as one list by UID, in the order from which pages are cut. A row is merged when a page needs it.
/// </summary>
public sealed class MergedList
{
    private readonly SearchLevel _level;
    private readonly Item[] _items;

    private MergedList(SearchLevel level, Item[] items, int count) => (_level, _items, Count) = (level, items, count);

    /// <summary>One row and its backend.</summary>
    private readonly record struct Found(BackendOptions Backend, FoundRow Row)
    {
        public Holder Holder => new(Backend.Name, Row.Count, Backend.Preference);
    }

    /// <summary>One object: the row of the preferred backend, and the rows of the others.</summary>
    private struct Item
    {
        public Found First;
        public Further? Further;

        /// <summary>The earliest section in which a backend lists the object.</summary>
        public int Section;

        public readonly RowOrder Order => Further?.Order ?? First.Row.Order;
    }

    /// <summary>The rows of the other backends, and the sort key of all rows together.</summary>
    private sealed record Further(ImmutableArray<Found> Others, RowOrder Order);

    /// <summary>The number of rows.</summary>
    public int Count { get; }

    /// <summary>Merges the answers to a search.</summary>
    /// <param name="query">The search.</param>
    /// <param name="answers">The answer of each backend.</param>
    /// <param name="store">Determines the owner of a series.</param>
    /// <param name="maxResults">The size of the first section (<see cref="SearchDepth"/>); by default it has all rows.</param>
    public static MergedList Merge(
        SearchQuery query, IReadOnlyCollection<SearchAnswer> answers, DicomMetadataStore store, int maxResults = int.MaxValue)
    {
        var found = answers.SelectMany(a => a.Rows.Select(row => new Found(a.Backend, row)));
        if (query.Level == SearchLevel.Instances) found = SelectOwners(found, store);
        var items = new Item[answers.Sum(a => a.Rows.Count)];
        var indexes = new Dictionary<(Uid, Uid), int>(items.Length);
        foreach (var match in found)
        {
            ref var index = ref CollectionsMarshal.GetValueRefOrAddDefault(indexes, (match.Row.Uid, match.Row.Series), out var isKnown);
            var section = SearchDepth.GetSection(match.Row.Position, maxResults);
            if (!isKnown) items[index = indexes.Count - 1] = new() { First = match, Section = section };
            else Add(ref items[index], match, section, maxResults);
        }
        items.AsSpan(0, indexes.Count).Sort(Compare);
        return new(query.Level, items, indexes.Count);
    }

    /// <summary>The rows of one page, merged.</summary>
    public ImmutableArray<MergedRow> Read(int offset, int? limit)
    {
        var from = Math.Min(offset, Count);
        var rows = ImmutableArray.CreateBuilder<MergedRow>();
        foreach (ref readonly var item in _items.AsSpan(from, Math.Min(limit ?? int.MaxValue, Count - from)))
            rows.Add(Read(item.First, item.Further));
        return rows.DrainToImmutable();
    }

    private MergedRow Read(Found first, Further? further)
    {
        ImmutableArray<SourceRow> sources = [
            new(first.Backend.Name, first.Row.Read()),
            .. further?.Others.Select(o => new SourceRow(o.Backend.Name, o.Row.Read())) ?? []];
        return MergedRow.Merge(first.Row.Uid, sources, _level switch
        {
            SearchLevel.Studies => new StudyPath(first.Row.Uid).ToString(),
            SearchLevel.Series => new SeriesPath(first.Row.Study, first.Row.Uid).ToString(),
            _ => new InstancePath(first.Row.Study, first.Row.Series, first.Row.Uid).ToString(),
        });
    }

    /// <summary>Keeps the instances of each series' owner: only they can be retrieved.</summary>
    private static IEnumerable<Found> SelectOwners(IEnumerable<Found> found, DicomMetadataStore store) =>
        from match in found
        group match by new SeriesPath(match.Row.Study, match.Row.Series) into series
        let study = store.GetStudy(series.Key.Study)
        let byBackend = series.ToLookup(f => f.Backend.Name)
        let holders = byBackend.Select(b => GetHolder(b.First().Backend, b.Count(), study, series.Key.Series)).ToList()
        let owner = OwnerRule.Choose(holders, study?.Owners.GetValueOrDefault(series.Key.Series))
        from match in byBackend[owner.Backend]
        select match;

    /// <summary>The number of instances that a backend has is in its series list, because the search may match only some.</summary>
    private static Holder GetHolder(BackendOptions backend, int found, Study? study, Uid series) =>
        new(backend.Name, Math.Max(found, study?.GetList(backend.Name).FindSeries(series)?.Count ?? 0), backend.Preference);

    /// <summary>Adds another backend's row. The preferred backend comes first; for a series, the backend with more instances.</summary>
    private static void Add(ref Item item, Found added, int section, int maxResults)
    {
        Found[] all = [item.First, .. item.Further?.Others ?? [], added];
        Array.Sort(all, static (a, b) => Holder.Compare(a.Holder, b.Holder));
        item.Section = section = Math.Min(item.Section, section);
        item.First = all[0];
        // Values from a later section must not change the order: earlier pages were cut before that section was read.
        var ordering = all.Where(f => SearchDepth.GetSection(f.Row.Position, maxResults) == section).Select(f => f.Row.Order);
        item.Further = new([.. all[1..]], ordering.Aggregate((order, other) => order.FilledFrom(other)));
    }

    private static int Compare(Item left, Item right)
    {
        var (first, second) = (left.Order, right.Order);
        var order = left.Section.CompareTo(right.Section);
        if (order == 0) order = second.Date.CompareTo(first.Date);
        if (order == 0) order = second.Time.CompareTo(first.Time);
        if (order == 0) order = left.First.Row.Study.CompareTo(right.First.Row.Study);
        if (order == 0) order = left.First.Row.Series.CompareTo(right.First.Row.Series);
        if (order == 0) order = first.Number.CompareTo(second.Number);
        return order != 0 ? order : left.First.Row.Uid.CompareTo(right.First.Row.Uid);
    }
}
