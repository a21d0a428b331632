using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>
/// Two PACS hold parts of one study, and one of them is slow or fails: the client gets its series, or learns what is missing.
/// </summary>
public sealed class FailedHolderWalks : IAsyncDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", instances: 3));

    private readonly WireMockPacs _west = new(new HeldStudy("1.2.1").With("1.2.1.1", instances: 5).With("1.2.1.2", "MR", 2));

    private readonly FakeTimeProvider _time = new();

    private readonly ProxyHost _proxy;

    public FailedHolderWalks() => _proxy = new(("east", _east.Address), ("west", _west.Address)) { Time = _time };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
        _west.Dispose();
    }

    [Theory]
    [InlineData("/series/1.2.1.2/metadata")]
    [InlineData("/series/1.2.1.2/instances/1.2.1.2.1/frames/1")]
    public async Task WaitsForASlowPacs_WhenNoOtherListsTheSeries(string path)
    {
        var gate = _west.Hang("/series");
        var reply = _proxy.GetAsync(Study + path);
        await Until.TrueAsync(
            async () => gate.Arrived > 0 && (int)(await _proxy.GetAsync("/store/studies/1.2.1")).Status == 200,
            "the east has listed the study");

        for (var i = 0; i < 20; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await _proxy.GetAsync("/health/live");
        }
        gate.Open();

        Assert.Equal(200, (int)(await reply).Status);
    }

    [Theory]
    [InlineData("/series/1.2.1.1/metadata", 3)]
    [InlineData("/metadata", 5)]
    public async Task NamesThePacsThatFailed_WhenAnotherGivesFewerInstances(string path, int instances)
    {
        _west.Fail(500, "/1.2.1.1/metadata");

        var reply = await _proxy.GetAsync(Study + path);

        Assert.Equal(instances, reply.Rows.Count);
        Assert.Equal("west", reply["X-Failed-Backends"]);
        Assert.Contains("west did not answer", reply["Warning"]);
        Assert.Equal("no-store", reply["Cache-Control"]);
    }

    [Fact]
    public async Task ReportsTheFailure_WhenOnlyTheFailedPacsMayHaveTheInstance()
    {
        _west.Fail(500);

        (await _proxy.GetAsync(Study + "/series/1.2.1.1/instances/1.2.1.1.5/metadata")).IsProblem(502, names: "west");
    }

    [Theory]
    [InlineData("/series/1.2.1.1/instances")]
    [InlineData("/instances?SeriesInstanceUID=1.2.1.1")]
    public async Task RefusesRowsOfAnotherSeries(string search)
    {
        _west.Respond(request => request.Path.EndsWith("/instances", StringComparison.Ordinal)
            ? PacsAnswer.Json(
                """
                [{"0020000D":{"vr":"UI","Value":["1.2.1"]},"0020000E":{"vr":"UI","Value":["9.9"]},
                "00080018":{"vr":"UI","Value":["9.9.9"]}}]
                """)
            : null);

        var reply = await _proxy.GetAsync(Study + search);

        Assert.DoesNotContain("9.9.9", reply.Values("00080018"));
        Assert.Equal(3, reply.Rows.Count);
        Assert.Equal("west", reply["X-Failed-Backends"]);
    }
}
