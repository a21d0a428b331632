using System.IO.Compression;
using System.Text;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A PACS behind a slow line: the proxy requests gzip bodies and checks their trailers.</summary>
public sealed class GzipWalks : IDisposable
{
    private const string Series = "/dicomweb/studies/1.2.1/series/1.2.1.1/metadata";

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 40));

    private readonly ProxyHost _proxy;

    public GzipWalks() => _proxy = new(("east", _east.Address)) { ["Backends:east:Compression"] = "Gzip" };

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("x-gzip")]
    public async Task DecompressesAGzipAnswer(string coding)
    {
        Respond(Gzip(_east.Archive.Answer("studies/1.2.1/series/1.2.1.1/metadata", "", "").Body), coding);

        Assert.Equal(40, (await _proxy.GetAsync(Series)).Rows.Count);
        Assert.All(_east.Requests, r => Assert.Equal("gzip", r.Headers["Accept-Encoding"]));
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("cut trailer")]
    [InlineData("wrong checksum")]
    [InlineData("wrong length")]
    [InlineData("not gzip")]
    [InlineData("bomb")]
    public async Task Returns502AndCachesNothing_WhenTheGzipBodyIsBroken(string fault)
    {
        var compressed = Gzip(_east.Archive.Answer("studies/1.2.1/series/1.2.1.1/metadata", "", "").Body);
        Respond(fault switch
        {
            "cut" => compressed[..(compressed.Length / 2)],
            "cut trailer" => compressed[..^4],
            "wrong checksum" => [.. compressed[..^8], (byte)~compressed[^8], .. compressed[^7..]],
            "wrong length" => [.. compressed[..^4], (byte)~compressed[^4], .. compressed[^3..]],
            "not gzip" => Encoding.UTF8.GetBytes("[]"),
            _ => Gzip(Encoding.UTF8.GetBytes("[{\"00081030\":{\"vr\":\"LO\",\"Value\":[\"" + new string('a', 150_000_000) + "\"]}}]")),
        });

        (await _proxy.GetAsync(Series)).IsProblem(502, names: "east");
        _east.Recover();
        Assert.Equal(40, (await _proxy.GetAsync(Series)).Rows.Count);
    }

    private void Respond(byte[] body, string coding = "gzip") =>
        _east.Respond(new PacsAnswer(200, "application/dicom+json", body) { Headers = [("Content-Encoding", coding)] }, "/metadata");

    private static byte[] Gzip(byte[] body)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write(body);
        return packed.ToArray();
    }
}
