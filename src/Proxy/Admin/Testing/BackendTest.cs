using Proxy.Backends;
using Proxy.Backends.DicomWeb;

namespace Proxy.Admin.Testing;

/// <summary>Tests one backend with a dozen small requests, and says what works, what does not, and what to do.</summary>
/// <remarks>
/// <code>
/// 1 root       a list of studies: reachable, authentication, root
/// 2 searches   a study that does not exist: does it match?
/// 3 sample     metadata of a small series, its validators, one frame and its transfer syntax
/// 4 pages      a long list: how many rows has an answer?
/// 5 product    what it calls itself
/// </code>
/// A step that fails is the reason why the later ones are skipped. No status is believed without its body.
/// </remarks>
/// <param name="exchange">Sends a request.</param>
/// <param name="backend">The backend.</param>
/// <param name="time">The clock.</param>
internal sealed class BackendTest(BackendExchange exchange, BackendOptions backend, TimeProvider time)
{
    /// <summary>The time limit of a whole test.</summary>
    private static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(40);

    /// <summary>The rows that are read of a list, from a backend that ignores the limit.</summary>
    private const int MaxRows = 1000;

    private readonly Dictionary<string, Finding> _findings = [];

    /// <summary>Runs the test.</summary>
    public async Task<TestReport> RunAsync(CancellationToken cancellation)
    {
        var at = time.GetUtcNow();
        using var late = new CancellationTokenSource(MaxTime, time);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellation);
        var requests = new TestRequests(exchange, backend, time, ending.Token);
        var list = new ListTest(backend, requests, ending.Token);
        string? product = null;
        try
        {
            product = await RunAsync(requests, list, ending.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // Too late: what was not tested is skipped.
        }
        var latency = list.Latency is { } took ? Math.Round(took.TotalMilliseconds, 1) : (double?)null;
        return new(backend.Name, at, Complete(late.IsCancellationRequested), product, list.PageCap, latency, requests.BytesPerSecond);
    }

    private async Task<string?> RunAsync(TestRequests requests, ListTest list, CancellationToken ending)
    {
        // 1
        var root = new RootTest(backend, requests);
        var first = await requests.AskForJsonAsync(RootTest.FirstRequest);
        var rows = await first.FindDatasetsAsync(MaxRows, ending);
        Add(await root.JudgeAsync(first, rows));
        if (rows is not null)
        {
            // 2
            var searches = await list.TestSearchesAsync(first, rows);
            Add([searches]);
            // 3
            if (searches.Outcome != Outcome.Failed && rows.Count > 0) Add(await new SampleTest(requests, ending).TestAsync(rows));
            // 4
            if (searches.Outcome == Outcome.Ok) Add([await list.TestPageCapAsync()]);
        }
        // 5
        return first.Failure is null ? await root.FindProductAsync(first.Server) : null;
    }

    private void Add(IEnumerable<Finding> findings)
    {
        foreach (var finding in findings) _findings[finding.Name] = finding;
    }

    /// <summary>All findings, in order; what was not tested is skipped, with the reason.</summary>
    private IReadOnlyList<Finding> Complete(bool isLate)
    {
        var cause = Finding.Names.Select(name => _findings.GetValueOrDefault(name)).FirstOrDefault(f => f?.Outcome == Outcome.Failed);
        var reason = cause is not null ? $"{cause.Name} failed" : isLate ? "the test took too long" : "there is nothing to test it with";
        return [.. Finding.Names.Select(name => _findings.GetValueOrDefault(name) ?? new(name, Outcome.Skipped, reason))];
    }
}
