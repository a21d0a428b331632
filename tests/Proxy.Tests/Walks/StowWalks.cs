using System.Net;
using System.Text;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>STOW-RS: the right backend gets the request once, and the client gets the answer of the backend.</summary>
public sealed class StowWalks : IAsyncDisposable
{
    private const string Study = "1.2.9";

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 3));

    private readonly WireMockPacs _west = new(new HeldStudy("1.2.1").With("1.2.1.2", "CT", 5));

    private readonly ProxyHost _proxy;

    public StowWalks() => _proxy = new(("east", _east.Address), ("west", _west.Address))
    {
        ["Store:MaxBytes"] = "100000",
        ["Backends:east:Authentication:Scheme"] = "Bearer",
        ["Backends:east:Authentication:Token"] = "token-1",
    };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
        _west.Dispose();
    }

    private static byte[] OneFile => StowMessage.File(Study, "1.2.9.1", "1.2.9.1.1");

    [Theory]
    [InlineData("/studies", "studies")]
    [InlineData("/studies/1.2.9", "studies/1.2.9")]
    public async Task StoresInTheBackendOfTheRoot(string path, string received)
    {
        AcceptAll(_east);

        var reply = await _proxy.PostAsync(
            "/backends/east/dicomweb" + path, StowMessage.Body(OneFile), ("Accept", "application/dicom+json"), ("Cookie", "evil"),
            ("Authorization", "Bearer users-own"));

        Assert.Equal(HttpStatusCode.OK, reply.Status);
        Assert.Equal("application/dicom+json", reply["Content-Type"]);
        Assert.Equal("no-store", reply["Cache-Control"]);
        Assert.Equal(
            StowMessage.Stored($"{_proxy.Address}/backends/east/dicomweb", Study, "1.2.9.1", "1.2.9.1.1"), reply.Text);
        var request = Assert.Single(_east.Requests, IsStow);
        Assert.Equal(("POST", received), (request.Method, request.Path));
        Assert.Equal("multipart/related; type=\"application/dicom\"; boundary=a-part", request.Headers["Content-Type"]);
        Assert.Equal("application/dicom+json", request.Headers["Accept"]);
        Assert.Equal("Bearer token-1", request.Headers["Authorization"]);
        Assert.DoesNotContain("Cookie", request.Headers.Keys);
        Assert.Empty(_west.Requests);
    }

    [Fact]
    public async Task StoresInTheConfiguredBackend_AtTheRootOfAll()
    {
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address)) { ["Store:Backend"] = "West" };
        AcceptAll(_west);

        var reply = await proxy.PostAsync("/dicomweb/studies", StowMessage.Body(OneFile));

        Assert.Equal(HttpStatusCode.OK, reply.Status);
        Assert.Equal(StowMessage.Stored($"{proxy.Address}/dicomweb", Study, "1.2.9.1", "1.2.9.1.1"), reply.Text);
        Assert.Single(_west.Requests, IsStow);
        Assert.Empty(_east.Requests);
    }

    [Fact]
    public async Task StoresInTheHolderOfMostInstances_WhenTheAddressNamesAStudy()
    {
        AcceptAll(_west);

        var reply = await _proxy.PostAsync("/dicomweb/studies/1.2.1", StowMessage.Body(StowMessage.File("1.2.1", "1.2.1.3", "1.2.1.3.1")));

        Assert.Equal(HttpStatusCode.OK, reply.Status);
        Assert.Single(_west.Requests, r => r.Method == "POST");
        Assert.DoesNotContain(_east.Requests, r => r.Method == "POST");
    }

    [Theory]
    [InlineData("/dicomweb/studies")]
    [InlineData("/dicomweb/studies/1.2.9")]
    public async Task NamesTheSetting_WhenNoBackendIsKnown(string path)
    {
        (await _proxy.PostAsync(path, StowMessage.Body(OneFile))).IsProblem(501, names: "Store:Backend");

        Assert.DoesNotContain(_east.Requests.Concat(_west.Requests), r => r.Method == "POST");
    }

    [Fact]
    public async Task RefusesToGuess_WhenAHolderIsNotKnown()
    {
        _west.Fail(500);

        (await _proxy.PostAsync("/dicomweb/studies/1.2.1", StowMessage.Body(OneFile))).IsProblem(502, names: "west");

        Assert.DoesNotContain(_east.Requests, r => r.Method == "POST");
    }

    [Theory]
    [InlineData("application/dicom")]
    [InlineData("multipart/related; boundary=a-part")]
    [InlineData("multipart/related; type=\"image/jpeg\"; boundary=a-part")]
    [InlineData("multipart/form-data; type=\"application/dicom\"; boundary=a-part")]
    [InlineData("text/html")]
    public async Task Returns415_WhenTheMediaTypeIsNotSupported(string type)
    {
        var body = StowMessage.WithType(new ByteArrayContent(StowMessage.Join(OneFile)), type);

        (await _proxy.PostAsync("/backends/east/dicomweb/studies", body)).IsProblem(415, names: "multipart/related");

        Assert.Empty(_east.Requests);
    }

    [Theory]
    [InlineData("multipart/related; type=application/dicom; boundary=a-part")]
    [InlineData("multipart/related;type=\"application/dicom+json\";boundary=a-part")]
    [InlineData("Multipart/Related; boundary=\"a-part\"; type=\"application/dicom+xml\"; transfer-syntax=1.2.840.10008.1.2.1")]
    public async Task AcceptsOtherSpellingsAndMetadataWithBulkData(string type)
    {
        AcceptAll(_east);

        var reply = await _proxy.PostAsync(
            "/backends/east/dicomweb/studies", StowMessage.WithType(new ByteArrayContent(StowMessage.Join(OneFile)), type));

        Assert.Equal(HttpStatusCode.OK, reply.Status);
        Assert.StartsWith("multipart/related", Assert.Single(_east.Requests, IsStow).Headers["Content-Type"]);
    }

    [Fact]
    public async Task Returns415_WhenTheBodyHasAContentCoding()
    {
        var body = StowMessage.Body(OneFile);
        body.Headers.ContentEncoding.Add("gzip");

        (await _proxy.PostAsync("/backends/east/dicomweb/studies", body)).IsProblem(415, names: "Content-Encoding");
    }

    [Theory]
    [InlineData("no delimiter")]
    [InlineData("--a-part\r\nContent-Type: application/dicom\r\n\r\nDICM")]
    [InlineData("--a-part--\r\n")]
    [InlineData("")]
    public async Task Returns400_WhenTheBodyIsNotMultipart(string text)
    {
        AcceptAll(_east);

        var body = StowMessage.WithType(new ByteArrayContent(Encoding.ASCII.GetBytes(text)));
        (await _proxy.PostAsync("/backends/east/dicomweb/studies", body)).IsProblem(400, names: "body");

        Assert.Equal(0, (int?)(await _proxy.GetAsync("/health/ready")).Json["backends"]!["east"]!["failed"] ?? 0);
    }

    [Theory]
    [InlineData("multipart/related; type=\"application/dicom\"")]
    [InlineData("multipart/related; type=\"application/dicom\"; boundary=\"\"")]
    [InlineData("multipart/related; type=\"application/dicom\"; boundary=\"\u00e4\"")]
    public async Task Returns400_WhenTheBoundaryIsMissingOrInvalid(string type)
    {
        var raw = await _proxy.SendRawAsync(
            "POST /backends/east/dicomweb/studies HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
            $"Content-Type: {type}\r\nContent-Length: 0\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 400 ", raw);
        Assert.Empty(_east.Requests);
    }

    [Fact]
    public async Task Returns413WithoutAskingTheBackend_WhenTheDeclaredLengthExceedsTheLimit()
    {
        // The client sends no body: the proxy refuses the request by its header alone.
        var answer = await _proxy.SendRawAsync(
            "POST /backends/east/dicomweb/studies HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
            $"Content-Type: {StowMessage.ContentType}\r\nContent-Length: 100001\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 413 ", answer);
        Assert.Contains("Store:MaxBytes", answer);
        Assert.Empty(_east.Requests);
    }

    [Fact]
    public async Task Returns406_WhenNoFormOfTheAnswerIsAccepted() =>
        (await _proxy.PostAsync("/backends/east/dicomweb/studies", StowMessage.Body(OneFile), ("Accept", "text/csv"))).IsProblem(406);

    [Theory]
    [InlineData("/backends/east/dicomweb/studies/1..2", 400)]
    [InlineData("/backends/north/dicomweb/studies", 404)]
    public async Task RefusesABadAddress(string path, int status) =>
        (await _proxy.PostAsync(path, StowMessage.Body(OneFile))).IsProblem(status);

    [Fact]
    public async Task RefusesPagesOfOtherSites()
    {
        var reply = await _proxy.PostAsync(
            "/backends/east/dicomweb/studies", StowMessage.Body(OneFile), ("Origin", "https://evil.example"),
            ("Sec-Fetch-Site", "cross-site"));

        reply.IsProblem(403);
        Assert.Empty(_east.Requests);
    }

    [Theory]
    [InlineData(200)]
    [InlineData(202)]
    [InlineData(400)]
    [InlineData(409)]
    [InlineData(413)]
    [InlineData(415)]
    [InlineData(400, "")]
    [InlineData(409, "")]
    public async Task PassesTheStatusAndTheWholeDatasetOfTheBackend(int status, string type = "application/dicom+json")
    {
        const string Answer =
            """
            {"00081190":{"vr":"UR","Value":["{root}/studies/1.2.9"]},"00081198":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["1.2.9.1.2"]},"00081190":{"vr":"UR","Value":["{root}/studies/1.2.9/series/1.2.9.1"]},"00081197":{"vr":"US","Value":[272]},"00000902":{"vr":"LO","Value":["refused by {host}"]}}]},"00081199":{"vr":"SQ","Value":[{"00081190":{"vr":"UR","Value":["{root}/studies/1.2.9/series/1.2.9.1/instances/1.2.9.1.1"]}}]}}
            """;
        var answer = Answer.Replace("{root}", "http://other-name:8042/dicom-web", StringComparison.Ordinal)
            .Replace("{host}", $"127.0.0.1:{_east.Port}", StringComparison.Ordinal);
        _east.Respond(request => IsStow(request) ? PacsAnswer.Text(status, type, answer) : null);

        var reply = await _proxy.PostAsync("/backends/east/dicomweb/studies", StowMessage.Body(OneFile));

        Assert.Equal(status, (int)reply.Status);
        Assert.Equal(
            Answer.Replace("{root}", $"{_proxy.Address}/backends/east/dicomweb", StringComparison.Ordinal)
                .Replace("{host}", new Uri(_proxy.Address).Authority, StringComparison.Ordinal), reply.Text);
        Assert.Equal(0, (int?)(await _proxy.GetAsync("/health/ready")).Json["backends"]!["east"]!["failed"] ?? 0);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(413)]
    [InlineData(415)]
    public async Task PassesARefusalWithoutADataset_AsAProblem(int status)
    {
        _east.Respond(PacsAnswer.Text(status, "text/html", $"<html>no, says {_east.Address}</html>"));

        var reply = await _proxy.PostAsync("/backends/east/dicomweb/studies", StowMessage.Body(OneFile));

        reply.IsProblem(status, names: "east");
        Assert.DoesNotContain(_east.Address, reply.Text);
    }

    [Theory]
    [InlineData(405)]
    [InlineData(501)]
    public async Task SaysThatTheBackendDoesNotStore(int status)
    {
        _east.Respond(PacsAnswer.Text(status, "text/plain", "no"));

        (await _proxy.PostAsync("/backends/east/dicomweb/studies", StowMessage.Body(OneFile)))
            .IsProblem(501, names: "east does not store");
    }

    [Theory]
    [InlineData(200, "text/html", "<html>log in</html>")]
    [InlineData(200, "application/dicom+json", "")]
    [InlineData(200, "application/dicom+json", "{\"error\":\"no\"}")]
    [InlineData(200, "application/dicom+json", "{\"00081190\":")]
    [InlineData(200, "application/dicom+json", "[{},{}]")]
    [InlineData(200, "application/dicom+xml", "<NativeDicomModel>")]
    [InlineData(200, "application/dicom+xml", "<!DOCTYPE x [<!ENTITY e \"e\">]><NativeDicomModel>&e;</NativeDicomModel>")]
    [InlineData(200, "application/dicom+xml", "<html/>")]
    [InlineData(409, "application/json", "no")]
    [InlineData(500, "text/plain", "no")]
    public async Task ReportsAnUnknownResult_WhenTheAnswerIsNoDataset(int status, string type, string text)
    {
        _east.Respond(PacsAnswer.Text(status, type, text));

        var reply = await _proxy.PostAsync("/backends/east/dicomweb/studies", StowMessage.Body(OneFile));

        reply.IsProblem(502, names: "unknown");
        Assert.Matches("^east: (invalid answer|error status), .*[^.]\\. The request", (string)reply.Json["detail"]!);
        Assert.Single(_east.Requests, IsStow);
    }

    [Fact]
    public async Task AcceptsAnAnswerInAnArray()
    {
        _east.Respond(PacsAnswer.Json("[" + StowMessage.Stored(_east.Address, Study, "1.2.9.1", "1.2.9.1.1") + "]"));

        var reply = await _proxy.PostAsync("/backends/east/dicomweb/studies", StowMessage.Body(OneFile));

        Assert.Equal(StowMessage.Stored($"{_proxy.Address}/backends/east/dicomweb", Study, "1.2.9.1", "1.2.9.1.1"), reply.Text);
    }

    [Fact]
    public async Task RewritesAnAnswerInXml_WhenTheClientPrefersIt()
    {
        const string Answer =
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><NativeDicomModel xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\">"
            + "<DicomAttribute tag=\"00081190\" vr=\"UR\"><Value number=\"1\">{root}/studies/1.2.9</Value></DicomAttribute>"
            + "<DicomAttribute tag=\"00081199\" vr=\"SQ\"><Item number=\"1\"><DicomAttribute tag=\"00081190\" vr=\"UR\">"
            + "<Value number=\"1\">{root}/studies/1.2.9/series/1.2.9.1/instances/1.2.9.1.1</Value></DicomAttribute></Item>"
            + "</DicomAttribute></NativeDicomModel>";
        _east.Respond(PacsAnswer.Text(
            200, "application/dicom+xml",
            Answer.Replace("{root}", "http://other-name:8042/dicom-web", StringComparison.Ordinal)
                .Replace("<Item", "<?xml-stylesheet href=\"evil.xsl\"?><!-- a comment --><Item", StringComparison.Ordinal)));

        var reply = await _proxy.PostAsync(
            "/backends/east/dicomweb/studies", StowMessage.Body(OneFile), ("Accept", "application/dicom+xml, application/json;q=0.5"));

        Assert.Equal(HttpStatusCode.OK, reply.Status);
        Assert.Equal("application/dicom+xml", reply["Content-Type"]);
        Assert.Equal("sandbox", reply["Content-Security-Policy"]);
        Assert.Equal(
            Answer.Replace("{root}", $"{_proxy.Address}/backends/east/dicomweb", StringComparison.Ordinal), reply.Text);
        Assert.Equal("application/dicom+xml", Assert.Single(_east.Requests, IsStow).Headers["Accept"]);
    }

    [Fact]
    public async Task ReportsThatNothingWasSent_WhenTheBackendIsDead()
    {
        _east.Dispose();

        var reply = await _proxy.PostAsync("/backends/east/dicomweb/studies", StowMessage.Body(OneFile));

        reply.IsProblem(503);
        Assert.DoesNotContain("unknown", reply.Text);
    }

    /// <summary>The study is read again in the background, which sends other requests.</summary>
    private static bool IsStow(PacsRequest request) => request.Method == "POST";

    private static void AcceptAll(WireMockPacs pacs) => pacs.Respond(
        request => request.Method == "POST"
            ? PacsAnswer.Json(StowMessage.Stored("http://other-name:8042/dicom-web", Study, "1.2.9.1", "1.2.9.1.1"))
            : null);
}
