using System.Collections.Concurrent;
using System.Net;
using Proxy.Backends;
using Proxy.Dicom;

namespace Proxy.Search;

/// <summary>Asks one backend one search, to the end: page after page where it caps them, in the forms that it takes.</summary>
/// <remarks>
/// A page that is shorter than was asked for may be the last, or as long as the backend ever gives. Its Warning tells, or
/// what it did before, or else the next page: empty, and the list was whole; not, and the cap is known from then on.
/// </remarks>
public sealed class BackendSearch(BackendClient client, TimeProvider time)
{
    /// <summary>What is tried in turn when a backend refuses a <c>limit</c>: those that products set as their own maximum.</summary>
    private static readonly int[] SmallerLimits = [200, 100];

    /// <summary>A backend may cap its studies and its series differently.</summary>
    private readonly ConcurrentDictionary<(string Backend, SearchLevel Level), ObservedSearchLimits> _habits = new();

    /// <param name="backend">Whom to ask.</param>
    /// <param name="query">For what, from its first row on.</param>
    /// <param name="most">
    /// The most rows that are read; null for <see cref="SearchDepth.Most"/>, and then the backend is not told a limit.
    /// </param>
    /// <param name="deadline">The backend is given up on: what came until then stands.</param>
    /// <param name="cancellation">Nobody waits any more.</param>
    public async Task<SearchAnswer> AskAsync(
        BackendOptions backend, SearchQuery query, int? most, CancellationToken deadline, CancellationToken cancellation)
    {
        var takesRaw = GetLimits(backend.Name, query.Level).TakesCaretsRaw;
        var reading = new Reading(query with { SendsCaretsRaw = query.HasCarets && takesRaw == true }, most);
        var asked = time.GetUtcNow();
        await ReadAsync(reading, backend, deadline, cancellation);
        if (query.HasCarets) reading = await ReadOtherFormAsync(reading, backend, takesRaw, deadline, cancellation);
        return new(backend, [.. reading.Rows.Values], asked)
        {
            LeftOut = reading.LeftOut,
            AttributesLeftOut = reading.AttributesLeftOut,
            IsCut = reading.IsCut,
            IsUnlisted = reading.IsUnlisted,
            Failure = reading.Failure,
            Bytes = reading.Bytes,
        };
    }

    /// <summary>Whether the backend is asked for the series of several studies one by one.</summary>
    public bool SplitsStudies(string backend) => GetLimits(backend, SearchLevel.Series).SplitsStudies;

    public void NoteSplitsStudies(string backend) => Learn(backend, SearchLevel.Series, limits => limits with { SplitsStudies = true });

    /// <summary>Forgets a backend that is configured no more, or has moved.</summary>
    public void Forget(string backend)
    {
        foreach (var level in Enum.GetValues<SearchLevel>()) _habits.TryRemove((backend, level), out _);
    }

    /// <summary>What was read so far.</summary>
    private sealed class Reading(SearchQuery query, int? most)
    {
        public SearchQuery Query { get; } = query;

        public int? Most { get; } = most;

        public Dictionary<Uid, FoundRow> Rows { get; } = [];

        public PackedRows Packed { get; } = new();

        public int LeftOut { get; set; }

        public int AttributesLeftOut { get; set; }

        public bool IsCut { get; set; }

        public bool IsUnlisted { get; set; }

        public BackendFailure? Failure { get; set; }

        /// <summary>How many rows may still come, and one more to know whether there are more.</summary>
        public int? Wanted => Most + 1 - Rows.Count;

        /// <summary>Whether the backend said that nothing matches.</summary>
        public bool IsEmpty => Rows.Count == 0 && LeftOut == 0 && Failure is null && !IsUnlisted;

        /// <summary>Bytes of memory that the rows hold, nearly.</summary>
        public long Bytes => 512 + Packed.Bytes + PartsBytes + Rows.Count * FoundRow.OwnBytes;

        public long PartsBytes { get; set; }

        /// <summary>Whether the page has anything new; of a row that comes again the newer stands.</summary>
        public bool Add(AnswerPage page)
        {
            var before = Rows.Count;
            foreach (var row in page.Rows) Rows[row.Uid] = row;
            LeftOut += page.LeftOut;
            AttributesLeftOut += page.AttributesLeftOut;
            return Rows.Count > before;
        }
    }

    /// <summary>
    /// Some backends do not decode a query and so find no name by <c>DOE%5EJOHN</c>; some servers refuse the raw <c>^</c>. Where
    /// it is not known which one this is, and a name is not found, the other form is asked too.
    /// </summary>
    /// <returns>What stands: the first reading, or the other one.</returns>
    private async Task<Reading> ReadOtherFormAsync(
        Reading first, BackendOptions backend, bool? takesRaw, CancellationToken deadline, CancellationToken cancellation)
    {
        void Note(bool isRaw) => Learn(backend.Name, first.Query.Level, limits => limits with { TakesCaretsRaw = isRaw });

        var isRaw = first.Query.SendsCaretsRaw;
        var isRefused = isRaw && IsRefusal(first.Failure);
        if (first.Rows.Count > 0 && first.Failure is null) Note(isRaw);
        if (!isRefused && (takesRaw is not null || !first.IsEmpty)) return first;
        var other = new Reading(first.Query with { SendsCaretsRaw = !isRaw }, first.Most);
        await ReadAsync(other, backend, deadline, cancellation);
        if (isRefused || IsRefusal(other.Failure)) Note(isRaw: false);
        // Without an answer to both forms it is not known that nothing matches.
        if (isRefused || other.Failure is { Status: null }) return other;
        if (other.Failure is not null || other.Rows.Count == 0) return first;
        Note(!isRaw);
        return other;

        static bool IsRefusal(BackendFailure? failure) =>
            failure?.Status is >= HttpStatusCode.BadRequest and < HttpStatusCode.TooManyRequests;
    }

    private async Task ReadAsync(Reading reading, BackendOptions backend, CancellationToken deadline, CancellationToken cancellation)
    {
        var parts = reading.Query.SplitByModality();
        if (parts.Count > 0 && GetLimits(backend.Name, reading.Query.Level).SplitsModalities)
        {
            await ReadPartsAsync(reading, parts, backend, deadline, cancellation);
            return;
        }
        await ReadPagesAsync(reading, backend, takesSmaller: parts.Count == 0 && !reading.Query.SendsCaretsRaw, deadline, cancellation);
        if (reading.Failure?.Status != HttpStatusCode.BadRequest || parts.Count == 0) return;
        await ReadPartsAsync(reading, parts, backend, deadline, cancellation);
        if (reading.Failure is null) Learn(backend.Name, reading.Query.Level, limits => limits with { SplitsModalities = true });
    }

    /// <summary>One question a modality: a study that has several comes several times and counts once.</summary>
    private async Task ReadPartsAsync(
        Reading reading, IReadOnlyList<SearchQuery> parts, BackendOptions backend, CancellationToken deadline,
        CancellationToken cancellation)
    {
        var readings = parts.Select(part => new Reading(part, reading.Most)).ToList();
        await Task.WhenAll(
            readings.Select(part => ReadPagesAsync(part, backend, takesSmaller: !part.Query.SendsCaretsRaw, deadline, cancellation)));
        foreach (var (uid, row) in readings.SelectMany(part => part.Rows))
        {
            if (!reading.Rows.TryGetValue(uid, out var known) || row.Position < known.Position) reading.Rows[uid] = row;
        }
        reading.PartsBytes = readings.Sum(part => part.Packed.Bytes);
        reading.LeftOut = readings.Max(part => part.LeftOut);
        reading.AttributesLeftOut = readings.Max(part => part.AttributesLeftOut);
        reading.IsCut = readings.Any(part => part.IsCut);
        reading.Failure = readings.Select(part => part.Failure).FirstOrDefault(failure => failure is not null);
    }

    /// <param name="takesSmaller">
    /// Whether a refusal may mean that the limit is too large; else it is the list of modalities, or the raw <c>^</c>, that is doubted
    /// first.
    /// </param>
    private async Task ReadPagesAsync(
        Reading reading, BackendOptions backend, bool takesSmaller, CancellationToken deadline, CancellationToken cancellation)
    {
        int offset = 0, lastPage = 0;
        var isProbe = false;
        int? smaller = null;
        while (true)
        {
            var limit = Least(reading.Wanted, smaller ?? GetLimits(backend.Name, reading.Query.Level).MostPerPage);
            var (first, most) = (reading.Rows.Count, reading.Wanted ?? SearchDepth.Most + 1 - reading.Rows.Count);
            var answer = await client.AskAsync(
                backend, RequestFor(reading.Query, limit, offset),
                (response, stopped) => AnswerPage.ReadAsync(response, reading.Query, reading.Packed, first, most, stopped), deadline,
                cancellation);
            if (answer.Failure is { } failure)
            {
                if (takesSmaller && offset == 0 && failure.Status is HttpStatusCode.BadRequest or HttpStatusCode.RequestEntityTooLarge
                    && FindSmaller(limit) is { } less)
                {
                    smaller = less;
                    continue;
                }
                // Some refuse an offset behind their last row: that is an answer too.
                if (!isProbe || failure.Status is null) reading.Failure = failure;
                return;
            }
            reading.IsUnlisted = answer.IsMissing && offset == 0;
            if (smaller is not null) Learn(backend.Name, reading.Query.Level, limits => limits with { MostPerPage = smaller });
            var page = answer.IsFound ? answer.Value : new AnswerPage([], 0, 0, false);
            var hasMore = reading.Add(page);
            if (reading.Rows.Count > (reading.Most ?? SearchDepth.Most))
            {
                reading.IsCut = true;
                return;
            }
            // A backend that does not know offsets gives the same page again.
            if (!hasMore)
            {
                if (page.SaysMore && page.Count > 0)
                    reading.Failure = new(backend.Name, BackendError.BadAnswer, "it says that more results remain and does not give them");
                if (isProbe)
                    Learn(
                        backend.Name, reading.Query.Level,
                        limits => limits.WithWholePage(lastPage, reading.Query.CanonicalText, time.GetUtcNow()));
                return;
            }
            if (isProbe)
                Learn(backend.Name, reading.Query.Level, limits => limits with { PageCap = Math.Max(lastPage, limits.PageCap ?? 0) });

            var isFull = limit is { } asked && page.Count >= asked;
            isProbe = !isFull && !page.SaysMore;
            if (isProbe && GetLimits(backend.Name, reading.Query.Level).IsLast(page.Count, reading.Query.CanonicalText, time.GetUtcNow()))
                return;
            offset += page.Count;
            lastPage = page.Count;
        }
    }

    /// <summary>Only a study that the path names may be unknown: else a 404 says that the configured address is wrong.</summary>
    private static BackendRequest RequestFor(SearchQuery query, int? limit, int offset) =>
        new(query.ToRequest(limit, offset), MediaType.DicomJson)
        {
            IsMissing = status => query.Study is not null && status is HttpStatusCode.NotFound or HttpStatusCode.Gone,
        };

    private static int? Least(int? one, int? other) => one < other || other is null ? one : other;

    private static int? FindSmaller(int? limit) => SmallerLimits.Cast<int?>().FirstOrDefault(smaller => smaller < limit);

    private ObservedSearchLimits GetLimits(string backend, SearchLevel level) =>
        _habits.GetValueOrDefault((backend, level)) ?? ObservedSearchLimits.Unknown;

    private void Learn(string backend, SearchLevel level, Func<ObservedSearchLimits, ObservedSearchLimits> change) =>
        _habits.AddOrUpdate((backend, level), _ => change(ObservedSearchLimits.Unknown), (_, limits) => change(limits));
}
