using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The parameters of WADO-URI (PS3.18 §9), at both kinds of root.</summary>
public sealed class UriWalks(UriWalks.OneProxy fixture) : IClassFixture<UriWalks.OneProxy>
{
    private const string Ids = "studyUID=1.2.1&seriesUID=1.2.1.1&objectUID=1.2.1.1.1";
    private const string Uri = "/dicomweb?requestType=WADO&" + Ids;
    private const string AsStored = "&contentType=application/dicom&transferSyntax=*";

    private readonly ProxyHost _proxy = fixture.Proxy;

    public sealed class OneProxy : IAsyncDisposable
    {
        public OneProxy() => Proxy = new(("east", East.Address));

        public WireMockPacs East { get; } = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 2));

        public ProxyHost Proxy { get; }

        public async ValueTask DisposeAsync()
        {
            await Proxy.DisposeAsync();
            East.Dispose();
        }
    }

    [Theory]
    [InlineData("?" + Ids, "requestType")]
    [InlineData("?requestType=&" + Ids, "requestType")]
    [InlineData("?requestType=wado&" + Ids, "requestType")]
    [InlineData("?requestType=WADO&requestType=WADO&" + Ids, "requestType")]
    [InlineData("?requestType=WADO&seriesUID=1.2&objectUID=1.3", "studyUID")]
    [InlineData("?requestType=WADO&studyUID=1.2&objectUID=1.3", "seriesUID")]
    [InlineData("?requestType=WADO&studyUID=1.2&seriesUID=1.3&objectUID=", "objectUID")]
    [InlineData("?requestType=WADO&studyUID=1..2&seriesUID=1.2&objectUID=1.3", "studyUID")]
    [InlineData("?requestType=WADO&studyUID=1.2&seriesUID=1.2/3&objectUID=1.3", "seriesUID")]
    [InlineData("?requestType=WADO&" + Ids + "&studyUID=1.2.1", "studyUID")]
    [InlineData("?requestType=WADO&" + Ids + "&seriesUID=1.2.9", "seriesUID")]
    [InlineData("?requestType=WADO&" + Ids + "&objectUID=1.2.9", "objectUID")]
    [InlineData("?requestType=WADO&" + Ids + "&contentType=dicom", "contentType")]
    [InlineData("?requestType=WADO&" + Ids + "&contentType=application/dicom&contentType=image/jpeg", "contentType")]
    [InlineData("?requestType=WADO&" + Ids + "&contentType=application/dicom;transfer-syntax=*", "contentType")]
    [InlineData("?requestType=WADO&" + Ids + AsStored + "&transferSyntax=1.2.840.10008.1.2.1", "transferSyntax")]
    [InlineData("?requestType=WADO&" + Ids + "&transferSyntax=JPEG", "transferSyntax")]
    [InlineData("?requestType=WADO&" + Ids + "&charset=utf-8&charset=ascii", "charset")]
    [InlineData("?requestType=WADO&" + Ids + AsStored + "&anonymize=yes", "anonymize")]
    [InlineData("?requestType=WADO&" + Ids + AsStored + "&anonymize=no&anonymize=no", "anonymize")]
    [InlineData("?requestType=WADO&" + Ids + AsStored + "&rows=64", "rows")]
    [InlineData("?requestType=WADO&" + Ids + AsStored + "&columns=64", "columns")]
    [InlineData("?requestType=WADO&" + Ids + AsStored + "&region=0,0,1,1", "region")]
    [InlineData("?requestType=WADO&" + Ids + AsStored + "&windowCenter=40", "windowCenter")]
    [InlineData("?requestType=WADO&" + Ids + AsStored + "&windowWidth=400", "windowWidth")]
    [InlineData("?requestType=WADO&" + Ids + AsStored + "&frameNumber=1", "frameNumber")]
    [InlineData("?requestType=WADO&" + Ids + AsStored + "&imageQuality=50", "imageQuality")]
    [InlineData("?requestType=WADO&" + Ids + AsStored + "&annotation=patient,technique", "annotation")]
    [InlineData("?requestType=WADO&" + Ids + AsStored + "&presentationUID=1.2", "presentationUID")]
    [InlineData("?requestType=WADO&" + Ids + AsStored + "&presentationSeriesUID=1.2", "presentationSeriesUID")]
    public async Task RefusesAParameterByName(string query, string parameter)
    {
        foreach (var root in (string[])["/dicomweb", "/dicomweb/", "/backends/east/dicomweb"])
        {
            var reply = await _proxy.GetAsync(root + query);
            reply.IsProblem(400, names: parameter);
            Assert.Equal(parameter, (string)reply.Json["parameter"]!);
        }
        Assert.Equal(0, fixture.East.Count("/instances/1.2.9"));
    }

    [Theory]
    [InlineData("&contentType=image/webp")]
    [InlineData("&contentType=image/svg+xml")]
    [InlineData("&contentType=image/jp2,text/html;q=0.5")]
    [InlineData("&contentType=application/zip")]
    public async Task Returns406_WhenNoTypeIsServed(string query) =>
        (await _proxy.GetAsync(Uri + query)).IsProblem(406, names: "application/dicom");

    [Theory]
    [InlineData("")]
    [InlineData("&contentType=")]
    [InlineData("&charset=utf-8")]
    [InlineData("&frame=2")]
    [InlineData("&rows=&columns=")]
    [InlineData("&anonymize=no")]
    [InlineData("&unknown=1&unknown=2")]
    public async Task ServesTheFile_WhenAParameterIsIrrelevant(string query)
    {
        var reply = await _proxy.GetAsync(Uri + AsStored.Replace("&contentType=application/dicom", "", StringComparison.Ordinal) + query);

        Assert.True((int)reply.Status == 200, reply.Text);
        Assert.Equal(Archive.GetFile("1.2.1.1.1"), reply.Body);
    }

    /// <summary>OHIF's image rendering <c>wadouri</c> sends exactly this.</summary>
    [Theory]
    [InlineData("/dicomweb")]
    [InlineData("/backends/east/dicomweb")]
    public async Task ServesTheFileColdAndWarm_ToOhif(string root)
    {
        const string Query = "?requestType=WADO&studyUID=1.2.1&seriesUID=1.2.1.1&objectUID=1.2.1.1.2" + AsStored;

        var cold = await _proxy.GetAsync(root + Query);
        var warm = await _proxy.GetAsync(root + Query);
        var head = await _proxy.SendAsync(HttpMethod.Head, root + Query, []);

        Assert.Equal(Archive.GetFile("1.2.1.1.2"), cold.Body);
        Assert.Equal(cold.Body, warm.Body);
        Assert.Equal("Proxy; hit", warm.CacheStatus);
        Assert.StartsWith("application/dicom", warm["Content-Type"]);
        Assert.Equal(200, (int)head.Status);
        Assert.Empty(head.Body);
        Assert.Equal(warm["Content-Length"], head["Content-Length"]);
        Assert.Equal(warm["Content-Type"], head["Content-Type"]);
        Assert.Equal(1, fixture.East.Count("/instances/1.2.1.1.2"));
    }
}
