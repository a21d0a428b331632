using Proxy.Backends;
using Proxy.Dicom;

namespace Proxy.Admin.Testing;

/// <summary>Tests the searches of a backend: whether it matches, and how many rows an answer has at most.</summary>
/// <param name="backend">The backend.</param>
/// <param name="requests">Sends requests to it.</param>
/// <param name="cancellation">The end of the test.</param>
internal sealed class ListTest(BackendOptions backend, TestRequests requests, CancellationToken cancellation)
{
    /// <summary>More rows than the usual caps (100, 200), and few enough for a slow archive.</summary>
    private const int ManyRows = 201;

    private const int FirstRows = 5;

    /// <summary>A UID that no study has: its root is that of UUIDs, and its UUID is random (PS3.5 §B.2).</summary>
    private const string NoStudy = "2.25.204418936911385432817043187392812654321";

    private string Key => $"Backends:{backend.Name}";

    /// <summary>The time of a search over an open connection; null when it failed.</summary>
    public TimeSpan? Latency { get; private set; }

    /// <summary>The most rows of one answer; null when no cap was seen.</summary>
    public int? PageCap { get; private set; }

    /// <summary>Judges the first list, and tests with a search for a study that does not exist whether the backend matches.</summary>
    public async Task<Finding> TestSearchesAsync(TestAnswer first, IReadOnlyList<Dataset> rows)
    {
        if (rows.Any(row => row.FindUid(Tag.StudyInstanceUid) is null))
        {
            return new(
                Finding.Searches, Outcome.Failed, "a row of the list of studies has no Study Instance UID",
                "report it to the vendor of the PACS");
        }
        var nothing = await requests.AskForJsonAsync($"studies?limit=2&StudyInstanceUID={NoStudy}");
        if (nothing.Failure is null) Latency = nothing.Took;
        var strangers = await nothing.FindDatasetsAsync(2, cancellation);
        if (strangers is null)
            return new(Finding.Searches, Outcome.Failed, $"search for a study: {nothing.Kind}", "see the log of the PACS");
        if (strangers.Count > 0)
        {
            return new(
                Finding.Searches, Outcome.Warning, "it ignores the parameters of searches; the proxy reads the whole list and matches it",
                "slow for a large archive: ask its vendor for QIDO-RS (PS3.18 §10.6)");
        }
        if (rows.Count > FirstRows || !first.IsWhole)
        {
            return new(
                Finding.Searches, Outcome.Warning, "it ignores \"limit\": every search transfers the whole list",
                "ask its vendor for \"limit\" (PS3.18 §8.3.4.4)");
        }
        return rows.Count == 0
            ? new(
                Finding.Searches, Outcome.Warning, "it answers, but lists no studies",
                $"if it should have some: check what {Key}:Authentication may see")
            : new(Finding.Searches, Outcome.Ok, $"lists studies, in {Latency!.Value.TotalMilliseconds:0} ms");
    }

    /// <summary>Tests how many rows an answer has at most, and whether the next page begins behind it.</summary>
    public async Task<Finding> TestPageCapAsync()
    {
        var many = await requests.AskForJsonAsync($"studies?limit={ManyRows}");
        if (await many.FindDatasetsAsync(ManyRows, cancellation) is not { } rows)
            return new(Finding.PageCap, Outcome.Warning, $"a search with limit={ManyRows}: {many.Kind}; the proxy asks for less", null);
        if (rows.Count == ManyRows) return new(Finding.PageCap, Outcome.Ok, $"none seen: one answer had {ManyRows} rows");
        if (rows.Count == 0) return new(Finding.PageCap, Outcome.Skipped, "there are no studies");
        var next = await requests.AskForJsonAsync($"studies?limit=1&offset={rows.Count}");
        var seen = rows.Select(row => row.FindUid(Tag.StudyInstanceUid)).ToHashSet();
        switch (await next.FindDatasetsAsync(1, cancellation))
        {
            case null:
                return new(Finding.PageCap, Outcome.Warning, $"a search with \"offset\": {next.Kind}", "longer lists are incomplete");
            case []:
                return new(Finding.PageCap, Outcome.Ok, $"none seen: the whole list has {rows.Count} studies");
            case [var row, ..] when seen.Contains(row.FindUid(Tag.StudyInstanceUid)):
                return new(
                    Finding.PageCap, Outcome.Warning, "it ignores \"offset\": lists end after the first page",
                    "ask its vendor for \"offset\" (PS3.18 §8.3.4.4)");
            default:
                PageCap = rows.Count;
                return new(Finding.PageCap, Outcome.Ok, $"{rows.Count} rows per answer; the proxy reads page after page");
        }
    }
}
