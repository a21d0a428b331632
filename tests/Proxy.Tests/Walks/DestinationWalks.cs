using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>One PACS at two addresses: each stands in for the other, and YARP's health checks count.</summary>
public sealed class DestinationWalks : IDisposable
{
    private const string Studies = "/dicomweb/studies";

    private readonly WireMockPacs _a = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    private readonly WireMockPacs _b = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    public void Dispose()
    {
        _a.Dispose();
        _b.Dispose();
    }

    [Fact]
    public async Task AsksTheOtherAddress_WhenTheFirstIsSlow()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(56));
        await using var proxy = Proxy(_a.Address, _b.Address, time);
        // The clock runs faster than the machine: the second address has time to answer on a busy machine.
        proxy["Search:Deadline"] = proxy["Backends:pair:Timeout"] = "00:05:00";
        var gate = _a.Hang();

        var search = proxy.GetAsync(Studies);
        await gate.LetTimePassAsync(time, search, "the other address answers");

        Assert.Equal(["1.2.1"], (await search).Values("0020000D"));
        Assert.Empty((await search).Warnings);
        Assert.False(gate.IsOpen);
        Assert.Single(_b.Requests);
    }

    [Fact]
    public async Task DoesNotAskAnotherPacs_WhenOneIsSlow()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(56));
        await using var proxy = new ProxyHost(("a", _a.Address), ("b", _b.Address)) { Time = time, ["Search:Deadline"] = "00:00:05" };
        var gate = _a.Hang();

        var search = proxy.GetAsync(Studies);
        await Until.TrueAsync(async () => await proxy.AskedAsync("b") == 1, "the other has answered");
        await gate.LetTimePassAsync(time, search, "the deadline is over");

        Assert.Equal("a", (await search)["X-Failed-Backends"]);
        Assert.Single(_a.Requests);
        Assert.Single(_b.Requests);
    }

    [Fact]
    public async Task SkipsADeadAddress_WhenYarpsPassiveCheckIsOn()
    {
        await using var proxy = Proxy(PartialFailureWalks.DeadAddress(), _b.Address);
        proxy["Backends:pair:HealthCheck:Passive:Enabled"] = "true";

        Assert.Equal(["1.2.1"], (await proxy.GetAsync(Studies)).Values("0020000D"));
        Assert.Equal("unhealthy", await FindHealthAsync(proxy, "a"));
        Assert.Equal("up", (string)(await proxy.GetAsync("/health/ready")).Json["backends"]!["pair"]!["state"]!);

        _b.Fail(500);
        (await proxy.GetAsync(Studies + "?PatientID=2")).IsProblem(502);
    }

    [Fact]
    public async Task SkipsAnAddress_WhenYarpMarksItUnhealthy()
    {
        _a.Fail(503, "alive");
        _b.Respond(PacsAnswer.Json("[]"), "alive");
        await using var proxy = Proxy(_a.Address, _b.Address);
        foreach (var (key, value) in ((string, string)[])[
            ("Enabled", "true"), ("Interval", "00:00:00.200"), ("Timeout", "00:00:05"), ("Policy", "ConsecutiveFailures"),
            ("Path", "/dicom-web/alive")])
            proxy[$"Backends:pair:HealthCheck:Active:{key}"] = value;

        await Until.TrueAsync(
            async () => await FindHealthAsync(proxy, "a") == "unhealthy" && await FindHealthAsync(proxy, "b") == "healthy",
            "YARP marks it unhealthy");
        await Until.TrueAsync(
            async () =>
            {
                var asked = _a.Count("studies");
                Assert.Equal(["1.2.1"], (await proxy.GetAsync(Studies, ("Cache-Control", "no-cache"))).Values("0020000D"));
                return _a.Count("studies") == asked;
            },
            "the first address is not asked any more");
    }

    private static ProxyHost Proxy(string a, string b, FakeTimeProvider? time = null) => new()
    {
        Time = time,
        ["Backends:pair:Destinations:a:Address"] = a,
        ["Backends:pair:Destinations:b:Address"] = b,
        ["Backends:pair:LoadBalancingPolicy"] = "FirstAlphabetical",
    };

    private static async Task<string?> FindHealthAsync(ProxyHost proxy, string destination) =>
        (string?)(await proxy.GetAsync("/health/ready")).Json["backends"]!["pair"]!["destinations"]![destination];
}
