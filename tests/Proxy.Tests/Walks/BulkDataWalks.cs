using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Bulk data, by the address that metadata gives.</summary>
public sealed class BulkDataWalks : IDisposable
{
    private const string Instance = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1";

    private static readonly (string, string) Multipart = ("Accept", "multipart/related; type=\"application/octet-stream\"");

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    private readonly ProxyHost _proxy;

    public BulkDataWalks() => _proxy = new(("east", _east.Address));

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    [Fact]
    public async Task ComesByTheAddressInTheMetadata_AsOnePartOrAlone_AndIsAskedForOnce()
    {
        var place = await PlaceAsync();

        var multipart = await _proxy.GetAsync(place, Multipart);
        var single = await _proxy.GetAsync(place);
        var again = await _proxy.GetAsync(place, ("If-None-Match", single["ETag"]));

        var bytes = Archive.BulkDataOf("1.2.1.1.1", "7fe00010");
        Assert.Equal(bytes, Assert.Single(Parts.Of(multipart)).Body);
        Assert.Equal("Proxy; fwd=miss; stored", multipart.CacheStatus);
        Assert.Equal(bytes, single.Body);
        Assert.Equal("application/octet-stream", single["Content-Type"]);
        Assert.Equal("Proxy; hit", single.CacheStatus);
        Assert.Equal(304, (int)again.Status);
        Assert.Equal(1, _east.Count("/bulk/7fe00010"));
    }

    [Fact]
    public async Task WorksAtTheRootOfOneBackend_AndNotAtAnothers()
    {
        using var west = new WireMockPacs();
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address));
        var metadata = await proxy.GetAsync("/backends/east/dicomweb/studies/1.2.1/series/1.2.1.1/metadata");
        var place = new Uri((string)metadata.Rows[0]!["7FE00010"]!["BulkDataURI"]!).AbsolutePath;

        Assert.Equal(200, (int)(await proxy.GetAsync(place)).Status);
        (await proxy.GetAsync(place.Replace("/backends/east/", "/backends/west/", StringComparison.Ordinal))).IsProblem(404);
        (await proxy.GetAsync(place.Replace("/bulkdata/east/", "/bulkdata/north/", StringComparison.Ordinal))).IsProblem(404);
        Assert.Empty(west.Requests);
    }

    [Theory]
    [InlineData("http://169.254.169.254/latest/meta-data/")]
    [InlineData("file:///etc/passwd")]
    [InlineData("//evil.example/dicom-web/x")]
    [InlineData("../../../../../../../system")]
    [InlineData("https://evil.example/dicom-web/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/bulk/7fe00010")]
    public async Task APlaceThatABackendNames_NeverLeadsElsewhere(string named)
    {
        _east.Say(
            PacsAnswer.Json($$$"""[{"00080018":{"vr":"UI","Value":["1.2.1.1.1"]},"0020000D":{"vr":"UI","Value":["1.2.1"]},"0020000E":{"vr":"UI","Value":["1.2.1.1"]},"7FE00010":{"vr":"OW","BulkDataURI":"{{{named}}}"}}]"""),
            "/metadata");

        var metadata = await _proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata");
        var place = (string)metadata.Rows[0]!["7FE00010"]!["BulkDataURI"]!;
        Assert.StartsWith(_proxy.Address + "/dicomweb/", place);
        var reply = await _proxy.GetAsync(place[_proxy.Address.Length..]);

        if (reply.Status is not System.Net.HttpStatusCode.OK) reply.IsProblem(404);
        Assert.All(_east.Requests, r => Assert.StartsWith("studies/1.2.1/", r.Path));
    }

    [Theory]
    [InlineData("/bulkdata/east/")]
    [InlineData("/bulkdata/east/../../../../../../system")]
    [InlineData("/bulkdata/east/%2e%2e/%2e%2e/system")]
    [InlineData("/bulkdata/east/bulk%2f..%2f..%2fsystem")]
    [InlineData("/bulkdata/east/bulk/%252e%252e/system")]
    [InlineData("/bulkdata/east//system")]
    [InlineData("/bulkdata/east/bulk\\..\\system")]
    [InlineData("/bulkdata/east/bulk/%0d%0aHost:evil")]
    [InlineData("/bulkdata/east/bulk/%00")]
    [InlineData("/bulkdata/east/./bulk")]
    [InlineData("/bulkdata/north/bulk/7fe00010")]
    [InlineData("/bulkdata")]
    public async Task AHostilePlaceReachesNobody(string place)
    {
        var reply = await _proxy.GetAsync(Instance + place);

        Assert.InRange((int)reply.Status, 400, 499);
        // The server itself refuses a zero character, without a word.
        if (!place.Contains("%00", StringComparison.Ordinal)) reply.IsProblem((int)reply.Status);
        Assert.Empty(_east.Requests);
    }

    [Fact]
    public async Task WhatThePacsDoesNotHaveIs404_AndIsNotKept()
    {
        var place = await PlaceAsync();
        _east.Fail(404, "/bulk/7fe00010");
        (await _proxy.GetAsync(place)).IsProblem(404);
        _east.Fail(500, "/bulk/7fe00010");
        (await _proxy.GetAsync(place)).IsProblem(502);
        _east.Say(PacsAnswer.Text(200, "text/html", "<html>Please log in</html>"), "/bulk/7fe00010");
        (await _proxy.GetAsync(place)).IsProblem(502);

        _east.Mend();
        Assert.Equal(200, (int)(await _proxy.GetAsync(place)).Status);
    }

    private async Task<string> PlaceAsync()
    {
        var metadata = await _proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata");
        return ((string)metadata.Rows[0]!["7FE00010"]!["BulkDataURI"]!)[_proxy.Address.Length..];
    }
}
