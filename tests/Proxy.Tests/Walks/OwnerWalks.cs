using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>One backend owns a series, its metadata and all its pixels; the other holders stand in for the whole series.</summary>
public sealed class OwnerWalks : IDisposable
{
    private const string Series = "/dicomweb/studies/1.2.1/series/1.2.1.1";

    private const string Frame = Series + "/instances/1.2.1.1.1/frames/1";

    private readonly WireMockPacs _east = new();

    private readonly WireMockPacs _west = new();

    private readonly ProxyHost _proxy;

    private int _next = 50;

    public OwnerWalks() => _proxy = new(("east", _east.Address), ("west", _west.Address));

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
        _west.Dispose();
    }

    [Fact]
    public async Task ChoosesTheBackendWithMoreInstances()
    {
        _east.Hold(Study(instances: 3));
        _west.Hold(Study(instances: 5));

        Assert.Equal(5, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
        Assert.Equal(200, (int)(await _proxy.GetAsync(Frame)).Status);

        Assert.Equal(0, _east.Count("/metadata") + _east.Count("/frames/1"));
        Assert.Equal(2, _west.Count("/metadata") + _west.Count("/frames/1"));
    }

    [Theory]
    [InlineData("east", 1, 2)]
    [InlineData("west", 2, 1)]
    public async Task ChoosesThePreferredBackend_WhenBothHaveTheSameNumberOfInstances(string owner, int east, int west)
    {
        _proxy["Backends:east:Preference"] = $"{east}";
        _proxy["Backends:west:Preference"] = $"{west}";
        _east.Hold(Study(instances: 3));
        _west.Hold(Study(instances: 3));

        await _proxy.GetAsync(Series + "/metadata");
        await _proxy.GetAsync(Frame);

        Assert.Equal(owner == "east" ? 2 : 0, _east.Count("/metadata") + _east.Count("/frames/1"));
        Assert.Equal(owner == "west" ? 2 : 0, _west.Count("/metadata") + _west.Count("/frames/1"));
    }

    [Theory]
    [InlineData(500)]
    [InlineData(401)]
    [InlineData(404)]
    public async Task AsksAnotherHolderForTheWholeSeries_WhenTheOwnerFails(int status)
    {
        _east.Hold(Study(instances: 5));
        _west.Hold(Study(instances: 3));
        _east.Fail(status, "/metadata");
        _east.Fail(status, "/frames/1");

        Assert.Equal(3, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
        Assert.Equal(200, (int)(await _proxy.GetAsync(Frame)).Status);
    }

    [Fact]
    public async Task AsksAnotherHolder_WhenItsSeriesListWasLate()
    {
        using var west = new RawPacs(Study(instances: 3));
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address)) { ["Search:Deadline"] = "00:00:05" };
        _east.Hold(Study(instances: 3));
        var isLetGo = new TaskCompletionSource();
        west.On("/series", async c =>
        {
            await c.WaitForDisconnectAsync();
            isLetGo.TrySetResult();
        });
        Assert.Equal(3, (await proxy.GetAsync(Series + "/metadata")).Rows.Count);
        await isLetGo.Task.WaitAsync(TestContext.Current.CancellationToken);
        west.Recover();
        _east.Fail(500);

        Assert.Equal(200, (int)(await proxy.GetAsync(Frame)).Status);
    }

    [Fact]
    public async Task ForbidsCaching_WhenAStudyLacksTheSeriesOfAFailedPacs()
    {
        _east.Hold(Study(instances: 3));
        _west.Fail(500);

        var study = await _proxy.GetAsync("/dicomweb/studies/1.2.1/metadata");

        Assert.Equal(3, study.Rows.Count);
        Assert.Contains("west did not answer", study["Warning"]);
        Assert.Equal("west", study["X-Failed-Backends"]);
        Assert.Equal("no-store", study["Cache-Control"]);
    }

    [Fact]
    public async Task ServesFromAPacs_WhenItDoesNotSupportSearches()
    {
        _west.Hold(Study(instances: 3));
        _west.Fail(404, "/series");

        Assert.Equal(200, (int)(await _proxy.GetAsync(Frame)).Status);
        Assert.Equal(3, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
        await _proxy.GetAsync(Series + "/metadata");
        (await _proxy.GetAsync(Series.Replace("1.2.1.1", "1.2.1.99", StringComparison.Ordinal) + "/metadata")).IsProblem(404);

        Assert.Equal(1, _west.Count("/series/1.2.1.1/metadata"));
        Assert.Equal(1, _west.Count("/series"));
    }

    [Fact]
    public async Task AsksOneBackendOnly_AtTheRootOfThatBackend()
    {
        _east.Hold(Study(instances: 3));
        _west.Hold(Study(instances: 5));

        var east = await _proxy.GetAsync(Series.Replace("/dicomweb", "/backends/east/dicomweb", StringComparison.Ordinal) + "/metadata");

        Assert.Equal(3, east.Rows.Count);
        Assert.Empty(_west.Requests);
        Assert.All(east.Rows, r => Assert.StartsWith($"{_proxy.Address}/backends/east/dicomweb/", (string)r!["7FE00010"]!["BulkDataURI"]!));
    }

    [Fact]
    public async Task ServesTheFrameAtOnce_WhenASlowBackendDoesNotHoldIt()
    {
        _east.Hold(Study(instances: 3));
        var gate = _west.Hang();

        Assert.Equal(200, (int)(await _proxy.GetAsync(Series + "/metadata")).Status);
        Assert.Equal(200, (int)(await _proxy.GetAsync(Frame)).Status);

        Assert.False(gate.IsOpen);
    }

    [Fact]
    public async Task CancelsALateRequest_AtTheDeadline()
    {
        using var west = new RawPacs();
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address)) { ["Search:Deadline"] = "00:00:05" };
        _east.Hold(Study(instances: 3));
        var disconnected = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        west.On("/series", async connection =>
        {
            await connection.WaitForDisconnectAsync();
            disconnected.SetResult();
        });

        Assert.Equal(3, (await proxy.GetAsync(Series + "/metadata")).Rows.Count);

        await disconnected.Task.WaitAsync(Until.Patience, TimeProvider.System, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task ServesAFrameWithTheMetadataOfTheSameHolder_WhenTheSeriesMoves()
    {
        _east.Hold(Study(instances: 5));
        _west.Hold(Study(instances: 5));
        Assert.Equal(5, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
        Assert.Equal(1, _east.Count("/metadata"));
        _east.Fail(500);

        Assert.Equal(200, (int)(await _proxy.GetAsync(Frame)).Status);
        Assert.Equal(1, _west.Count("/metadata"));
        _east.Recover();

        // The series has moved: the west now serves its metadata and the next frames, though the east is back.
        await _proxy.GetAsync(Series + "/metadata");
        Assert.Equal(200, (int)(await _proxy.GetAsync(Frame.Replace("1.2.1.1.1/", "1.2.1.1.2/", StringComparison.Ordinal))).Status);
        Assert.Equal(1, _east.Count("/metadata"));
        Assert.Equal(1, _west.Count("1.2.1.1.2/frames/1"));
        Assert.Equal(0, _east.Count("1.2.1.1.2/frames/1"));
    }

    [Fact]
    public async Task ReportsTheOwnersFailure_WhenNoOtherHolderHasTheFrame()
    {
        _east.Hold(Study(instances: 5));
        _west.Hold(Study(instances: 3));
        await _proxy.GetAsync(Series + "/metadata");
        _east.Fail(500);

        (await _proxy.GetAsync(Frame.Replace("1.2.1.1.1/", "1.2.1.1.4/", StringComparison.Ordinal))).IsProblem(502, names: "east");
        Assert.Equal(0, _west.Count("/frames/1"));
    }

    [Fact]
    public async Task MovesTheSeriesBack_WhenTheOwnerIsHealthyForAWhile()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(56));
        await using var proxy = new ProxyHost(
            ("east", _east.Address), ("west", _west.Address))
        {
            Time = time,
            ["Cache:Metadata:Freshness"] = "00:00:10",
            ["Search:Freshness"] = "00:00:05"
        };
        _east.Hold(Study(instances: 3));
        _west.Hold(Study(instances: 3));
        async Task<string> OwnerAsync()
        {
            var (east, west) = (_east.Count("/frames/1"), _west.Count("/frames/1"));
            await proxy.GetAsync(Series + "/metadata");
            Assert.Equal(
                200,
                (int)(await proxy.GetAsync(
                    Frame.Replace("/frames/1", "/frames/1?" + time.GetUtcNow().Ticks, StringComparison.Ordinal),
                    ("Accept", $"multipart/related; type=\"application/octet-stream\"; transfer-syntax=1.2.840.10008.1.2.4.{_next++}")))
                        .Status);
            return (
                _east.Count("/frames/1") - east, _west.Count("/frames/1") - west) switch
            {
                (1, 0) => "east",
                (0, 1) => "west",
                var other => $"{other}"
            };
        }

        Assert.Equal("east", await OwnerAsync());
        _east.Fail(500);
        time.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal("west", await OwnerAsync());
        _east.Recover();

        // The east answers series lists again: the series does not move back within the first minute.
        for (var seconds = 0; seconds < 55; seconds += 11)
        {
            time.Advance(TimeSpan.FromSeconds(11));
            Assert.Equal("west", await OwnerAsync());
        }
        time.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal("east", await OwnerAsync());
    }

    [Fact]
    public async Task MovesTheSeries_WhenAnotherBackendHasMoreInstances()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address)) { Time = time };
        _east.Hold(Study(instances: 3));
        _west.Hold(Study(instances: 3));
        Assert.Equal(3, (await proxy.GetAsync(Series + "/metadata")).Rows.Count);
        _west.Hold(Study(instances: 6));

        time.Advance(TimeSpan.FromMinutes(2));

        Assert.Equal(6, (await proxy.GetAsync(Series + "/metadata")).Rows.Count);
        Assert.Equal(200, (int)(await proxy.GetAsync(Frame)).Status);
        Assert.Equal(1, _west.Count("/frames/1"));
        Assert.Equal(6, (int)(await proxy.GetAsync("/dicomweb/studies")).Rows[0]!["00201208"]!["Value"]![0]!);
    }

    [Theory]
    [InlineData(404)]
    [InlineData(410)]
    public async Task ReturnsItsStatusWithoutAskingAnotherHolder_WhenTheOwnerLacksTheFrame(int status)
    {
        _east.Hold(Study(instances: 5));
        _west.Hold(Study(instances: 5));
        Assert.Equal(5, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
        _east.Fail(status, "/frames/1");

        (await _proxy.GetAsync(Frame)).IsProblem(status);

        Assert.Equal(0, _west.Count("/frames/1") + _west.Count("/metadata"));
        Assert.Equal(200, (int)(await _proxy.GetAsync(Series + "/metadata")).Status);
        Assert.Equal(0, _west.Count("/metadata"));
    }

    [Theory]
    [InlineData(500)]
    [InlineData(406)]
    public async Task KeepsTheOwner_WhenItCannotProduceAForm(int status)
    {
        _east.Hold(Study(instances: 5));
        _west.Hold(Study(instances: 5));
        Assert.Equal(5, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
        _east.Fail(status, "/frames/1");

        (await _proxy.GetAsync(Frame, ("Accept", "multipart/related; type=\"image/jp2\"; transfer-syntax=1.2.840.10008.1.2.4.90")))
            .IsProblem(406);

        _east.Recover();
        Assert.Equal(200, (int)(await _proxy.GetAsync(Frame)).Status);
        Assert.Equal(0, _west.Count("/frames/1") + _west.Count("/metadata"));
    }

    [Fact]
    public async Task ServesAFrameOfAnotherHolder_WhenTheOwnerLostTheSeries()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address)) { Time = time };
        _east.Hold(Study(instances: 5));
        _west.Hold(Study(instances: 5));
        Assert.Equal(5, (await proxy.GetAsync(Series + "/metadata")).Rows.Count);
        _east.Archive.Drop("1.2.1");
        time.Advance(TimeSpan.FromSeconds(30));

        Assert.Equal(200, (int)(await proxy.GetAsync(Frame)).Status);
        Assert.Equal(1, _west.Count("/frames/1"));
    }

    [Theory]
    [InlineData(200)]
    [InlineData(204)]
    public async Task Returns502AndDoesNotRememberIt_WhenAListedSeriesHasNoMetadata(int status)
    {
        _east.Hold(Study(instances: 3));
        _east.Respond(PacsAnswer.Text(status, "application/dicom+json", status == 200 ? "[]" : ""), "/metadata");

        (await _proxy.GetAsync(Series + "/metadata")).IsProblem(502, names: "east");
        Assert.Equal(2, _east.Count("/metadata"));

        _east.Recover();
        Assert.Equal(3, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
        Assert.Equal(200, (int)(await _proxy.GetAsync(Frame)).Status);
    }

    [Fact]
    public async Task AsksAnotherHolder_WhenTheFirstListsASeriesWithoutMetadata()
    {
        _east.Hold(Study(instances: 3));
        _west.Hold(Study(instances: 3));
        _east.Respond(PacsAnswer.Json("[]"), "/metadata");

        Assert.Equal(3, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
        Assert.Equal(1, _west.Count("/metadata"));
    }

    private static HeldStudy Study(int instances) => new HeldStudy("1.2.1").With("1.2.1.1", "CT", instances);
}
