using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Proxy.Dicom;

namespace Proxy.Backends.Queries;

/// <summary>
/// Decides whether rows match a search (PS3.4 §C.2.2.2), where no backend does: for rows of the store, and for servers that ignore
/// the query.
/// </summary>
/// <remarks>
/// All keys must match. Keys inside the same sequence must match in the same item (§C.2.2.2.6). Ranges of a date and of its time are
/// one range (§C.2.2.2.5.1; PS3.18 §8.3.4.1.1).
/// </remarks>
public sealed class RowMatcher
{
    /// <summary>The key that asks for attributes without a value, with <c>emptyvaluematching=true</c> (PS3.4 §C.2.2.2.7).</summary>
    private const string EmptyKey = "\"\"";

    private static readonly JsonDocumentOptions JsonOptions = new() { MaxDepth = Dataset.ReaderOptions.MaxDepth };

    /// <summary>Dates and the times that belong to them.</summary>
    private static readonly ImmutableArray<(string Date, string Time)> Pairs =
    [
        ("00080020", "00080030"), ("00080021", "00080031"), ("00080022", "00080032"), ("00080023", "00080033"), ("00080012", "00080013"),
        ("00100030", "00100032"), ("00400244", "00400245"), ("00400250", "00400251"),
    ];

    private readonly ImmutableArray<Key> _keys;
    private readonly ImmutableArray<Pair> _pairs;
    private readonly bool _matchesEmpty;
    private readonly bool _matchesMultiple;

    /// <summary>Creates a matcher of all keys of a search.</summary>
    public RowMatcher(SearchQuery query)
    {
        _pairs = FindPairs(query);
        // The offset says in which time zone the client writes dates; it is no key (PS3.18 §8.3.4.1).
        var keys = query.Matches.Where(match => match.Key != SearchQuery.TimezoneOffset && !_pairs.Any(
            pair => pair.Date.ToString() == match.Key || pair.Time.ToString() == match.Key));
        _keys = CreateKeys(keys.Select(match => (match.Key.Split('.'), match.Value.Name, match.Value.Value)));
        (_matchesEmpty, _matchesMultiple) = (query.MatchesEmptyValues, query.MatchesMultipleValues);
    }

    /// <summary>
    /// Divides a search into what a backend matches and what is matched here: dates with times that form one range, which backends match
    /// one by one, and values that the backend cannot read.
    /// </summary>
    /// <param name="query">The search.</param>
    /// <param name="isLiteral">
    /// True for a backend that does not decode a query: it gets an asterisk in place of characters that must be escaped.
    /// </param>
    /// <returns>The search to send, and the matcher of the rest; null when the backend matches everything.</returns>
    public static (SearchQuery Sent, RowMatcher? Here) Split(SearchQuery query, bool isLiteral)
    {
        var pairs = FindPairs(query);
        var unread = isLiteral
            ? query.Matches.Where(match => match.Key != SearchQuery.TimezoneOffset && match.Value.Value.Any(SearchQuery.IsEscaped)).ToList()
            : [];
        if (pairs.IsEmpty && unread.Count == 0) return (query, null);
        var times = pairs.Select(pair => pair.Time.ToString());
        var here = pairs.Select(pair => pair.Date.ToString()).Concat(times).Concat(unread.Select(match => match.Key)).ToHashSet();
        var sent = query with
        {
            Matches = query.Matches.RemoveRange(times.Concat(unread.Select(match => match.Key))).AddRange(
                from match in unread
                let wider = Widen(match.Value.Value)
                where wider is not null
                select KeyValuePair.Create(match.Key, (match.Value.Name, wider))),
            // The rows must show what is matched here.
            IncludeFields = query.IncludeFields.Union(unread.Select(match => match.Key.Split('.')[0])),
        };
        return (sent, new(query with { Matches = query.Matches.RemoveRange(query.Matches.Keys.Where(path => !here.Contains(path))) }));
    }

    /// <summary>
    /// The value with an asterisk for each run of characters that must be escaped; null when nothing else is left. Component groups of
    /// names are cut off, because backends store them as one text.
    /// </summary>
    private static string? Widen(string value)
    {
        var wider = new StringBuilder();
        foreach (var c in value.AsSpan(0, value.IndexOf('=', StringComparison.Ordinal) is >= 0 and var at ? at : value.Length))
        {
            if (!SearchQuery.IsEscaped(c)) wider.Append(c);
            else if (wider.Length == 0 || wider[^1] != '*') wider.Append('*');
        }
        if (value.Contains('=', StringComparison.Ordinal)) wider.Append('*');
        return wider.ToString() is var text && text.Trim('*', '?', '^').Length > 0 ? text : null;
    }

    /// <summary>True when a row matches every key.</summary>
    /// <param name="rows">The row, then the rows of its series and study: the first that has an attribute decides.</param>
    public bool Matches(params ReadOnlySpan<Dataset> rows)
    {
        foreach (var key in _keys)
        {
            if (!(Judge(Find(rows, key.Tag), key) ?? IsEmptyKey(key))) return false;
        }
        foreach (var pair in _pairs)
        {
            if (Judge(Find(rows, pair.Date), Find(rows, pair.Time), pair) != true) return false;
        }
        return true;
    }

    /// <summary>True when a row has an attribute that does not match; an absent attribute says nothing.</summary>
    public bool Contradicts(Dataset row)
    {
        foreach (var key in _keys)
        {
            if (key.Inner.IsEmpty && Judge(Find([row], key.Tag), key) == false) return true;
        }
        foreach (var pair in _pairs)
        {
            if (Judge(Find([row], pair.Date), Find([row], pair.Time), pair) == false) return true;
        }
        return false;
    }

    /// <summary>The names of the keys whose attribute a row lacks, as the client wrote them.</summary>
    public IEnumerable<string> FindAbsent(Dataset row) =>
        _keys.Where(key => !row.Has(key.Tag) && !IsEmptyKey(key)).Select(key => key.Name);

    private static ImmutableArray<Pair> FindPairs(SearchQuery query) =>
    [
        .. from pair in Pairs
           where query.Matches.ContainsKey(pair.Date) && query.Matches.ContainsKey(pair.Time)
           let range = TemporalRange.FindCombined(query.Matches[pair.Date].Value, query.Matches[pair.Time].Value)
           where range is not null
           select new Pair(ReadTag(pair.Date), ReadTag(pair.Time), range.Value),
    ];

    private static Tag ReadTag(string text) => Tag.TryParse(text, out var tag) ? tag : default;

    private static ImmutableArray<Key> CreateKeys(IEnumerable<(string[] Path, string Name, string Value)> matches) =>
    [
        .. from match in matches
           group match by match.Path[0] into same
           let inner = same.Where(m => m.Path.Length > 1).Select(m => (m.Path[1..], m.Name, m.Value))
           let own = same.FirstOrDefault(m => m.Path.Length == 1)
           select new Key(ReadTag(same.Key), same.First().Name, own.Value ?? "*", CreateKeys(inner)),
    ];

    private static ReadOnlyMemory<byte> Find(ReadOnlySpan<Dataset> rows, Tag tag)
    {
        foreach (var row in rows)
        {
            foreach (var attribute in row.Attributes)
            {
                if (attribute.Tag == tag) return row.Json[attribute.Start..attribute.End];
            }
        }
        return default;
    }

    private bool IsEmptyKey(Key key) => _matchesEmpty && key is { Value: EmptyKey, Inner.IsEmpty: true };

    private bool? Judge(ReadOnlyMemory<byte> attribute, Key key)
    {
        if (attribute.IsEmpty) return null;
        using var json = JsonDocument.Parse(attribute, JsonOptions);
        return Judge(json.RootElement, key);
    }

    private bool Judge(JsonElement attribute, Key key)
    {
        if (!key.Inner.IsEmpty)
            return ValueMatcher.ReadValues(attribute).Any(item => item.ValueKind == JsonValueKind.Object && key.Inner.All(
                inner => item.TryGetProperty(inner.Tag.ToString(), out var value) ? Judge(value, inner) : IsEmptyKey(inner)));
        return IsEmptyKey(key) ? ValueMatcher.IsEmpty(attribute) : ValueMatcher.Matches(attribute, key.Value, _matchesMultiple);
    }

    private static bool? Judge(ReadOnlyMemory<byte> date, ReadOnlyMemory<byte> time, Pair pair)
    {
        if (date.IsEmpty) return null;
        return pair.Range.HasDateAndTime(ReadFirst(date), ReadFirst(time));

        static string ReadFirst(ReadOnlyMemory<byte> attribute)
        {
            if (attribute.IsEmpty) return "";
            using var json = JsonDocument.Parse(attribute, JsonOptions);
            return ValueMatcher.ReadFirst(json.RootElement);
        }
    }

    /// <summary>One attribute to match; with inner keys a sequence.</summary>
    private sealed record Key(Tag Tag, string Name, string Value, ImmutableArray<Key> Inner);

    private sealed record Pair(Tag Date, Tag Time, TemporalRange Range);
}
