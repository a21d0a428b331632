using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Store;

namespace Proxy.Search;

/// <summary>What several backends found, as one list: by UID, in the order that pages are cut from. A row is made when a page needs it.</summary>
public sealed class MergedList
{
    private readonly SearchLevel _level;
    private readonly Item[] _items;

    private MergedList(SearchLevel level, Item[] items) => (_level, _items) = (level, items);

    /// <summary>One row and who found it.</summary>
    private readonly record struct Found(BackendOptions Backend, FoundRow Row);

    /// <summary>One thing: who found it first by preference, and the others.</summary>
    private struct Item
    {
        public RowOrder Order;
        public Found First;
        public Found[]? Others;
    }

    public int Count => _items.Length;

    /// <param name="query">What was searched for.</param>
    /// <param name="answers">What each backend said.</param>
    /// <param name="store">Knows the backend that a series belongs to, whichever rows of it match.</param>
    public static MergedList Merge(SearchQuery query, IReadOnlyCollection<SearchAnswer> answers, DicomMetadataStore store)
    {
        var found = answers.SelectMany(a => a.Rows.Select(row => new Found(a.Backend, row)));
        if (query.Level == SearchLevel.Instances) found = OwnersOnly(found, store);
        var items = new List<Item>(answers.Sum(a => a.Rows.Count));
        var places = new Dictionary<(Uid, Uid), int>(items.Capacity);
        foreach (var one in found)
        {
            ref var place = ref CollectionsMarshal.GetValueRefOrAddDefault(places, (one.Row.Uid, one.Row.Series), out var isKnown);
            if (!isKnown)
            {
                place = items.Count;
                items.Add(new() { First = one, Order = one.Row.Order });
                continue;
            }
            ref var item = ref CollectionsMarshal.AsSpan(items)[place];
            item.Others = [.. item.Others ?? [], one];
        }
        foreach (ref var item in CollectionsMarshal.AsSpan(items)) SetFirst(ref item);
        var sorted = items.ToArray();
        Array.Sort(sorted, Compare);
        return new(query.Level, sorted);
    }

    /// <summary>The rows of one page, merged.</summary>
    public ImmutableArray<MergedRow> Read(int offset, int? limit)
    {
        var from = Math.Min(offset, _items.Length);
        var rows = ImmutableArray.CreateBuilder<MergedRow>();
        foreach (ref readonly var item in _items.AsSpan(from, Math.Min(limit ?? int.MaxValue, _items.Length - from))) rows.Add(Read(in item));
        return rows.DrainToImmutable();
    }

    private MergedRow Read(in Item item)
    {
        var first = item.First;
        ImmutableArray<SourceRow> sources = [new(first.Backend.Name, first.Row.Read()), .. item.Others?.Select(o => new SourceRow(o.Backend.Name, o.Row.Read())) ?? []];
        return MergedRow.Merge(first.Row.Uid, sources).With(Tag.RetrieveUrl, MergedRow.RetrieveUrl(_level switch
        {
            SearchLevel.Studies => new StudyPath(first.Row.Uid).ToString(),
            SearchLevel.Series => new SeriesPath(first.Row.Study, first.Row.Uid).ToString(),
            _ => new InstancePath(first.Row.Study, first.Row.Series, first.Row.Uid).ToString(),
        }));
    }

    /// <summary>A series belongs to one backend: only its owner's instances can be retrieved, and only they are listed.</summary>
    private static IEnumerable<Found> OwnersOnly(IEnumerable<Found> found, DicomMetadataStore store) =>
        from one in found
        group one by new SeriesPath(one.Row.Study, one.Row.Series) into series
        let owner = series.GroupBy(f => f.Backend).OrderByDescending(b => CountOf(b.Key.Name, series.Key, b.Count(), store)).ThenBy(b => b.Key.Preference).ThenBy(b => b.Key.Name, StringComparer.Ordinal).First()
        from one in owner
        select one;

    /// <summary>How many instances a backend has of a series: as its list says, for a search may have found but some; else as it gave.</summary>
    private static int CountOf(string backend, SeriesPath path, int found, DicomMetadataStore store) =>
        store.GetStudy(path.Study) is not { } study ? found
        : study.Owners.GetValueOrDefault(path.Series) == backend ? int.MaxValue
        : Math.Max(found, study.ListOf(backend).FindSeries(path.Series)?.Count ?? 0);

    /// <summary>Puts who is preferred first: for a series who has more of it.</summary>
    private static void SetFirst(ref Item item)
    {
        if (item.Others is null) return;
        Found[] all = [item.First, .. item.Others];
        Array.Sort(all, static (a, b) =>
        {
            var order = b.Row.Count.CompareTo(a.Row.Count);
            if (order == 0) order = a.Backend.Preference.CompareTo(b.Backend.Preference);
            return order != 0 ? order : string.CompareOrdinal(a.Backend.Name, b.Backend.Name);
        });
        (item.First, item.Others) = (all[0], all[1..]);
        item.Order = all.Select(f => f.Row.Order).Aggregate((order, other) => order.FilledFrom(other));
    }

    private static int Compare(Item left, Item right)
    {
        var order = right.Order.Date.CompareTo(left.Order.Date);
        if (order == 0) order = right.Order.Time.CompareTo(left.Order.Time);
        if (order == 0) order = left.First.Row.Study.CompareTo(right.First.Row.Study);
        if (order == 0) order = left.First.Row.Series.CompareTo(right.First.Row.Series);
        if (order == 0) order = left.Order.Number.CompareTo(right.Order.Number);
        return order != 0 ? order : left.First.Row.Uid.CompareTo(right.First.Row.Uid);
    }
}
