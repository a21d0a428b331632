using System.Text;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The media type in which a client gets bulk data: by its Accept header, the PACS and the cache.</summary>
public sealed class BulkDataFormWalks : IDisposable
{
    private const string Bulk = "/bulk/7fe00010";
    private const string Octets = "application/octet-stream";

    private static readonly byte[] Pdf = [.. "%PDF-1.4\n"u8, .. Pixels.Create("pdf", 1000)];
    private static readonly byte[] Mp4 = [0, 0, 0, 32, .. "ftypisom"u8, .. Pixels.Create("mp4", 5000)];
    private static readonly byte[] Jp2 = Pixels.In("1.2.840.10008.1.2.4.90", "jp2", 3000);

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    private readonly ProxyHost _proxy;

    public BulkDataFormWalks() => _proxy = new(("east", _east.Address));

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    [Theory]
    [InlineData("", "application/pdf", false)]
    [InlineData("*/*", "application/pdf", false)]
    [InlineData("text/html, application/xhtml+xml, image/avif, image/webp, */*;q=0.8", "application/pdf", false)]
    [InlineData(Octets, Octets, false)]
    [InlineData(Octets + "; transfer-syntax=*", Octets, false)]
    [InlineData(
        "multipart/related; type=\"application/pdf\", multipart/related; type=\"application/octet-stream\"", "application/pdf", true)]
    [InlineData("multipart/related; type=application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1", Octets, true)]
    [InlineData("multipart/related", Octets, true)]
    [InlineData("application/pdf;q=0.5, application/octet-stream;q=0.4", "application/pdf", false)]
    [InlineData("application/pdf;q=0, application/octet-stream", Octets, false)]
    public async Task LabelsADocumentAsTheClientAcceptsIt(string accept, string type, bool isMultipart)
    {
        Answer(request => request.Contains("pdf", StringComparison.Ordinal) ? Refuse() : Archive.Multipart(Octets, Pdf));
        var address = await GetAddressAsync();

        var cold = await GetAsync(address, accept);
        await Until.TrueAsync(async () => (await GetAsync(address, accept)).CacheStatus == "Proxy; hit");
        var warm = await GetAsync(address, accept);

        foreach (var reply in (Reply[])[cold, warm])
        {
            Assert.Equal(200, (int)reply.Status);
            Assert.Equal("Accept", reply["Vary"]);
            Assert.Equal(("attachment", "sandbox"), (reply["Content-Disposition"], reply["Content-Security-Policy"]));
            if (!isMultipart) Assert.Equal(type, reply["Content-Type"]);
            else Assert.Contains($"Content-Type: {type}\r\n", Assert.Single(Parts.Read(reply)).Head + "\r\n");
            Assert.Equal(Pdf, isMultipart ? Parts.Read(reply)[0].Body : reply.Body);
        }
        Assert.Equal(cold["ETag"], warm["ETag"]);
        Assert.Single(Asked(), a => !a.Contains("pdf", StringComparison.Ordinal));
    }

    [Fact]
    public async Task SendsDifferentETags_ForTheTypesOfOneValue()
    {
        Answer(_ => Archive.Multipart(Octets, Pdf));
        var address = await GetAddressAsync();

        Assert.NotEqual((await GetAsync(address, Octets))["ETag"], (await GetAsync(address, "*/*"))["ETag"]);
    }

    [Theory]
    [InlineData("image/jp2")]
    [InlineData("video/mp4, image/jls;q=0.5")]
    [InlineData("application/pdf")]
    [InlineData("application/octet-stream;q=0, application/pdf")]
    public async Task Returns406_WhenTheValueHasNoAcceptedType_ColdAndWarm(string accept)
    {
        Answer(request => request.Contains("octet", StringComparison.Ordinal) ? Archive.Multipart(Octets, [1, 2, 3, 4]) : Refuse());
        var address = await GetAddressAsync();

        (await GetAsync(address, accept)).IsProblem(406);
        Assert.Equal([1, 2, 3, 4], (await GetAsync(address, Octets)).Body);
        (await GetAsync(address, accept)).IsProblem(406);
    }

    [Theory]
    [InlineData("text/html")]
    [InlineData("application/dicom+json")]
    [InlineData("multipart/mixed")]
    public async Task Returns406WithoutARequest_ForATypeThatIsNeverSent(string accept)
    {
        (await GetAsync(await GetAddressAsync(), accept)).IsProblem(406);

        Assert.Empty(Asked());
    }

    [Fact]
    public async Task StoresEachFormThatThePacsGives()
    {
        Answer(request => request.Contains("image/jp2", StringComparison.Ordinal)
            ? Archive.Multipart("image/jp2; transfer-syntax=1.2.840.10008.1.2.4.90", Jp2)
            : Archive.Multipart(Octets, [1, 2, 3, 4, 5, 6]));
        var address = await GetAddressAsync();

        for (var round = 0; round < 2; round++)
        {
            var (octets, image) = (await GetAsync(address, Octets), await GetAsync(address, "image/jp2"));
            Assert.Equal([1, 2, 3, 4, 5, 6], octets.Body);
            Assert.Equal(Octets, octets["Content-Type"]);
            Assert.Equal(Jp2, image.Body);
            Assert.Equal("image/jp2; transfer-syntax=1.2.840.10008.1.2.4.90", image["Content-Type"]);
            foreach (var accept in (string[])[Octets, "image/jp2"])
                await Until.TrueAsync(async () => (await GetAsync(address, accept)).CacheStatus == "Proxy; hit");
        }
        Assert.Equal(2, Asked().Count);
    }

    /// <summary>Orthanc sends compressed pixel data as the offset table and the fragment.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    public async Task PassesOverTheOffsetTable_OfCompressedPixelData(int tableBytes)
    {
        Answer(request => request.Contains("octet", StringComparison.Ordinal) ? Items(new byte[tableBytes], Jp2) : Refuse());
        var address = await GetAddressAsync();

        var any = await GetAsync(address, "*/*");
        var stored = await GetAsync(address, Octets + "; transfer-syntax=*");

        Assert.Equal((200, "image/jp2"), ((int)any.Status, any["Content-Type"]));
        Assert.Equal(Jp2, any.Body);
        Assert.Equal((200, "image/jp2"), ((int)stored.Status, stored["Content-Type"]));
        (await GetAsync(address, Octets)).IsProblem(406);
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0, 0 })]
    [InlineData(new byte[] { 1, 2, 3, 4 })]
    [InlineData(new byte[] { 7 })]
    public async Task ServesAShortValue(byte[] value)
    {
        Answer(_ => Archive.Multipart(Octets, value));

        Assert.Equal(value, (await GetAsync(await GetAddressAsync(), Octets)).Body);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task PlaysAVideo_ByItsBulkDataUri(bool areItems)
    {
        Answer(request => !request.Contains("octet", StringComparison.Ordinal) ? Refuse()
            : areItems ? Items([], Mp4) : Archive.Multipart(Octets, Mp4));
        var address = await GetAddressAsync();

        var first = await _proxy.GetAsync(address + "?accept=video/mp4", ("Accept", "*/*"), ("Range", "bytes=0-"));
        var later = await _proxy.GetAsync(address + "?accept=video/mp4", ("Accept", "*/*"), ("Range", "bytes=4000-4999"));

        Assert.Equal((206, "video/mp4", $"bytes 0-{Mp4.Length - 1}/{Mp4.Length}"),
            ((int)first.Status, first["Content-Type"], first["Content-Range"]));
        Assert.Equal(Mp4, first.Body);
        Assert.Equal(Mp4[4000..5000], later.Body);
        Assert.Equal(Mp4, (await GetAsync(address, Octets)).Body);
        Assert.Single(Asked(), a => a.Contains("octet", StringComparison.Ordinal));
    }

    [Fact]
    public async Task KeepsTheQueryOfAUri_DirectlyBehindAnInstance()
    {
        var instance = $"{_east.Address}/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1";
        _east.Respond(Named($$"""{"vr":"OW","BulkDataURI":"{{instance}}?attribute=7FE00010&x=a/b"}"""), "/metadata");
        _east.On("instances/1.2.1.1.1", _ => Archive.Multipart(Octets, [1, 2, 3, 4, 5]));
        var address = await GetAddressAsync();

        Assert.Equal([1, 2, 3, 4, 5], (await GetAsync(address, Octets)).Body);

        Assert.Equal("?attribute=7FE00010&x=a/b", _east.Requests[^1].Query);
        Assert.Equal("Proxy; hit", (await GetAsync(address, Octets)).CacheStatus);
    }

    [Fact]
    public async Task KeepsAnInlineValueInTheMetadata()
    {
        _east.Respond(Named("""{"vr":"OW","InlineBinary":"AQIDBA=="}"""), "/metadata");

        var metadata = await _proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata");

        Assert.Equal("""{"vr":"OW","InlineBinary":"AQIDBA=="}""", metadata.Rows[0]!["7FE00010"]!.ToJsonString());
    }

    private static PacsAnswer Refuse() => PacsAnswer.Text(400, "text/plain", "no");

    private static PacsAnswer Items(params byte[][] items)
    {
        var body = new List<byte>();
        foreach (var item in items)
        {
            body.AddRange(Encoding.ASCII.GetBytes($"--b\r\nContent-Type: {Octets}\r\nContent-Length: {item.Length}\r\n\r\n"));
            body.AddRange(item);
            body.AddRange("\r\n"u8.ToArray());
        }
        return new(200, $"multipart/related; type=\"{Octets}\"; boundary=b", [.. body, .. "--b--\r\n"u8]);
    }

    private static PacsAnswer Named(string pixelData) => PacsAnswer.Json(
        """[{"00080018":{"vr":"UI","Value":["1.2.1.1.1"]},"0020000D":{"vr":"UI","Value":["1.2.1"]},"0020000E":"""
        + $$"""{"vr":"UI","Value":["1.2.1.1"]},"7FE00010":{{pixelData}}}]""");

    private void Answer(Func<string, PacsAnswer> answer) => _east.On(Bulk, request => answer(request.Headers["Accept"]));

    private List<string> Asked() =>
        [.. _east.Requests.Where(r => r.Path.EndsWith(Bulk, StringComparison.Ordinal)).Select(r => r.Headers["Accept"])];

    private Task<Reply> GetAsync(string address, string accept) => _proxy.GetAsync(address, accept.Length > 0 ? [("Accept", accept)] : []);

    private async Task<string> GetAddressAsync()
    {
        var metadata = await _proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata");
        return ((string)metadata.Rows[0]!["7FE00010"]!["BulkDataURI"]!)[_proxy.Address.Length..];
    }
}
