using System.Collections.Concurrent;
using System.Net;
using Proxy.Backends.Queries;
using Proxy.Dicom;

namespace Proxy.Backends.DicomWeb;

/// <summary>Runs one search at one backend to its end: page by page when the backend caps its pages, in a form that it accepts.</summary>
/// <remarks>
/// A page shorter than its limit may be the last one, or as long as the backend's cap. The backend's Warning or its earlier answers
/// decide; otherwise the next page is requested: when it is empty the list was complete, when not the cap is known from then on.
/// </remarks>
public sealed class BackendSearch(BackendClient client, TimeProvider time)
{
    /// <summary>Tried in turn when a backend refuses a <c>limit</c>: the maximum values that common products configure.</summary>
    private static readonly int[] SmallerLimits = [200, 100];

    /// <summary>Per level, because a backend may cap its studies and its series differently.</summary>
    private readonly ConcurrentDictionary<(string Backend, SearchLevel Level), ObservedSearchLimits> _limits = new();

    private readonly SearchProber _prober = new(client);

    /// <summary>Searches one backend.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="query">The search; its page is ignored, rows are read from the first one on.</param>
    /// <param name="maxRows">
    /// The maximum number of rows to read; null for <see cref="SearchDepth.MaxRows"/>, and then no limit is sent to the backend.
    /// </param>
    /// <param name="deadline">Stops the requests; the rows received until then are returned.</param>
    /// <param name="cancellation">Cancelled when no client waits any more.</param>
    public async Task<SearchAnswer> AskAsync(
        BackendOptions backend, SearchQuery query, int? maxRows, CancellationToken deadline, CancellationToken cancellation)
    {
        var asked = time.GetUtcNow();
        var reading = await ReadAsync(query, maxRows, backend, deadline, cancellation);
        return new(backend, [.. reading.Rows.Values], asked)
        {
            LeftOut = reading.LeftOut,
            AttributesLeftOut = reading.AttributesLeftOut,
            IsCut = reading.IsCut,
            IsUnlisted = reading.IsUnlisted,
            IsMatchedHere = reading.IsWholeList,
            Notes = [.. GetNotes(backend.Name, query, reading)],
            Failure = reading.Failure,
            Bytes = reading.Bytes,
        };
    }

    /// <summary>Searches for all series of several studies in one request.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="studies">The studies.</param>
    /// <param name="deadline">Stops the request.</param>
    /// <param name="cancellation">Cancelled when no client waits any more.</param>
    /// <returns>Null when the backend refuses such a request, or ignores the studies in it.</returns>
    public async Task<SearchAnswer?> AskForSeriesAsync(
        BackendOptions backend, IReadOnlyCollection<Uid> studies, CancellationToken deadline, CancellationToken cancellation)
    {
        if (GetLimits(backend.Name, SearchLevel.Series).SplitsStudies) return null;
        var answer = await AskAsync(backend, SearchQuery.ForSeries(studies), maxRows: null, deadline, cancellation);
        // The backend is late or unreachable: that says nothing about the request.
        if (answer.Failure is { IsOutage: true } or { Error: BackendError.Busy or BackendError.Overloaded }) return answer;
        if (answer is { Failure: null, IsMatchedHere: false, Rows.Count: > 0 }) return answer;
        Learn(backend.Name, SearchLevel.Series, limits => limits with { SplitsStudies = true });
        return null;
    }

    /// <summary>Discards the observations about a backend that was removed or whose address changed.</summary>
    public void Forget(string backend)
    {
        foreach (var level in Enum.GetValues<SearchLevel>()) _limits.TryRemove((backend, level), out _);
    }

    /// <summary>Discards which searches are known to have no row behind their last page: there may be one after a change.</summary>
    public void ForgetLengths(string backend)
    {
        foreach (var key in _limits.Keys.Where(key => key.Backend == backend))
            Learn(backend, key.Level, static limits => limits.WithoutWholePage());
    }

    private static IEnumerable<string> GetNotes(string backend, SearchQuery query, AnswerReading reading)
    {
        foreach (var name in reading.Absent) yield return $"{backend} does not list {name}, so none of its results can match";
        if (query.Matches.ContainsKey(SearchQuery.TimezoneOffset) && !reading.Query.Matches.ContainsKey(SearchQuery.TimezoneOffset))
            yield return $"{backend} does not support TimezoneOffsetFromUTC: it matched dates and times as they are stored";
        if (reading.IsWholeList || reading.Rows.Count == 0) yield break;
        foreach (var (path, (name, _)) in query.Matches.Where(match => match.Key.Contains('.', StringComparison.Ordinal)))
        {
            if (Tag.TryParse(path.AsSpan(0, 8), out var sequence) && !reading.Rows.Values.Take(100).Any(row => row.Read().Has(sequence)))
                yield return $"{backend} may have ignored {name}: none of its results shows it";
        }
    }

    /// <summary>Reads a search in the form that the backend is known to accept, and in another form when the answer asks for it.</summary>
    private async Task<AnswerReading> ReadAsync(
        SearchQuery query, int? maxRows, BackendOptions backend, CancellationToken deadline, CancellationToken cancellation)
    {
        if (!query.Matches.IsEmpty && GetLimits(backend.Name, query.Level).IgnoresMatches == true)
            return await ReadWholeListAsync(query, maxRows, backend, deadline, cancellation);
        if (GetLimits(backend.Name, query.Level).MatchesOffset) query = query.Without(SearchQuery.TimezoneOffset);
        var reading = await ReadFormsAsync(query, maxRows, backend, deadline, cancellation);
        if (reading.IsSuspect && GetLimits(backend.Name, query.Level).IgnoresMatches is null)
        {
            var ignores = await _prober.IgnoresMatchesAsync(query, backend, deadline, cancellation);
            Learn(backend.Name, query.Level, limits => limits with { IgnoresMatches = ignores });
            if (ignores == true) return await ReadWholeListAsync(query, maxRows, backend, deadline, cancellation);
        }
        if (query.HasEscapes && reading.IsEmpty && GetLimits(backend.Name, query.Level).Decodes is null)
        {
            var decodes = await _prober.DecodesAsync(backend, deadline, cancellation);
            Learn(backend.Name, query.Level, limits => limits with { Decodes = decodes });
            if (decodes == false) reading = await ReadFormsAsync(query, maxRows, backend, deadline, cancellation);
        }
        if (!query.Matches.ContainsKey(SearchQuery.TimezoneOffset) || !reading.IsEmpty) return reading;
        // Orthanc takes the offset for a key, which no study has.
        var other = await ReadFormsAsync(query.Without(SearchQuery.TimezoneOffset), maxRows, backend, deadline, cancellation);
        if (other.Rows.Count == 0 || other.Failure is not null) return reading;
        Learn(backend.Name, query.Level, limits => limits with { MatchesOffset = true });
        return other;
    }

    private async Task<AnswerReading> ReadFormsAsync(
        SearchQuery query, int? maxRows, BackendOptions backend, CancellationToken deadline, CancellationToken cancellation)
    {
        var limits = GetLimits(backend.Name, query.Level);
        var takesRaw = limits.AcceptsRawCarets;
        RowMatcher? matcher = null;
        if (!query.Matches.IsEmpty) (query, matcher) = RowMatcher.Split(query, isLiteral: limits.Decodes == false);
        var reading = new AnswerReading(query with { SendsCaretsRaw = query.HasCarets && takesRaw == true }, maxRows)
        {
            Filter = matcher,
            Check = query.Matches.IsEmpty || query.IsFuzzy || limits.IgnoresMatches is not null ? null : new(query),
        };
        await ReadAsync(reading, backend, deadline, cancellation);
        return query.HasCarets ? await ReadOtherFormAsync(reading, backend, takesRaw, deadline, cancellation) : reading;
    }

    /// <summary>Reads the whole list of a server that ignores searches, and matches its rows here.</summary>
    private async Task<AnswerReading> ReadWholeListAsync(
        SearchQuery query, int? maxRows, BackendOptions backend, CancellationToken deadline, CancellationToken cancellation)
    {
        var reading = new AnswerReading(query, maxRows) { Filter = new(query), IsWholeList = true };
        await ReadPagesAsync(reading, backend, takesSmaller: false, deadline, cancellation);
        return reading;
    }

    /// <summary>
    /// Some backends do not decode a query and find no name for <c>DOE%5EJOHN</c>; some servers refuse a raw <c>^</c>. As long as the
    /// backend's form is not known and a name is not found, the other form is tried too.
    /// </summary>
    /// <returns>The reading to use: the first or the other.</returns>
    private async Task<AnswerReading> ReadOtherFormAsync(
        AnswerReading first, BackendOptions backend, bool? takesRaw, CancellationToken deadline, CancellationToken cancellation)
    {
        void Note(bool isRaw) => Learn(backend.Name, first.Query.Level, limits => limits with { AcceptsRawCarets = isRaw });

        var isRaw = first.Query.SendsCaretsRaw;
        var isRefused = isRaw && IsRefusal(first.Failure);
        if (first.Rows.Count > 0 && first.Failure is null) Note(isRaw);
        if (!isRefused && (takesRaw is not null || !first.IsEmpty)) return first;
        var other = new AnswerReading(first.Query with { SendsCaretsRaw = !isRaw }, first.MaxRows)
        {
            Filter = first.Filter,
            Check = first.Check,
        };
        await ReadAsync(other, backend, deadline, cancellation);
        if (isRefused || IsRefusal(other.Failure)) Note(isRaw: false);
        // Only answers to both forms prove that nothing matches.
        if (isRefused || other.Failure is { Status: ErrorStatus.None }) return other;
        if (other.Failure is not null || other.Rows.Count == 0) return first;
        Note(!isRaw);
        return other;

        static bool IsRefusal(BackendFailure? failure) =>
            failure?.Status is not (null or ErrorStatus.None or ErrorStatus.Other or ErrorStatus.ServerError or ErrorStatus.NotImplemented
                or ErrorStatus.Unavailable);
    }

    private async Task ReadAsync(AnswerReading reading, BackendOptions backend, CancellationToken deadline, CancellationToken cancellation)
    {
        var parts = reading.Query.SplitByModality();
        if (parts.Count > 0 && GetLimits(backend.Name, reading.Query.Level).SplitsModalities)
        {
            await ReadPartsAsync(reading, parts, backend, deadline, cancellation);
            return;
        }
        await ReadPagesAsync(reading, backend, takesSmaller: parts.Count == 0 && !reading.Query.SendsCaretsRaw, deadline, cancellation);
        if (reading.Failure?.Status != ErrorStatus.BadRequest || parts.Count == 0) return;
        await ReadPartsAsync(reading, parts, backend, deadline, cancellation);
        if (reading.Failure is null) Learn(backend.Name, reading.Query.Level, limits => limits with { SplitsModalities = true });
    }

    /// <summary>Sends one search per modality; a study with several modalities is found several times and counted once.</summary>
    private async Task ReadPartsAsync(
        AnswerReading reading, IReadOnlyList<SearchQuery> parts, BackendOptions backend, CancellationToken deadline,
        CancellationToken cancellation)
    {
        var readings = parts.Select(part => new AnswerReading(part, reading.MaxRows) { Filter = reading.Filter }).ToList();
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

    /// <summary>Reads page by page, from the first row on.</summary>
    /// <param name="reading">Receives the rows.</param>
    /// <param name="backend">The backend.</param>
    /// <param name="takesSmaller">
    /// True when a refusal may mean that the limit is too large; false when the list of modalities or the raw <c>^</c> is the likelier
    /// cause.
    /// </param>
    /// <param name="deadline">Stops the requests.</param>
    /// <param name="cancellation">Cancelled when no client waits any more.</param>
    private async Task ReadPagesAsync(
        AnswerReading reading, BackendOptions backend, bool takesSmaller, CancellationToken deadline, CancellationToken cancellation)
    {
        int offset = 0, lastPage = 0;
        var isProbe = false;
        int? smaller = null;
        while (true)
        {
            var limit = Min(reading.Wanted, smaller ?? GetLimits(backend.Name, reading.Query.Level).MaxPerPage);
            var answer = await client.AskAsync(
                backend, CreateRequest(reading.Query, limit, offset),
                (response, stopped) => AnswerPage.ReadAsync(response, reading, stopped), deadline, cancellation);
            if (answer.Failure is { } failure)
            {
                if (takesSmaller && offset == 0 && failure.Status is ErrorStatus.BadRequest or ErrorStatus.TooLarge
                    && FindSmaller(limit) is { } less)
                {
                    smaller = less;
                    continue;
                }
                // Some backends refuse an offset behind their last row: that also means that there are no more rows.
                if (!isProbe || failure.Status == ErrorStatus.None) reading.Failure = failure;
                return;
            }
            reading.IsUnlisted = answer.IsMissing && offset == 0;
            if (smaller is not null) Learn(backend.Name, reading.Query.Level, limits => limits with { MaxPerPage = smaller });
            var page = answer.IsFound ? answer.Value : new AnswerPage([], 0, 0, false);
            var hasMore = reading.Add(page);
            reading.IsCut = reading.Rows.Count > (reading.MaxRows ?? SearchDepth.MaxRows)
                || reading.IsWholeList && page.Count > SearchDepth.MaxRows;
            if (reading.IsCut || reading.IsWholeList) return;
            // A backend that ignores the offset returns the same page again.
            if (!hasMore)
            {
                if (page.SaysMore && page.Count > 0)
                    reading.Failure = new(backend.Name, BackendError.BadAnswer, "it announces more results and does not return them");
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

    /// <summary>Only a study in the path may be unknown; any other 404 means that the configured address is wrong.</summary>
    private static BackendRequest CreateRequest(SearchQuery query, int? limit, int offset) =>
        new(query.ToRequest(limit, offset), MediaType.DicomJson)
        {
            Target = query.Study is { } study ? new(study) : null,
            IsMissing = status => query.Study is not null && status is HttpStatusCode.NotFound or HttpStatusCode.Gone,
        };

    private static int? Min(int? left, int? right) => left < right || right is null ? left : right;

    private static int? FindSmaller(int? limit) => SmallerLimits.Cast<int?>().FirstOrDefault(smaller => smaller < limit);

    private ObservedSearchLimits GetLimits(string backend, SearchLevel level) =>
        _limits.GetValueOrDefault((backend, level)) ?? ObservedSearchLimits.Unknown;

    private void Learn(string backend, SearchLevel level, Func<ObservedSearchLimits, ObservedSearchLimits> change) =>
        _limits.AddOrUpdate((backend, level), _ => change(ObservedSearchLimits.Unknown), (_, limits) => change(limits));
}
