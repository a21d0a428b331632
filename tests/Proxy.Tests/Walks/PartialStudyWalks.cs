using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Whole studies while one of two PACS fails: its last known series list decides (PS3.18 §10.4).</summary>
public sealed class PartialStudyWalks : IDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";

    private static readonly (string, string) Dicom = ("Accept", "multipart/related; type=\"application/dicom\"; transfer-syntax=*");

    private static readonly (string, string) Fresh = ("Cache-Control", "no-cache");

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 2));

    private readonly WireMockPacs _west = new(
        new HeldStudy("1.2.1").With("1.2.1.9", "MR", 1), new HeldStudy("1.2.5").With("1.2.5.1", "CT", 1));

    public void Dispose()
    {
        _east.Dispose();
        _west.Dispose();
    }

    [Fact]
    public async Task ServesTheStudyAndNamesThePacs_WhenTheFailedPacsNeverListedIt()
    {
        using var proxy = Start();
        _west.Fail(500);

        var instances = await proxy.GetAsync(Study, Dicom);
        var metadata = await proxy.GetAsync(Study + "/metadata");

        Assert.Equal(2, Parts.Read(instances).Count);
        Assert.Contains("west", instances["Warning"]);
        Assert.Equal(200, (int)metadata.Status);
        Assert.Contains("west", metadata["Warning"]);
        Assert.Equal("no-store", instances["Cache-Control"]);
        Assert.Equal("no-store", metadata["Cache-Control"]);
    }

    [Fact]
    public async Task ReturnsAProblemThatNamesTheSeries_WhenOnlyTheFailedPacsHoldsThem()
    {
        using var proxy = Start();
        await proxy.GetAsync(Study + "/series");
        _west.Fail(500);

        var instances = await proxy.GetAsync(Study, Dicom);
        var metadata = await proxy.GetAsync(Study + "/metadata", Fresh);

        instances.IsProblem(503, "1.2.1.9");
        Assert.Contains("west", instances.Text);
        metadata.IsProblem(503, "1.2.1.9");
    }

    [Fact]
    public async Task ServesAPartialStudyWithAWarning_WhenTheSettingsAllowIt()
    {
        using var proxy = Start();
        proxy["Retrieve:AllowPartial"] = "true";
        await proxy.GetAsync(Study + "/series");
        _west.Fail(500);

        var instances = await proxy.GetAsync(Study, Dicom);

        Assert.Equal(2, Parts.Read(instances).Count);
        Assert.Contains("1.2.1.9", instances["Warning"]);
        Assert.Equal("west", instances["X-Failed-Backends"]);
        Assert.Equal("no-store", instances["Cache-Control"]);
    }

    [Fact]
    public async Task ServesACompletelyCachedStudy_WhenAPacsFails()
    {
        using var proxy = Start();
        await proxy.GetAsync(Study + "/series/1.2.1.9/instances/1.2.1.9.1", Dicom);
        await proxy.GetAsync(Study + "/metadata");
        _west.Fail(500);

        var instances = await proxy.GetAsync(Study, Dicom);

        Assert.Equal(3, Parts.Read(instances).Count);
    }

    private ProxyHost Start()
    {
        var proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address));
        // The proxy requests series lists again at once, and prefetches nothing.
        proxy["Cache:Metadata:Freshness"] = "00:00:00";
        proxy["Prefetch:SeriesReadAhead"] = "false";
        proxy["Prefetch:NextStudies"] = "0";
        proxy["Prefetch:Priors"] = "0";
        return proxy;
    }
}
