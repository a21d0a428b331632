using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A series belongs to one backend, for its metadata and all its pixels; the others stand in for it, whole.</summary>
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
    public async Task IsTheOneWithMoreInstances()
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
    public async Task IsThePreferredOne_WhereBothHaveAsMany(string owner, int east, int west)
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
    public async Task AnotherHolderAnswersWhole_WhenTheOwnerFails(int status)
    {
        _east.Hold(Study(instances: 5));
        _west.Hold(Study(instances: 3));
        _east.Fail(status, "/metadata");
        _east.Fail(status, "/frames/1");

        Assert.Equal(3, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
        Assert.Equal(200, (int)(await _proxy.GetAsync(Frame)).Status);
    }

    [Fact]
    public async Task AnotherHolderIsFound_ThoughItWasTooLateToSayThatItHasTheSeries()
    {
        using var west = new RawPacs(Study(instances: 3));
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address)) { ["Search:Deadline"] = "00:00:02" };
        _east.Hold(Study(instances: 3));
        var isLetGo = new TaskCompletionSource();
        west.On("/series", async c =>
        {
            await c.WaitForLeaveAsync();
            isLetGo.TrySetResult();
        });
        Assert.Equal(3, (await proxy.GetAsync(Series + "/metadata")).Rows.Count);
        await isLetGo.Task.WaitAsync(TestContext.Current.CancellationToken);
        west.Mend();
        _east.Fail(500);

        Assert.Equal(200, (int)(await proxy.GetAsync(Frame)).Status);
    }

    [Fact]
    public async Task AStudyWithoutTheSeriesOfAPacsThatFailed_IsNobodysToKeep()
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
    public async Task APacsThatDoesNotSearch_GivesWhatItHoldsAllTheSame()
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
    public async Task TheRootOfOneBackend_NeverAsksAnother()
    {
        _east.Hold(Study(instances: 3));
        _west.Hold(Study(instances: 5));

        var east = await _proxy.GetAsync(Series.Replace("/dicomweb", "/backends/east/dicomweb", StringComparison.Ordinal) + "/metadata");

        Assert.Equal(3, east.Rows.Count);
        Assert.Empty(_west.Requests);
        Assert.All(east.Rows, r => Assert.StartsWith($"{_proxy.Address}/backends/east/dicomweb/", (string)r!["7FE00010"]!["BulkDataURI"]!));
    }

    [Fact]
    public async Task ASlowBackendThatHasNothing_DoesNotHoldUpThePicture()
    {
        _east.Hold(Study(instances: 3));
        var gate = _west.Hang();

        Assert.Equal(200, (int)(await _proxy.GetAsync(Series + "/metadata")).Status);
        Assert.Equal(200, (int)(await _proxy.GetAsync(Frame)).Status);

        Assert.False(gate.IsOpen);
    }

    [Fact]
    public async Task ALatePacsThatIsNotWaitedFor_IsLetGoAtTheDeadline()
    {
        using var west = new RawPacs();
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address)) { ["Search:Deadline"] = "00:00:02" };
        _east.Hold(Study(instances: 3));
        var letGo = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        west.On("/series", async connection =>
        {
            await connection.WaitForLeaveAsync();
            letGo.SetResult();
        });

        Assert.Equal(3, (await proxy.GetAsync(Series + "/metadata")).Rows.Count);

        await letGo.Task.WaitAsync(Until.Patience, TimeProvider.System, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task AFrameOfAnotherHolder_ComesWithItsOwnMetadata()
    {
        _east.Hold(Study(instances: 5));
        _west.Hold(Study(instances: 5));
        Assert.Equal(5, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
        Assert.Equal(1, _east.Count("/metadata"));
        _east.Fail(500);

        Assert.Equal(200, (int)(await _proxy.GetAsync(Frame)).Status);
        Assert.Equal(1, _west.Count("/metadata"));
        _east.Mend();

        // The series has moved: its metadata and the next frames are west's, though east is back.
        await _proxy.GetAsync(Series + "/metadata");
        Assert.Equal(200, (int)(await _proxy.GetAsync(Frame.Replace("1.2.1.1.1/", "1.2.1.1.2/", StringComparison.Ordinal))).Status);
        Assert.Equal(1, _east.Count("/metadata"));
        Assert.Equal(1, _west.Count("1.2.1.1.2/frames/1"));
        Assert.Equal(0, _east.Count("1.2.1.1.2/frames/1"));
    }

    [Fact]
    public async Task AFrameThatNoOtherHolderHas_IsTheOwnersFailure()
    {
        _east.Hold(Study(instances: 5));
        _west.Hold(Study(instances: 3));
        await _proxy.GetAsync(Series + "/metadata");
        _east.Fail(500);

        (await _proxy.GetAsync(Frame.Replace("1.2.1.1.1/", "1.2.1.1.4/", StringComparison.Ordinal))).IsProblem(502, names: "east");
        Assert.Equal(0, _west.Count("/frames/1"));
    }

    [Fact]
    public async Task ASeriesComesBackToItsOwner_WhenThatHasAnsweredWellForAWhile()
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
        _east.Mend();

        // East answers its series lists again: for a minute that is no reason to move back.
        for (var seconds = 0; seconds < 55; seconds += 11)
        {
            time.Advance(TimeSpan.FromSeconds(11));
            Assert.Equal("west", await OwnerAsync());
        }
        time.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal("east", await OwnerAsync());
    }

    [Fact]
    public async Task ASeriesMovesToWhoHasMoreOfIt()
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
    public async Task AFrameThatTheOwnerDoesNotHave_IsNotTakenFromAnotherHolder(int status)
    {
        _east.Hold(Study(instances: 5));
        _west.Hold(Study(instances: 5));
        Assert.Equal(5, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
        _east.Fail(status, "/frames/1");

        (await _proxy.GetAsync(Frame)).IsProblem(404);

        Assert.Equal(0, _west.Count("/frames/1") + _west.Count("/metadata"));
        Assert.Equal(200, (int)(await _proxy.GetAsync(Series + "/metadata")).Status);
        Assert.Equal(0, _west.Count("/metadata"));
    }

    [Theory]
    [InlineData(500)]
    [InlineData(406)]
    public async Task AFrameThatTheOwnerCannotGiveInThisForm_DoesNotMoveTheSeries(int status)
    {
        _east.Hold(Study(instances: 5));
        _west.Hold(Study(instances: 5));
        Assert.Equal(5, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
        _east.Fail(status, "/frames/1");

        (await _proxy.GetAsync(Frame, ("Accept", "multipart/related; type=\"image/jp2\"; transfer-syntax=1.2.840.10008.1.2.4.90")))
            .IsProblem(406);

        _east.Mend();
        Assert.Equal(200, (int)(await _proxy.GetAsync(Frame)).Status);
        Assert.Equal(0, _west.Count("/frames/1") + _west.Count("/metadata"));
    }

    [Fact]
    public async Task AFrameOfASeriesThatTheOwnerNoLongerHas_ComesFromAnotherHolder()
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
    public async Task NoMetadataOfASeriesThatIsListedWithInstances_IsABadAnswer_AndIsNotRemembered(int status)
    {
        _east.Hold(Study(instances: 3));
        _east.Say(PacsAnswer.Text(status, "application/dicom+json", status == 200 ? "[]" : ""), "/metadata");

        (await _proxy.GetAsync(Series + "/metadata")).IsProblem(502, names: "east");
        Assert.Equal(2, _east.Count("/metadata"));

        _east.Mend();
        Assert.Equal(3, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
        Assert.Equal(200, (int)(await _proxy.GetAsync(Frame)).Status);
    }

    [Fact]
    public async Task AnotherHolderGivesTheMetadata_WhereTheFirstHasNoneOfASeriesThatItLists()
    {
        _east.Hold(Study(instances: 3));
        _west.Hold(Study(instances: 3));
        _east.Say(PacsAnswer.Json("[]"), "/metadata");

        Assert.Equal(3, (await _proxy.GetAsync(Series + "/metadata")).Rows.Count);
        Assert.Equal(1, _west.Count("/metadata"));
    }

    private static HeldStudy Study(int instances) => new HeldStudy("1.2.1").With("1.2.1.1", "CT", instances);
}
