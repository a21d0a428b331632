using System.Collections.Immutable;
using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Search;

/// <summary>Cuts pages from results, completes their studies, and files the studies that a viewer is shown.</summary>
public sealed class SearchPages(
    BackendSet backends, HierarchicalSearch levels, StudyCounts counts, ConflictNotes conflicts, DicomMetadataStore store,
    Reloadable<SearchOptions> options, TimeProvider time)
{
    /// <summary>After a backend has used up the deadline, the others still have this time to count their studies.</summary>
    private static readonly TimeSpan MinCountTime = TimeSpan.FromMilliseconds(500);

    /// <summary>Reads a page of a result.</summary>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="query">The search and its page.</param>
    /// <param name="result">The result of the search.</param>
    /// <param name="bypassCache">Ask the backends even when a cached result is fresh.</param>
    /// <param name="started">The time at which the client's request arrived, when the search's deadline began.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public async Task<SearchPage> ReadAsync(
        Access access, SearchQuery query, SearchResult result, bool bypassCache, long started, CancellationToken cancellation)
    {
        var page = result.Rows.Read(query.Offset, SearchDepth.FindLimit(query, options.Value.MaxResults));
        if (query.Level != SearchLevel.Studies) return new(page, []);
        var left = options.Value.Deadline - time.GetElapsedTime(started);
        if (left < MinCountTime) left = MinCountTime;
        using var deadline = new CancellationTokenSource(left, time);
        IReadOnlyList<string> silent = [];
        if (query.MatchesParts) (page, silent) = await AddOtherPartsAsync(access, query, result, page, bypassCache, left, cancellation);
        using var leases = new LeasedStudies(store);
        await leases.AddAsync(page.Select(row => row.Uid), cancellation);
        NoteListed(access, query, result, page);
        foreach (var row in page.Where(row => row.Sources.Length > 1)) conflicts.Report(row);
        (page, var lacking) = await counts.CountAsync(access, page, deadline.Token, cancellation);
        return new(page, [.. lacking.Union(silent)]);
    }

    /// <summary>
    /// Adds the other backends' parts of a page's studies. Their parts may have no series of the requested modality, but they belong
    /// to the same studies.
    /// </summary>
    private async Task<(ImmutableArray<MergedRow> Page, IReadOnlyList<string> Silent)> AddOtherPartsAsync(
        Access access, SearchQuery query, SearchResult result, ImmutableArray<MergedRow> page, bool bypassCache, TimeSpan deadline,
        CancellationToken cancellation)
    {
        var asking = from backend in access.Backends
                     where result.Failures.All(f => f.Backend != backend.Name)
                     let unknown = page.Where(row => row.Sources.All(s => s.Backend != backend.Name)).Select(row => row.Uid).ToList()
                     from studies in unknown.Chunk(StudyCounts.StudiesPerRequest)
                     let wanted = query.OnlyStudies(studies)
                     select levels.AskAsync(
                         access, backend, wanted, SearchDepth.Create(wanted, options.Value.MaxResults), bypassCache, deadline,
                         cancellation);
        var others = await Task.WhenAll(asking);
        var parts = others.SelectMany(answer => answer.Rows, (answer, row) => (answer.Backend.Name, Row: row))
            .ToLookup(part => part.Row.Uid);
        var silent = others.Where(answer => answer.Failure is not null).Select(answer => answer.Backend.Name).Distinct();
        return ([.. page.Select(WithParts)], [.. silent]);

        MergedRow WithParts(MergedRow row)
        {
            if (!parts.Contains(row.Uid)) return row;
            var sources = row.Sources.Concat(parts[row.Uid].Select(part => new SourceRow(part.Name, part.Row.Read())));
            return MergedRow.Merge(
                row.Uid, [.. sources.OrderBy(s => backends.GetPreference(s.Backend)).ThenBy(s => s.Backend, StringComparer.Ordinal)],
                new StudyPath(row.Uid).ToString());
        }
    }

    /// <summary>
    /// Files the studies on the page, because the viewer opens one of them next. Filing a list of thousands would evict the studies
    /// on screen.
    /// </summary>
    private void NoteListed(Access access, SearchQuery query, SearchResult result, ImmutableArray<MergedRow> page)
    {
        if (result.Status == CacheStatus.Stale || result.IsOutdated) return;
        // The settings may have changed since the backends were asked.
        var known = access.Backends.Where(backends.Has).Select(b => b.Name).ToHashSet();
        foreach (var (backend, row) in page.SelectMany(row => row.Sources))
        {
            if (known.Contains(backend)) store.AddStudy(backend, row, result.Asked, query.FurtherFields);
        }
    }
}
