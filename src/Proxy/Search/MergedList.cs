using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Metadata;

namespace Proxy.Search;

/// <summary>
/// What several backends found, as one list: by UID, in the order that pages are cut from. A row is made when a page needs it.
/// </summary>
public sealed class MergedList
{
    private readonly SearchLevel _level;
    private readonly Item[] _items;

    private MergedList(SearchLevel level, Item[] items, int count) => (_level, _items, Count) = (level, items, count);

    /// <summary>One row and who found it.</summary>
    private readonly record struct Found(BackendOptions Backend, FoundRow Row);

    /// <summary>One thing: who found it first by preference, and what there is when others found it too.</summary>
    private struct Item
    {
        public Found First;
        public Further? Further;

        /// <summary>The earliest section that a backend lists it in.</summary>
        public int Section;

        public readonly RowOrder Order => Further?.Order ?? First.Row.Order;
    }

    /// <summary>Who else found it, and what all of them together are ordered by.</summary>
    private sealed record Further(ImmutableArray<Found> Others, RowOrder Order);

    public int Count { get; }

    /// <param name="query">What was searched for.</param>
    /// <param name="answers">What each backend said.</param>
    /// <param name="store">Knows the backend that a series belongs to, whichever rows of it match.</param>
    /// <param name="maxResults">Rows of the first section (<see cref="SearchDepth"/>); all rows are in it by default.</param>
    public static MergedList Merge(
        SearchQuery query, IReadOnlyCollection<SearchAnswer> answers, DicomMetadataStore store, int maxResults = int.MaxValue)
    {
        var found = answers.SelectMany(a => a.Rows.Select(row => new Found(a.Backend, row)));
        if (query.Level == SearchLevel.Instances) found = OwnersOnly(found, store);
        var items = new Item[answers.Sum(a => a.Rows.Count)];
        var places = new Dictionary<(Uid, Uid), int>(items.Length);
        foreach (var one in found)
        {
            ref var place = ref CollectionsMarshal.GetValueRefOrAddDefault(places, (one.Row.Uid, one.Row.Series), out var isKnown);
            var section = SearchDepth.GetSection(one.Row.Position, maxResults);
            if (!isKnown) items[place = places.Count - 1] = new() { First = one, Section = section };
            else Add(ref items[place], one, section, maxResults);
        }
        items.AsSpan(0, places.Count).Sort(Compare);
        return new(query.Level, items, places.Count);
    }

    /// <summary>The rows of one page, merged.</summary>
    public ImmutableArray<MergedRow> Read(int offset, int? limit)
    {
        var from = Math.Min(offset, Count);
        var rows = ImmutableArray.CreateBuilder<MergedRow>();
        foreach (ref readonly var item in _items.AsSpan(from, Math.Min(limit ?? int.MaxValue, Count - from))) rows.Add(Read(in item));
        return rows.DrainToImmutable();
    }

    private MergedRow Read(in Item item)
    {
        var first = item.First;
        ImmutableArray<SourceRow> sources = [
            new(first.Backend.Name, first.Row.Read()),
            .. item.Further?.Others.Select(o => new SourceRow(o.Backend.Name, o.Row.Read())) ?? []];
        return MergedRow.Merge(first.Row.Uid, sources, _level switch
        {
            SearchLevel.Studies => new StudyPath(first.Row.Uid).ToString(),
            SearchLevel.Series => new SeriesPath(first.Row.Study, first.Row.Uid).ToString(),
            _ => new InstancePath(first.Row.Study, first.Row.Series, first.Row.Uid).ToString(),
        });
    }

    /// <summary>A series belongs to one backend: only its owner's instances can be retrieved, and only they are listed.</summary>
    private static IEnumerable<Found> OwnersOnly(IEnumerable<Found> found, DicomMetadataStore store) =>
        from one in found
        group one by new SeriesPath(one.Row.Study, one.Row.Series) into series
        let owner = series.GroupBy(f => f.Backend).OrderByDescending(b => GetCount(b.Key.Name, series.Key, b.Count(), store))
            .ThenBy(b => b.Key.Preference).ThenBy(b => b.Key.Name, StringComparer.Ordinal).First()
        from one in owner
        select one;

    /// <summary>
    /// How many instances a backend has of a series: as its list says, for a search may have found but some; else as it gave.
    /// </summary>
    private static int GetCount(string backend, SeriesPath path, int found, DicomMetadataStore store) =>
        store.GetStudy(path.Study) is not { } study ? found
        : study.Owners.GetValueOrDefault(path.Series) == backend ? int.MaxValue
        : Math.Max(found, study.GetList(backend).FindSeries(path.Series)?.Count ?? 0);

    /// <summary>One more who found it; first is who is preferred, of a series who has more of it.</summary>
    private static void Add(ref Item item, Found one, int section, int maxResults)
    {
        Found[] all = [item.First, .. item.Further?.Others ?? [], one];
        Array.Sort(all, static (a, b) =>
        {
            var order = b.Row.Count.CompareTo(a.Row.Count);
            if (order == 0) order = a.Backend.Preference.CompareTo(b.Backend.Preference);
            return order != 0 ? order : string.CompareOrdinal(a.Backend.Name, b.Backend.Name);
        });
        item.Section = section = Math.Min(item.Section, section);
        item.First = all[0];
        // What a later section adds must not move it: pages before that section was read had it at its place.
        var ordering = all.Where(f => SearchDepth.GetSection(f.Row.Position, maxResults) == section).Select(f => f.Row.Order);
        item.Further = new([.. all[1..]], ordering.Aggregate((order, other) => order.FilledFrom(other)));
    }

    private static int Compare(Item left, Item right)
    {
        var (one, other) = (left.Order, right.Order);
        var order = left.Section.CompareTo(right.Section);
        if (order == 0) order = other.Date.CompareTo(one.Date);
        if (order == 0) order = other.Time.CompareTo(one.Time);
        if (order == 0) order = left.First.Row.Study.CompareTo(right.First.Row.Study);
        if (order == 0) order = left.First.Row.Series.CompareTo(right.First.Row.Series);
        if (order == 0) order = one.Number.CompareTo(other.Number);
        return order != 0 ? order : left.First.Row.Uid.CompareTo(right.First.Row.Uid);
    }
}
