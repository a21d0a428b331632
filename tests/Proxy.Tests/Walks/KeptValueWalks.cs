using Proxy.Tests.Pacs;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Bulk data of an instance that was retrieved as a whole: no request to the PACS.</summary>
public sealed class KeptValueWalks : IDisposable
{
    private const string Series = "/dicomweb/studies/1.2.1/series/1.2.1.1";
    private const string Instance = Series + "/instances/1.2.1.1.1";
    private const string Jpeg = "1.2.840.10008.1.2.4.50";

    private static readonly byte[] Private = Pixels.Create("private", 2048);
    private static readonly byte[] Nested = Pixels.Create("nested", 4096);
    private static readonly byte[] Pdf = [.. "%PDF-1.4"u8, .. Pixels.Create("pdf", 3000)];
    private static readonly byte[] Frame = Pixels.In(Jpeg, "frame", 1500);

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    private readonly ProxyHost _proxy;

    public KeptValueWalks()
    {
        _proxy = new(("east", _east.Address));
        _east.Respond(
            PacsAnswer.Json(
                """
                [{"00080018":{"vr":"UI","Value":["1.2.1.1.1"]},"0020000D":{"vr":"UI","Value":["1.2.1"]},
                "0020000E":{"vr":"UI","Value":["1.2.1.1"]},"00091001":{"vr":"OB","BulkDataURI":"instances/1.2.1.1.1/bulk/private"},
                "00091002":{"vr":"SQ","Value":[{},{"00091001":{"vr":"OB","BulkDataURI":"instances/1.2.1.1.1/bulk/nested"}}]},
                "00091003":{"vr":"OB","BulkDataURI":"instances/1.2.1.1.1/bulk/absent"},"00280008":{"vr":"IS","Value":["1"]},
                "00420011":{"vr":"OB","BulkDataURI":"instances/1.2.1.1.1/bulk/pdf"},
                "7FE00010":{"vr":"OB","BulkDataURI":"instances/1.2.1.1.1/bulk/pixels"}}]
                """),
            "/metadata");
    }

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    [Theory]
    [InlineData(Part10File.Explicit)]
    [InlineData(Jpeg)]
    public async Task ServesAValueFromTheKeptInstance(string syntax)
    {
        var metadata = (await _proxy.GetAsync(Series + "/metadata")).Rows[0]!;
        await KeepAsync(syntax);

        var value = await GetAsync(metadata["00091001"]);
        var nested = await GetAsync(metadata["00091002"]!["Value"]![1]!["00091001"]);
        var pdf = await GetAsync(metadata["00420011"]);
        var range = await GetAsync(metadata["00091001"], ("Range", "bytes=100-109"));

        Assert.Equal((200, "application/octet-stream", "Proxy; hit"), ((int)value.Status, value["Content-Type"], value.CacheStatus));
        Assert.Equal(Private, value.Body);
        Assert.Equal(Nested, nested.Body);
        Assert.Equal("application/pdf", pdf["Content-Type"]);
        Assert.Equal(Pdf, pdf.Body);
        Assert.Equal((206, "bytes 100-109/2048"), ((int)range.Status, range["Content-Range"]));
        Assert.Equal(Private[100..110], range.Body);
        Assert.DoesNotContain(_east.Requests, r => r.Path.Contains("/bulk/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ServesTheCompressedPixelsOfASingleFrame_AsStored()
    {
        var metadata = (await _proxy.GetAsync(Series + "/metadata")).Rows[0]!;
        await KeepAsync(Jpeg);

        var any = await GetAsync(metadata["7FE00010"]);
        Assert.Equal($"image/jpeg; transfer-syntax={Jpeg}", any["Content-Type"]);
        Assert.Equal(Frame, any.Body);
        Assert.DoesNotContain(_east.Requests, r => r.Path.Contains("/bulk/", StringComparison.Ordinal));
        // The PACS may be able to decompress them.
        Assert.Equal(3000, (await GetAsync(metadata["7FE00010"], ("Accept", "application/octet-stream"))).Body.Length);
        Assert.Equal(1, _east.Count("/bulk/pixels"));
    }

    [Fact]
    public async Task AsksThePacs_ForAValueThatTheKeptInstanceDoesNotContain()
    {
        var metadata = (await _proxy.GetAsync(Series + "/metadata")).Rows[0]!;
        await KeepAsync(Part10File.Explicit);

        Assert.Equal(Archive.GetBulkData("1.2.1.1.1", "absent"), (await GetAsync(metadata["00091003"])).Body);
        Assert.Equal(1, _east.Count("/bulk/absent"));
    }

    private async Task KeepAsync(string syntax)
    {
        var file = new Part10File(syntax).Set(0x00020003, "UI", Part10File.Even("1.2.1.1.1", '\0'))
            .Set(0x00080018, "UI", Part10File.Even("1.2.1.1.1", '\0')).Set(0x00090010, "LO", "TESTS").Set(0x00091001, "OB", Private)
            .Set(0x00420011, "OB", Pdf);
        var items = Part10File.Open(
            0x00091002, "SQ", false, Part10File.Item([]), Part10File.Item(Part10File.Element(0x00091001, "OB", Nested)));
        file = file.SetRaw(0x00091002, items);
        if (syntax == Jpeg) file = file.SetRaw(0x7FE00010, Part10File.Fragments(0x7FE00010, [], Frame));
        _east.Respond(Archive.Multipart($"application/dicom; transfer-syntax={syntax}", file.ToArray()), "/instances/1.2.1.1.1");
        await Until.TrueAsync(async () =>
            (await _proxy.GetAsync(Instance, ("Accept", "application/dicom; transfer-syntax=*"))).CacheStatus == "Proxy; hit");
    }

    private Task<Reply> GetAsync(System.Text.Json.Nodes.JsonNode? attribute, params (string, string)[] headers) =>
        _proxy.GetAsync(((string)attribute!["BulkDataURI"]!)[_proxy.Address.Length..], headers);
}
