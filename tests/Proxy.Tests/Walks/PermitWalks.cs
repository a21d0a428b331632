using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Waiting in the proxy's own queue does not count towards the timeout of the PACS.</summary>
public sealed class PermitWalks : IAsyncDisposable
{
    private const string Instances = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.";

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(56));

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 10));

    private readonly ProxyHost _proxy;

    public PermitWalks() => _proxy = new(("east", _east.Address))
    {
        Time = _time,
        ["Backends:east:MaxConcurrentRequests"] = "1",
        ["Backends:east:Timeout"] = "00:00:02",
        ["Search:Freshness"] = "00:00:00",
    };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Fact]
    public async Task StartsTheTimeout_WhenTheRequestGetsItsPermit()
    {
        await _proxy.GetAsync(Instances + "1/metadata");
        var gates = Enumerable.Range(1, 4).Select(i => _east.Hang($"1.2.1.1.{i}/frames/1")).ToArray();
        var frames = Enumerable.Range(1, 4).Select(i => _proxy.GetAsync($"{Instances}{i}/frames/1")).ToArray();

        // Each answer takes three quarters of the timeout, so the last request waits in the queue for three times as long.
        var left = gates.ToList();
        while (left.Count > 0)
        {
            await Until.TrueAsync(() => left.Exists(gate => gate.Arrived > 0), "the next request has its permit");
            var gate = left.Single(gate => gate.Arrived > 0);
            left.Remove(gate);
            _time.Advance(TimeSpan.FromSeconds(1.5));
            gate.Open();
        }

        foreach (var frame in frames) Assert.Equal(200, (int)(await frame).Status);
        Assert.Equal(0, (int)(await HealthAsync())["failed"]!);
    }

    [Fact]
    public async Task Returns503WithRetryAfterAndKeepsThePacsUp_WhenARequestGetsNoPermit()
    {
        using var slow = new RawPacs(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 10));
        await using var proxy = new ProxyHost(("slow", slow.Address))
        {
            Time = _time,
            ["Backends:slow:MaxConcurrentRequests"] = "1",
            ["Search:Freshness"] = "00:00:00",
            ["Search:Deadline"] = "00:00:10",
        };
        await proxy.GetAsync(Instances + "1/metadata");
        // A slow but healthy body holds the only permit.
        var isOpen = new TaskCompletionSource();
        var hasBegun = new TaskCompletionSource();
        slow.On("1.2.1.1.1/frames/1", async connection =>
        {
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 4\r\n\r\n");
            hasBegun.SetResult();
            await isOpen.Task;
            await connection.SendAsync("body");
        });
        var first = proxy.GetAsync(Instances + "1/frames/1");
        await hasBegun.Task.WaitAsync(TestContext.Current.CancellationToken);

        var frame = proxy.GetAsync(Instances + "2/frames/1");
        var search = proxy.GetAsync("/dicomweb/studies?PatientID=1");
        await Until.TrueAsync(
            async () => (int)(await proxy.GetAsync("/traffic")).Json["backends"]!["slow"]!["waiting"]! == 2, "both wait");
        // The deadline of the search passes, but not the 30 s of the PACS.
        var passed = 0;
        await Until.TrueAsync(
            () =>
            {
                if (!search.IsCompleted && ++passed <= 25) _time.Advance(TimeSpan.FromSeconds(1));
                return search.IsCompleted;
            },
            "the search's deadline is over");
        (await search).IsProblem(503, names: "busy");
        Assert.NotEqual("", (await search)["Retry-After"]);

        Assert.Equal("up", (string)(await proxy.GetAsync("/health/ready")).Json["backends"]!["slow"]!["state"]!);
        Assert.Equal(0, (int)(await proxy.GetAsync("/health/ready")).Json["backends"]!["slow"]!["failed"]!);
        isOpen.SetResult();
        await first;
        await frame;
    }

    [Fact]
    public async Task ReturnsThePermitOfAForwardedBody()
    {
        _proxy["Backends:east:Forward"] = "true";
        _east.Respond(new PacsAnswer(200, "application/dicom", [0xFF, 0xD8]));

        for (var i = 1; i <= 3; i++)
        {
            var reply = await _proxy.GetAsync($"/backends/east/dicomweb/color-palettes/1.2.3.{i}");
            Assert.Equal(2, reply.Body.Length);
        }
    }

    private async Task<System.Text.Json.Nodes.JsonNode> HealthAsync() =>
        (await _proxy.GetAsync("/health/ready")).Json["backends"]!["east"]!;
}
