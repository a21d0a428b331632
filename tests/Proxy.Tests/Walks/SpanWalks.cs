using System.Collections.Concurrent;
using System.Diagnostics;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The spans of requests, as a listener receives them: one tree per request, without patients, UIDs and search values.</summary>
public sealed class SpanWalks : IDisposable
{
    private const string Canary = "CANARY";
    private const string Series = "/dicomweb/studies/1.2.77001/series/1.2.77001.1";

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.77001").With("1.2.77001.1"));
    private readonly WireMockPacs _west = new();
    private readonly ConcurrentQueue<Activity> _ended = new();
    private readonly ActivityListener _listener;
    private readonly ActivityTraceId _trace = ActivityTraceId.CreateRandom();

    public SpanWalks()
    {
        // Other proxies in this process write to the same source.
        _listener = new()
        {
            ShouldListenTo = source => source.Name == "Proxy",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = _ended.Enqueue,
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public void Dispose()
    {
        _listener.Dispose();
        _east.Dispose();
        _west.Dispose();
    }

    [Fact]
    public async Task ASearchIsATree_OfOneRequestPerBackendAndAMerge()
    {
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address));

        await AskAsync(proxy, $"/dicomweb/studies?PatientName={Canary}&PatientID={Canary}");

        var root = await FindRootAsync();
        Assert.Equal("GET /dicomweb/studies", root.DisplayName);
        Assert.Equal(ActivityKind.Server, root.Kind);
        Assert.Equal(200, root.GetTagItem("http.response.status_code"));
        var search = Assert.Single(Within(root));
        Assert.Equal("search", search.DisplayName);
        Assert.Equal(["GET east", "GET west", "merge"], Within(search).Select(span => span.DisplayName).Distinct().Order());
        Assert.All(Within(search).Where(span => span.Kind == ActivityKind.Client), span => Assert.NotNull(span.GetTagItem("backend")));
        NameNoPatient();
    }

    [Fact]
    public async Task AFrameIsATree_DownToTheBackend_AndAHitNamesItsTier()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));
        const string frame = Series + "/instances/1.2.77001.1.1/frames/1";

        await AskAsync(proxy, Series + "/metadata");
        Assert.Equal("retrieve", Assert.Single(Within(await FindRootAsync())).DisplayName);
        _ended.Clear();
        await AskAsync(proxy, frame);
        var root = await FindRootAsync();
        Assert.EndsWith("/frames/{frames}", root.DisplayName);
        var retrieve = Assert.Single(Within(root));
        Assert.Equal("retrieve", retrieve.DisplayName);
        var fetch = Assert.Single(Within(retrieve), span => span.DisplayName == "fetch");
        Assert.Equal("GET east", Assert.Single(Within(fetch)).DisplayName);
        NameNoPatient();

        await Until.TrueAsync(async () => (await proxy.GetAsync(frame)).CacheStatus == "Proxy; hit");
        _ended.Clear();
        await AskAsync(proxy, frame);
        var hit = Assert.Single(Within(Assert.Single(Within(await FindRootAsync()))));
        Assert.Equal(("cache", "memory"), (hit.DisplayName, hit.GetTagItem("tier")));
    }

    [Fact]
    public async Task ARequestForAnotherPath_IsNamedByItsMethodAlone()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));

        await AskAsync(proxy, $"/{Canary}/1.2.77001");

        Assert.Equal("GET", (await FindRootAsync()).DisplayName);
        NameNoPatient();
    }

    [Fact]
    public async Task APrefetchJobIsARootOfItsOwn()
    {
        await using var proxy = new ProxyHost(("east-of-spans", _east.Address));

        await proxy.SendAsync(HttpMethod.Post, "/prefetch", [("Content-Type", "application/json")], """{"studies":["1.2.77001"]}""");

        Activity? fetched = null;
        await Until.TrueAsync(() => (fetched = _ended.FirstOrDefault(IsOfJob)) is not null);
        var job = FindJob(fetched!)!;
        Assert.Equal("Asked", job.GetTagItem("why"));
        Assert.Equal(default, job.ParentSpanId);

        bool IsOfJob(Activity span) => span.DisplayName == "GET east-of-spans" && FindJob(span) is not null;

        Activity? FindJob(Activity span) =>
            _ended.FirstOrDefault(other => other.DisplayName == "prefetch job" && other.TraceId == span.TraceId);
    }

    private async Task AskAsync(ProxyHost proxy, string path) =>
        await proxy.GetAsync(path, ("traceparent", $"00-{_trace}-{ActivitySpanId.CreateRandom()}-01"));

    private async Task<Activity> FindRootAsync()
    {
        await Until.TrueAsync(() => _ended.Any(IsRoot));
        return _ended.Single(IsRoot);

        bool IsRoot(Activity span) => span.Kind == ActivityKind.Server && span.TraceId == _trace;
    }

    private IEnumerable<Activity> Within(Activity parent) =>
        _ended.Where(span => span.TraceId == parent.TraceId && span.ParentSpanId == parent.SpanId);

    private void NameNoPatient()
    {
        foreach (var span in _ended.Where(span => span.TraceId == _trace))
        {
            var text = string.Join(
                ' ', [span.DisplayName, span.OperationName, span.StatusDescription,
                .. span.TagObjects.Select(tag => $"{tag.Key}={tag.Value}"),
                .. span.Events.Select(e => e.Name), .. span.Baggage.Select(b => b.Value)]);
            Assert.DoesNotContain(Canary, text);
            Assert.DoesNotContain("1.2.77001", text);
            Assert.DoesNotContain($":{_east.Port}", text);
        }
    }
}
