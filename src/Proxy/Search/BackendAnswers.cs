using System.Collections.Concurrent;
using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Cache;
using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Search;

/// <summary>
/// The answers of single backends: each search is sent once for concurrent clients, at the backend's own root and at the root of all
/// backends, and a fresh answer is reused.
/// </summary>
public sealed class BackendAnswers(
    IArchive archive, BackendScheduler scheduler, StoredRows stored, AnswerCache results, Reloadable<SearchOptions> options,
    TimeProvider time, ILogger<BackendAnswers> log)
{
    private readonly Answers<AnswerKey, SearchAnswer> _cached = results.For<AnswerKey, SearchAnswer>();

    private readonly SharedRequests<(AnswerKey Key, bool BypassCache), SearchAnswer> _running = new(scheduler);

    private readonly ConcurrentDictionary<string, int> _revisions = new();

    private int _changes;

    /// <summary>Identifies an answer. The caller is part of it where the backend decides what each user may see.</summary>
    private sealed record AnswerKey(string Backend, string Caller, string Text, int Depth, int Revision);

    /// <summary>Searches one backend.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="query">The search; its page is ignored, rows are read from the first one on.</param>
    /// <param name="depth">The maximum number of rows to read (<see cref="SearchDepth"/>).</param>
    /// <param name="bypassCache">Ask the backend even when a cached answer is fresh.</param>
    /// <param name="deadline">The time limit of the answer.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public async Task<SearchAnswer> AskAsync(
        BackendOptions backend, SearchQuery query, int depth, bool bypassCache, TimeSpan deadline, CancellationToken cancellation)
    {
        var caller = backend.ForwardsToken ? CurrentCaller.Value.Key : "";
        var key = new AnswerKey(backend.Name, caller, query.CanonicalText, depth, GetRevision(backend.Name));
        return (await _running.RunAsync(
            (key, bypassCache), backend.Name, query.Study is { } study ? new(study) : null,
            stopped => AskOnceAsync(backend, query, key, bypassCache, deadline, stopped), cancellation)).Result;
    }

    /// <summary>
    /// Grows when the answers of a backend become invalid: answers to earlier requests, also to running ones, are not used for later ones.
    /// </summary>
    public int GetRevision(string backend) => _revisions.GetValueOrDefault(backend);

    /// <summary>Grows after each change of a revision.</summary>
    public int Changes => Volatile.Read(ref _changes);

    /// <summary>
    /// Makes the answers of a backend invalid, after a change of a study in it; discards them if it was removed or its address changed.
    /// </summary>
    public void Follow(Removal removal)
    {
        // A series that is gone is seen by a newer search soon enough; any client can ask for one that never was.
        if (removal is not { Backend: { } backend, Series: null }) return;
        _revisions.AddOrUpdate(backend, 1, static (_, revision) => revision + 1);
        Interlocked.Increment(ref _changes);
        if (removal.Study is null) _cached.RemoveWhere(answer => answer.Backend == backend);
    }

    private async Task<SearchAnswer> AskOnceAsync(
        BackendOptions backend, SearchQuery query, AnswerKey key, bool bypassCache, TimeSpan deadline, CancellationToken cancellation)
    {
        if (!bypassCache && _cached.TryFind(key, out var cached)) return cached;
        using var late = new CancellationTokenSource(deadline, time);
        var answer = await archive.SearchAsync(backend, query, query.IsWithinStudy ? null : key.Depth, late.Token, cancellation);
        if (answer.LeftOut > 0) log.RowsOmitted(backend.Name, answer.LeftOut);
        if (answer.AttributesLeftOut > 0) log.AttributesOmitted(backend.Name, answer.AttributesLeftOut);
        if (answer.IsCut) answer = answer with { Rows = [.. answer.Rows.Where(row => row.Position < key.Depth)] };
        await stored.FileAsync(query, answer, cancellation);
        if (answer.Failure is null) _cached.Add(key, answer, answer.Bytes, options.Value.Freshness);
        return answer;
    }
}
