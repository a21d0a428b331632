using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Whole instances over WADO-RS and WADO-URI.</summary>
public sealed class InstanceWalks : IDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";

    private const string Instance = Study + "/series/1.2.1.1/instances/1.2.1.1.2";

    private static readonly (string, string) Dicom = ("Accept", "multipart/related; type=\"application/dicom\"; transfer-syntax=*");

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 3).With("1.2.1.2", "SR", 1));

    private readonly ProxyHost _proxy;

    public InstanceWalks() => _proxy = new(("east", _east.Address));

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    [Fact]
    public async Task AsksForAnInstanceOnce_ForEveryWrapping()
    {
        var part = await _proxy.GetAsync(Instance, Dicom);
        var alone = await _proxy.GetAsync(Instance, ("Accept", "application/dicom; transfer-syntax=*"));
        var uri = await _proxy.GetAsync(
            "/dicomweb?requestType=WADO&studyUID=1.2.1&seriesUID=1.2.1.1&objectUID=1.2.1.1.2" +
            "&contentType=application/dicom&transferSyntax=*");

        Assert.Equal(Archive.GetFile("1.2.1.1.2"), Assert.Single(Parts.Read(part)).Body);
        Assert.Equal(Archive.GetFile("1.2.1.1.2"), alone.Body);
        Assert.Equal(Archive.GetFile("1.2.1.1.2"), uri.Body);
        Assert.StartsWith("application/dicom", uri["Content-Type"]);
        Assert.Equal("Proxy; hit", uri.CacheStatus);
        Assert.Equal(1, _east.Count("/instances/1.2.1.1.2"));
    }

    [Theory]
    [InlineData(Study + "/series/1.2.1.1", 3)]
    [InlineData(Study, 4)]
    public async Task ServesAllInstances_InOneAnswer(string path, int count)
    {
        var parts = Parts.Read(await _proxy.GetAsync(path, Dicom));

        Assert.Equal(count, parts.Count);
        Assert.Equal(Archive.GetFile("1.2.1.1.1"), parts[0].Body);
    }

    [Fact]
    public async Task AbortsTheAnswer_WhenAnInstanceCannotBeFetched()
    {
        _east.Fail(500, "/instances/1.2.1.1.3");

        await Assert.ThrowsAsync<HttpRequestException>(() => _proxy.GetAsync(Study, Dicom));
    }
}
