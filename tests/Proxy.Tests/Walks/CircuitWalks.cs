using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The proxy stops asking a PACS that keeps failing: clients do not wait for it, and it can recover.</summary>
public sealed class CircuitWalks : IAsyncDisposable
{
    private const string Studies = "/dicomweb/studies";

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(56));

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    private readonly WireMockPacs _west = new(new HeldStudy("1.2.2").With("1.2.2.1"));

    private readonly ProxyHost _proxy;

    public CircuitWalks() =>
        _proxy = new(("east", _east.Address), ("west", _west.Address)) { Time = _time, ["Search:Freshness"] = "00:00:00" };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
        _west.Dispose();
    }

    [Fact]
    public async Task OpensTheCircuit_WhenSearchesAndTheProbeFail()
    {
        _west.Fail(503);
        await OpenAsync();
        var asked = _west.Requests.Count;

        var next = await _proxy.GetAsync(Studies);

        Assert.Equal(asked, _west.Requests.Count);
        Assert.Equal(["1.2.1"], next.Values("0020000D"));
        Assert.Equal("west", next["X-Failed-Backends"]);
        Assert.Contains("west did not answer: error status, circuit open", Assert.Single(next.Warnings));
        Assert.Equal("no-store", next["Cache-Control"]);
        Assert.Equal("closed", await CircuitAsync("east"));
        Assert.Contains(_proxy.Log.All, l => l.Contains("Backend west is now not asked for a while", StringComparison.Ordinal));
    }

    [Fact]
    public async Task LogsNoFurtherProbe_WhileTheCircuitIsOpen()
    {
        _west.Fail(503);
        await OpenAsync();
        var (logged, probes) = (CountFailures(), CountProbes());

        await AdvanceUntilAsync(() => CountProbes() >= probes + 3, "three more probes are sent");
        await AdvanceUntilAsync(async () => await CircuitAsync("west") == "open", "the last probe has failed");

        Assert.Equal(logged, CountFailures());

        int CountFailures() => _proxy.Log.All.Count(line => line.Contains("Backend west did not answer", StringComparison.Ordinal));

        int CountProbes() => _west.Requests.Count(request => request.Query == "?limit=1");
    }

    [Fact]
    public async Task KeepsTheCircuitClosed_WhenTheProbeSucceeds()
    {
        _west.Respond(request => request.Query == "?limit=1" ? null : PacsAnswer.Text(500, "text/plain", "no"));
        for (var i = 0; i < 5; i++) await _proxy.GetAsync(Studies);
        await AdvanceUntilAsync(() => _west.Requests.Any(r => r.Query == "?limit=1"), "the probe is sent");
        await AdvanceUntilAsync(async () => await StateAsync("west") == "up", "the probe is answered");

        await _proxy.GetAsync(Studies);

        Assert.Equal("closed", await CircuitAsync("west"));
        Assert.Equal(6, _west.Requests.Count(r => r.Query != "?limit=1"));
    }

    [Fact]
    public async Task OpensTheCircuitWithoutAProbe_WhenThePacsIsUnreachable()
    {
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", PartialFailureWalks.DeadAddress()))
        { Time = _time, ["Search:Freshness"] = "00:00:00" };
        for (var i = 0; i < 5; i++)
        {
            var search = proxy.GetAsync(Studies);
            // The retry of the first attempt waits on the clock.
            await AdvanceUntilAsync(() => search.IsCompleted, "the search is answered");
        }
        Assert.Contains("circuit open", Assert.Single((await proxy.GetAsync(Studies)).Warnings));
    }

    [Fact]
    public async Task Returns502_WhenTheCircuitsOpenedForBadAnswers()
    {
        _east.Fail(500);
        _west.Fail(500);
        await OpenAsync();
        var asked = _west.Requests.Count;
        (await _proxy.GetAsync(Studies)).IsProblem(502);
        Assert.Equal(asked, _west.Requests.Count);
    }

    [Fact]
    public async Task ClosesTheCircuit_WhenAProbeSucceeds()
    {
        _west.Fail(503);
        await OpenAsync();
        var asked = _west.Requests.Count;

        await AdvanceUntilAsync(() => _west.Requests.Count == asked + 1, "the recovery probe is sent");
        Assert.Equal("?limit=1", _west.Requests[^1].Query);
        Assert.Equal("open", await CircuitAsync("west"));
        _west.Recover();
        await AdvanceUntilAsync(async () => await CircuitAsync("west") == "closed", "the circuit is closed");

        var recovered = await _proxy.GetAsync(Studies);
        Assert.Equal(["1.2.1", "1.2.2"], recovered.Values("0020000D").Order());
        Assert.Empty(recovered.Warnings);
        var health = (await _proxy.GetAsync("/health/ready")).Json["backends"]!["west"]!;
        Assert.Equal("up", (string)health["state"]!);
        Assert.Equal(1, (int)health["opened"]!);
        Assert.Contains(_proxy.Log.All, l => l.Contains("Backend west is now asked again", StringComparison.Ordinal));
    }

    [Fact]
    public async Task StopsWaiting_AfterFiveTimeouts()
    {
        var gate = _west.Hang();
        for (var i = 1; i <= 5; i++)
        {
            var search = _proxy.GetAsync(Studies);
            await AdvanceUntilAsync(() => search.IsCompleted, "the results of the others are returned");
            Assert.Equal(["1.2.1"], (await search).Values("0020000D"));
        }
        await AdvanceUntilAsync(async () => await CircuitAsync("west") == "open", "the probe times out");
        Assert.Equal(6, gate.Arrived);

        // Time stands still, so a request that waits for the PACS would never complete.
        Assert.Equal(["1.2.1"], (await _proxy.GetAsync(Studies)).Values("0020000D"));
        Assert.Equal(200, (int)(await _proxy.GetAsync(Studies + "/1.2.1/series/1.2.1.1/metadata")).Status);
        Assert.Equal(200, (int)(await _proxy.GetAsync(Studies + "/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1")).Status);
    }

    [Fact]
    public async Task CountsForwardedRequestsInTheCircuit()
    {
        await using var proxy = new ProxyHost(("east", _east.Address)) { Time = _time, ["Backends:east:Forward"] = "true" };
        _east.Fail(503);
        for (var i = 0; i < 5; i++) Assert.Equal(503, (int)(await proxy.GetAsync("/backends/east/dicomweb/workitems")).Status);
        await AdvanceUntilAsync(
            async () => (string)(await proxy.GetAsync("/health/ready")).Json["backends"]!["east"]!["circuit"]! == "open",
            "the probe fails");

        var search = await proxy.GetAsync(Studies);

        search.IsProblem(502);
        Assert.DoesNotContain(_east.Requests, r => r.Path == "studies" && r.Query != "?limit=1");
    }

    [Fact]
    public async Task Returns503WithoutOpeningTheCircuit_WhenTooManyRequestsWait()
    {
        await using var proxy = new ProxyHost(("east", _east.Address))
        {
            ["Backends:east:MaxConcurrentRequests"] = "1",
            ["Search:Freshness"] = "00:00:00"
        };
        await proxy.GetAsync(Studies);
        var gate = _east.Hang();

        // One runs and 64 wait; some of a hundred different searches exceed that limit.
        var searches = Enumerable.Range(0, 100).Select(i => proxy.GetAsync($"{Studies}?PatientID={i}")).ToArray();
        await Until.TrueAsync(() => gate.Arrived == 1 && searches.Count(s => s.IsCompleted) == 35, "the excess requests are refused");
        _east.Recover();
        var replies = await Task.WhenAll(searches);

        var refused = replies.Where(r => (int)r.Status != 200).ToList();
        Assert.Equal(35, refused.Count);
        Assert.All(refused, r => r.IsProblem(503, names: "too many requests are waiting"));
        var health = (await proxy.GetAsync("/health/ready")).Json["backends"]!["east"]!;
        Assert.Equal("up", (string)health["state"]!);
        Assert.Equal(0, (int)health["failed"]!);
    }

    private async Task OpenAsync()
    {
        for (var i = 0; i < 5; i++) await _proxy.GetAsync(Studies);
        await AdvanceUntilAsync(async () => await CircuitAsync("west") == "open", "the probe fails");
    }

    private async Task<string> StateAsync(string backend) =>
        (string)(await _proxy.GetAsync("/health/ready")).Json["backends"]![backend]!["state"]!;

    private async Task<string> CircuitAsync(string backend) =>
        (string)(await _proxy.GetAsync("/health/ready")).Json["backends"]![backend]!["circuit"]!;

    private Task AdvanceUntilAsync(Func<bool> condition, string what) => AdvanceUntilAsync(() => Task.FromResult(condition()), what);

    /// <summary>Advances the time until the condition holds.</summary>
    private Task AdvanceUntilAsync(Func<Task<bool>> condition, string what) => Until.TrueAsync(
        async () =>
        {
            if (await condition()) return true;
            _time.Advance(TimeSpan.FromMilliseconds(250));
            return false;
        },
        what);
}
