using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Bulk data, requested by the address in the metadata.</summary>
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
    public async Task ServesBulkDataAsMultipartOrSinglePart_WithOneRequestToThePacs()
    {
        var address = await GetAddressAsync();

        var multipart = await _proxy.GetAsync(address, Multipart);
        var single = await _proxy.GetAsync(address);
        var again = await _proxy.GetAsync(address, ("If-None-Match", single["ETag"]));

        var bytes = Archive.GetBulkData("1.2.1.1.1", "7fe00010");
        Assert.Equal(bytes, Assert.Single(Parts.Read(multipart)).Body);
        Assert.Equal("Proxy; fwd=miss; stored", multipart.CacheStatus);
        Assert.Equal(bytes, single.Body);
        Assert.Equal("application/octet-stream", single["Content-Type"]);
        Assert.Equal("Proxy; hit", single.CacheStatus);
        Assert.Equal(304, (int)again.Status);
        Assert.Equal(1, _east.Count("/bulk/7fe00010"));
    }

    [Fact]
    public async Task Returns404_WhenALinkIsUsedAtTheRootOfAnotherBackend()
    {
        using var west = new WireMockPacs();
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address));
        var metadata = await proxy.GetAsync("/backends/east/dicomweb/studies/1.2.1/series/1.2.1.1/metadata");
        var address = new Uri((string)metadata.Rows[0]!["7FE00010"]!["BulkDataURI"]!).AbsolutePath;

        Assert.Equal(200, (int)(await proxy.GetAsync(address)).Status);
        (await proxy.GetAsync(address.Replace("/backends/east/", "/backends/west/", StringComparison.Ordinal))).IsProblem(404);
        (await proxy.GetAsync(address.Replace("/bulkdata/east/", "/bulkdata/north/", StringComparison.Ordinal))).IsProblem(404);
        Assert.Empty(west.Requests);
    }

    [Theory]
    [InlineData("http://169.254.169.254/latest/meta-data/")]
    [InlineData("file:///etc/passwd")]
    [InlineData("//evil.example/dicom-web/x")]
    [InlineData("../../../../../../../system")]
    [InlineData("https://evil.example/dicom-web/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/bulk/7fe00010")]
    public async Task NeverAsksAnotherHost_WhenABackendNamesAForeignAddress(string named)
    {
        _east.Respond(Named(named), "/metadata");

        var metadata = await _proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata");
        var address = (string)metadata.Rows[0]!["7FE00010"]!["BulkDataURI"]!;
        Assert.StartsWith(_proxy.Address + "/dicomweb/", address);
        var reply = await _proxy.GetAsync(address[_proxy.Address.Length..]);

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
    [InlineData("/bulkdata/east/bulk/7fe00010")]
    [InlineData("/bulkdata/east/studies?PatientName=DOE")]
    [InlineData("/bulkdata/east/servers")]
    [InlineData("/bulkdata/east/info")]
    [InlineData("/bulkdata/east/YnVsay83ZmUwMDAxMA")]
    [InlineData("/bulkdata/east/YnVsay83ZmUwMDAxMAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("/bulkdata")]
    public async Task AsksNoPacs_WhenTheTokenIsForged(string address)
    {
        var reply = await _proxy.GetAsync(Instance + address);

        Assert.InRange((int)reply.Status, 400, 499);
        // Kestrel itself refuses a zero character with an empty body.
        if (!address.Contains("%00", StringComparison.Ordinal)) reply.IsProblem((int)reply.Status);
        Assert.Empty(_east.Requests);
    }

    [Fact]
    public async Task Returns404AndCachesNothing_WhenThePacsHasNoSuchBulkData()
    {
        var address = await GetAddressAsync();
        _east.Fail(404, "/bulk/7fe00010");
        (await _proxy.GetAsync(address)).IsProblem(404);
        _east.Fail(500);
        (await _proxy.GetAsync(address)).IsProblem(502);
        _east.Recover();
        _east.Respond(PacsAnswer.Text(200, "text/html", "<html>Please log in</html>"), "/bulk/7fe00010");
        (await _proxy.GetAsync(address)).IsProblem(502);

        _east.Recover();
        Assert.Equal(200, (int)(await _proxy.GetAsync(address)).Status);
    }

    [Theory]
    [InlineData("")]
    [InlineData("/studies/1.2.1")]
    [InlineData("/studies/1.2.1/series/1.2.1.1")]
    public async Task Returns404_WhenALinkNamesAnotherBackendPath(string resource)
    {
        foreach (var address in (string[])["studies?PatientName=DOE", "servers", "info", "bulk/7fe00010"])
            (await _proxy.GetAsync($"/dicomweb{resource}/bulkdata/east/{address}")).IsProblem(404);

        Assert.Empty(_east.Requests);
    }

    [Fact]
    public async Task AcceptsAToken_OnlyUnchangedAndForItsInstanceAndBackend()
    {
        _east.Archive.Hold(new HeldStudy("1.2.2").With("1.2.2.1"));
        var address = await GetAddressAsync();
        var expected = _east.Requests.Count;

        (await _proxy.GetAsync(address.Replace("1.2.1.1.1", "1.2.1.1.2", StringComparison.Ordinal))).IsProblem(404);
        (await _proxy.GetAsync(address.Replace("1.2.1", "1.2.2", StringComparison.Ordinal))).IsProblem(404);
        (await _proxy.GetAsync(address.Replace("/instances/1.2.1.1.1", "", StringComparison.Ordinal))).IsProblem(404);
        (await _proxy.GetAsync(address[..^1])).IsProblem(404);
        (await _proxy.GetAsync(address[..^2] + (address[^2] == 'A' ? "B" : "A") + address[^1])).IsProblem(404);
        (await _proxy.GetAsync(address.Replace("/bulkdata/east/", "/bulkdata/east/A", StringComparison.Ordinal))).IsProblem(404);

        Assert.Equal(expected, _east.Requests.Count);
        Assert.Equal(200, (int)(await _proxy.GetAsync(address + "?x=1")).Status);
        Assert.Equal("", _east.Requests[^1].Query);
    }

    [Theory]
    [InlineData("{0}/bulk/a%20b", "/bulk/a%20b")]
    [InlineData("{0}/bulk/a b", "/bulk/a%20b")]
    [InlineData("{0}/bulk/a%2Fb/c%2fd", "/bulk/a%2Fb/c%2fd")]
    [InlineData("{0}/bulk/größe/日本", "/bulk/gr%C3%B6%C3%9Fe/%E6%97%A5%E6%9C%AC")]
    [InlineData("{0}/bulk/%E9", "/bulk/%E9")]
    [InlineData("{0}/bulk/1%25?tag=7FE00010&x=%26%2F", "/bulk/1%25?tag=7FE00010&x=%26%2F")]
    [InlineData("instances/1.2.1.1.1/bulk/(0042,0011)[1]", "/bulk/(0042,0011)%5B1%5D")]
    public async Task SendsTheBulkDataPathAsTheBackendWroteIt(string written, string expected)
    {
        using var east = new RawPacs(new HeldStudy("1.2.1").With("1.2.1.1"));
        await using var proxy = new ProxyHost(("east", east.Address));
        var instance = $"{east.Address}/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1";
        NameUri(east, string.Format(System.Globalization.CultureInfo.InvariantCulture, written, instance));

        var reply = await proxy.GetAsync(await GetAddressAsync(proxy));

        Assert.StartsWith(
            "/dicom-web/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1" + expected, east.Requests[^1].Target, StringComparison.Ordinal);
        Assert.Equal(200, (int)reply.Status);
        Assert.Equal("Proxy; hit", (await proxy.GetAsync(await GetAddressAsync(proxy))).CacheStatus);
    }

    [Theory]
    [InlineData("bulkdata/7", "studies/1.2.1/series/1.2.1.1/bulkdata/7", "studies/1.2.1/bulkdata/7")]
    [InlineData(
        "series/1.2.1.1/instances/1.2.1.1.1/bulk/7",
        "studies/1.2.1/series/1.2.1.1/series/1.2.1.1/instances/1.2.1.1.1/bulk/7",
        "studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/bulk/7")]
    public async Task ResolvesARelativeUriAgainstTheStudy_WhenTheSeriesDoesNotHaveIt(string written, string first, string second)
    {
        _east.Respond(Named(written), "/metadata");
        var address = await GetAddressAsync();
        _east.Recover();
        _east.Respond(Archive.Multipart("application/octet-stream", [1, 2, 3, 4]), second);
        _east.Fail(404, first);

        var reply = await _proxy.GetAsync(address);

        Assert.Equal([1, 2, 3, 4], reply.Body);
        Assert.Equal([first, second], _east.Requests.TakeLast(2).Select(r => r.Path));
        Assert.Equal("Proxy; hit", (await _proxy.GetAsync(address)).CacheStatus);
    }

    [Fact]
    public async Task PurgesBulkDataWithItsStudy_WhenItsPathNamesNoStudy()
    {
        _east.Respond(Named(_east.Address + "/bulk/1?name=DOE"), "/metadata");
        _east.Respond(Archive.Multipart("application/octet-stream", [1, 2, 3, 4]), "bulk/1");
        var address = await GetAddressAsync();

        Assert.Contains("/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/bulkdata/", address, StringComparison.Ordinal);
        Assert.Equal([1, 2, 3, 4], (await _proxy.GetAsync(address)).Body);
        Assert.Equal(("bulk/1", "?name=DOE"), (_east.Requests[^1].Path, _east.Requests[^1].Query));
        Assert.Equal("Proxy; hit", (await _proxy.GetAsync(address)).CacheStatus);
        Assert.Equal(204, (int)(await _proxy.SendAsync(HttpMethod.Delete, "/cache/studies/1.2.1", [])).Status);
        Assert.Equal("Proxy; fwd=miss; stored", (await _proxy.GetAsync(address)).CacheStatus);
        Assert.Equal(2, _east.Count("bulk/1"));
    }

    [Theory]
    [InlineData("application/dicom+json")]
    [InlineData("application/json")]
    [InlineData("application/xhtml+xml")]
    [InlineData("Text/HTML")]
    public async Task Returns502AndCachesNothing_WhenTheTypeIsNoBulkData(string type)
    {
        var address = await GetAddressAsync();
        _east.Respond(PacsAnswer.Text(200, type, $$"""[{"x":"{{_east.Address}}"}]"""), "/bulk/7fe00010");
        (await _proxy.GetAsync(address)).IsProblem(502);
        _east.Respond(Archive.Multipart(type, "[]"u8.ToArray()), "/bulk/7fe00010");
        (await _proxy.GetAsync(address)).IsProblem(502);

        _east.Recover();
        Assert.Equal("Proxy; fwd=miss; stored", (await _proxy.GetAsync(address)).CacheStatus);
    }

    [Fact]
    public async Task KeepsLinksValidAfterARestart_WhenADiskIsConfigured()
    {
        var folder = Directory.CreateTempSubdirectory("proxy-links-").FullName;
        try
        {
            string address;
            await using (var first = new ProxyHost(("east", _east.Address)) { ["Cache:Disk:Path"] = folder })
                address = await GetAddressAsync(first);
            await using var second = new ProxyHost(("east", _east.Address)) { ["Cache:Disk:Path"] = folder };

            Assert.Equal(200, (int)(await second.GetAsync(address)).Status);
            Assert.Equal(address, await GetAddressAsync(second));
            var key = Path.Join(folder, "links.key");
            Assert.Equal(32, new FileInfo(key).Length);
            if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(key));
        }
        finally
        {
            await Until.DeletedAsync(folder);
        }
    }

    [Fact]
    public async Task ChangesTheETagOfMetadata_WhenTheSigningKeyChanges()
    {
        await using var other = new ProxyHost(("east", _east.Address));
        const string Metadata = "/dicomweb/studies/1.2.1/series/1.2.1.1/metadata";
        var tag = (await _proxy.GetAsync(Metadata))["ETag"];

        Assert.Equal(304, (int)(await _proxy.GetAsync(Metadata, ("If-None-Match", tag))).Status);
        Assert.Equal(200, (int)(await other.GetAsync(Metadata, ("If-None-Match", tag))).Status);
    }

    private static PacsAnswer Named(string uri) => PacsAnswer.Json(
        """[{"00080018":{"vr":"UI","Value":["1.2.1.1.1"]},"0020000D":{"vr":"UI","Value":["1.2.1"]},"0020000E":""" +
        $$$"""{"vr":"UI","Value":["1.2.1.1"]},"7FE00010":{"vr":"OW","BulkDataURI":"{{{uri}}}"}}]""");

    /// <summary>The metadata names <paramref name="uri"/>; every other path returns four bytes.</summary>
    private static void NameUri(RawPacs east, string uri)
    {
        var octets = Archive.Multipart("application/octet-stream", [1, 2, 3, 4]);
        east.On(
            "",
            connection => east.Requests[^1].Target.Contains("/bulk/", StringComparison.Ordinal)
                ? SendAsync(connection, octets)
                : east.AnswerAsync(connection));
        east.On("/metadata", connection => SendAsync(connection, Named(uri)));
    }

    private static async Task SendAsync(RawConnection connection, PacsAnswer answer)
    {
        await connection.SendAsync(
            $"HTTP/1.1 200 OK\r\nContent-Type: {answer.ContentType}\r\nContent-Length: {answer.Body.Length}\r\n\r\n");
        await connection.SendAsync(answer.Body);
    }

    private Task<string> GetAddressAsync() => GetAddressAsync(_proxy);

    private static async Task<string> GetAddressAsync(ProxyHost proxy)
    {
        var metadata = await proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata");
        return ((string)metadata.Rows[0]!["7FE00010"]!["BulkDataURI"]!)[proxy.Address.Length..];
    }
}
