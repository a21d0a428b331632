using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A refusal by all backends keeps its meaning; a backend that asks for fewer requests gets fewer and is not down.</summary>
public sealed class OverloadWalks : IAsyncDisposable
{
    private const string Studies = "/dicomweb/studies";

    private static readonly PacsAnswer TooMany = PacsAnswer.Text(429, "text/plain", "no") with { Headers = [("Retry-After", "7")] };

    private static readonly PacsAnswer Unavailable = PacsAnswer.Text(503, "text/plain", "no") with { Headers = [("Retry-After", "20")] };

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(56));

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 10));

    private readonly WireMockPacs _west = new(new HeldStudy("1.2.2").With("1.2.2.1"));

    private readonly ProxyHost _proxy;

    public OverloadWalks() =>
        _proxy = new(
            ("east", _east.Address), ("west", _west.Address))
        {
            Time = _time,
            ["Search:Freshness"] = "00:00:00",
            ["Backends:east:MaxConcurrentRequests"] = "8"
        };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
        _west.Dispose();
    }

    [Fact]
    public async Task Returns503WithTheShortestRetryAfter_WhenEveryPacsIsOverloaded()
    {
        _east.Respond(TooMany);
        _west.Respond(Unavailable);
        for (var i = 0; i < 7; i++)
        {
            var reply = await _proxy.GetAsync(Studies);
            reply.IsProblem(503, names: "east");
            Assert.Equal("7", reply["Retry-After"]);
        }
        _time.Advance(TimeSpan.FromSeconds(3));
        var backends = (await _proxy.GetAsync("/health/ready")).Json["backends"]!;
        foreach (var name in (string[])["east", "west"])
        {
            Assert.Equal("up", (string)backends[name]!["state"]!);
            Assert.Equal("closed", (string)backends[name]!["circuit"]!);
        }
        _east.Recover();
        _west.Recover();
        Assert.Equal(2, (await _proxy.GetAsync(Studies)).Rows.Count);
    }

    [Fact]
    public async Task LimitsAnOverloadedPacsToAQuarterOfTheRequests_UntilRetryAfterEnds()
    {
        _east.Respond(TooMany);
        await _proxy.GetAsync(Studies);
        _east.Recover();

        await AskTwelveAsync("a", inside: 2);
        Assert.Equal(2, _east.Peak);
        _time.Advance(TimeSpan.FromSeconds(7));
        await AskTwelveAsync("b", inside: 8);
        Assert.Equal(8, _east.Peak);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(406)]
    [InlineData(413)]
    public async Task ReturnsTheStatus_WhenEveryPacsRefusesTheSearch(int status)
    {
        _east.Fail(status);
        _west.Fail(status);
        (await _proxy.GetAsync(Studies + "?PatientID=1")).IsProblem(status, names: "east");
        Assert.DoesNotContain(_proxy.Log.All, l => l.Contains("is now down", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Returns502_WhenBackendsFailDifferently()
    {
        _east.Fail(400);
        _west.Fail(500);
        (await _proxy.GetAsync(Studies + "?PatientID=1")).IsProblem(502);
    }

    [Fact]
    public async Task Warns_WhenOnePacsRefusesTheSearch()
    {
        _west.Fail(400);
        var reply = await _proxy.GetAsync(Studies + "?PatientID=P1");
        Assert.Equal(["1.2.1"], reply.Values("0020000D"));
        Assert.Equal("west", reply["X-Failed-Backends"]);
    }

    /// <summary>Sends twelve searches at once; <paramref name="inside"/> of them reach the east before the first is answered.</summary>
    private async Task AskTwelveAsync(string prefix, int inside)
    {
        var gate = _east.Hang();
        var before = _proxy.Arrived;
        var searches = Enumerable.Range(0, 12).Select(i => _proxy.GetAsync($"/backends/east/dicomweb/studies?PatientID={prefix}{i}"))
            .ToArray();
        await Until.TrueAsync(() => _proxy.Arrived == before + 12 && gate.Arrived == inside, $"{inside} are inside");
        _east.Recover();
        foreach (var reply in await Task.WhenAll(searches)) Assert.Equal(200, (int)reply.Status);
    }
}
