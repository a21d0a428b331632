using System.Xml.Linq;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Metadata and searches as DICOM XML (PS3.19 §A.1).</summary>
public sealed class XmlWalks : IDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";
    private const string Series = Study + "/series/1.2.1.1";
    private const string Xml = "multipart/related; type=\"application/dicom+xml\"";

    private static readonly XNamespace Model = "http://dicom.nema.org/PS3.19/models/NativeDICOM";

    private readonly WireMockPacs _east = new(
        new HeldStudy("1.2.1") { PatientName = "Doe&Sons^Jane" }.With("1.2.1.1", "CT", 5).With("1.2.1.2", "SR", 1));

    private readonly ProxyHost _proxy;

    public XmlWalks() => _proxy = new(("east", _east.Address));

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    [Fact]
    public async Task ServesMetadata_AsOnePartForEachInstance()
    {
        foreach (var (path, count) in ((string, int)[])[
            (Study + "/metadata", 6), (Series + "/metadata", 5), (Series + "/instances/1.2.1.1.3/metadata", 1)])
        {
            var json = await _proxy.GetAsync(path);
            var first = await _proxy.GetAsync(path, ("Accept", Xml));
            var again = await _proxy.GetAsync(path, ("Accept", Xml), ("Accept-Encoding", "br"));
            var known = await _proxy.GetAsync(path, ("Accept", Xml), ("If-None-Match", first["ETag"]));
            var other = await _proxy.GetAsync(path, ("Accept", Xml), ("If-None-Match", json["ETag"]));

            Assert.StartsWith(Xml + "; boundary=", first["Content-Type"]);
            Assert.Equal("Accept, Accept-Encoding", first["Vary"]);
            Assert.Equal("Proxy; hit", first.CacheStatus);
            Assert.Equal(count, Read(first).Count);
            Assert.Equal(json.Values("00080018"), Read(first).Select(d => GetValue(d, "00080018")));
            Assert.Equal(first.Body, again.Unpacked);
            Assert.NotEqual(json["ETag"], first["ETag"]);
            Assert.Equal((304, 200), ((int)known.Status, (int)other.Status));
        }
        Assert.Equal(2, _east.Count("/metadata"));
    }

    [Fact]
    public async Task WritesTheProxysUrls()
    {
        var dataset = Read(await _proxy.GetAsync(Series + "/metadata", ("Accept", Xml)))[0];

        var uri = (string)Find(dataset, "7FE00010").Element(Model + "BulkData")!.Attribute("uri")!;
        Assert.StartsWith($"{_proxy.Address}{Series}/instances/1.2.1.1.1/bulkdata/east/", uri);
        Assert.Equal(200, (int)(await _proxy.GetAsync(uri[_proxy.Address.Length..])).Status);
        Assert.Equal("Doe&Sons", Find(dataset, "00100010").Descendants(Model + "FamilyName").Single().Value);
    }

    [Theory]
    [InlineData("/dicomweb/studies", 1)]
    [InlineData("/dicomweb/series", 2)]
    [InlineData("/dicomweb/instances", 6)]
    [InlineData(Study + "/series", 2)]
    [InlineData(Study + "/instances", 6)]
    [InlineData(Series + "/instances?limit=2", 2)]
    public async Task ServesASearch_AsOnePartForEachMatch(string path, int count)
    {
        var json = await _proxy.GetAsync(path);
        var xml = await _proxy.GetAsync(path, ("Accept", Xml));
        var inQuery = await _proxy.GetAsync($"{path}{(path.Contains('?') ? '&' : '?')}accept=multipart/related;type=application/dicom+xml");
        var known = await _proxy.GetAsync(path, ("Accept", Xml), ("If-None-Match", xml["ETag"]));

        Assert.Equal(count, Read(xml).Count);
        Assert.Equal(json.Values("00081190"), Read(xml).Select(d => GetValue(d, "00081190")));
        Assert.Equal(xml.Body, inQuery.Body);
        Assert.Equal(json.Warnings, xml.Warnings);
        Assert.Equal("Proxy; hit", xml.CacheStatus);
        Assert.Equal(304, (int)known.Status);
    }

    [Fact]
    public async Task Returns204_WhenNothingMatches()
    {
        var reply = await _proxy.GetAsync("/dicomweb/studies?PatientID=9", ("Accept", Xml));

        Assert.Equal(204, (int)reply.Status);
        Assert.Empty(reply.Body);
    }

    [Theory]
    [InlineData(Series + "/metadata")]
    [InlineData("/dicomweb/studies")]
    public async Task NamesBothForms_WhenNeitherIsAccepted(string path)
    {
        (await _proxy.GetAsync(path, ("Accept", "text/xml"))).IsProblem(406, "application/dicom+xml");
        Assert.Empty(_east.Requests);
    }

    [Fact]
    public async Task AnswersHead_WithoutABody()
    {
        var reply = await _proxy.SendAsync(HttpMethod.Head, Series + "/metadata", [("Accept", Xml)]);

        Assert.StartsWith(Xml, reply["Content-Type"]);
        Assert.Empty(reply.Body);
    }

    private static List<XElement> Read(Reply reply)
    {
        Assert.Equal(200, (int)reply.Status);
        return [.. Parts.Read(reply).Select(p =>
        {
            Assert.Contains("Content-Type: application/dicom+xml", p.Head);
            return XDocument.Load(new MemoryStream(p.Body)).Root!;
        })];
    }

    private static XElement Find(XElement dataset, string tag) => dataset.Elements().Single(a => (string?)a.Attribute("tag") == tag);

    private static string GetValue(XElement dataset, string tag) => Find(dataset, tag).Element(Model + "Value")!.Value;
}
