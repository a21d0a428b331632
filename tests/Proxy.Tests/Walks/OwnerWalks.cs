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

    private static HeldStudy Study(int instances) => new HeldStudy("1.2.1").With("1.2.1.1", "CT", instances);
}
