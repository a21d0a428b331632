using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The proxy refuses invalid input, names the wrong parameter, and sends nothing to a PACS.</summary>
public sealed class BadInputWalks(BadInputWalks.OnePacs fixture) : IClassFixture<BadInputWalks.OnePacs>
{
    private const string Studies = "/dicomweb/studies";

    private const string Instance = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1";

    /// <summary>One proxy for all tests: a refused request leaves no state behind.</summary>
    public sealed class OnePacs : IAsyncDisposable
    {
        public OnePacs() => Proxy = new(("east", East.Address));

        public WireMockPacs East { get; } = new(new HeldStudy("1.2.1").With("1.2.1.1"));

        public ProxyHost Proxy { get; }

        public async ValueTask DisposeAsync()
        {
            await Proxy.DisposeAsync();
            East.Dispose();
        }
    }

    public static TheoryData<string, string> BadUids
    {
        get
        {
            var data = new TheoryData<string, string>();
            string[] uids =
            [
                "abc", "1.2.", ".1.2", "1..2", "1.2.x", "1.2-3", "%EF%BC%91.2", "%201.2", "1.2,1.3", "1.2;v=1", "1.2*", "-1.2", "+1.2",
                "1e3",
                new string('1', 65), string.Join('.', Enumerable.Repeat("1", 33)), new('1', 8000),
            ];
            foreach (var uid in uids)
            {
                data.Add($"{Studies}/{uid}/series", "study");
                data.Add($"{Studies}/{uid}/metadata", "study");
                data.Add($"{Studies}/1.2.1/series/{uid}/metadata", "series");
                data.Add($"{Studies}/1.2.1/series/1.2.1.1/instances/{uid}/frames/1", "instance");
            }
            return data;
        }
    }

    public static TheoryData<string> BadPaths =>
    [
        $"{Studies}/../../system", $"{Studies}/1.2.1/../1.2.2/series", $"{Studies}/1.2.1/..", $"{Studies}/./1.2.1/series",
        $"{Studies}/%2e%2e/system", $"{Studies}/%2E%2e/%2e./system", $"{Studies}/.%2e/system",
        $"{Studies}/1.2.1%2fseries", $"{Studies}/1.2.1%2Fseries/1.2.1.1", "/dicomweb///studies", "/dicomweb//studies//1.2.1/series",
        "/backends//dicomweb/studies", $"{Studies}//1.2.1/series", "//dicomweb/studies", $"{Studies}/1.2.1\\series",
        $"{Studies}/1.2.1%5Cseries",
        $"{Studies}/..%2f..%2fsystem", $"{Studies}/%252e%252e/system", $"{Studies}/1.2.1/series/..%5c..%5csystem",
    ];

    [Theory]
    [MemberData(nameof(BadUids))]
    public Task Refuses_WhenAUidIsInvalid(string path, string parameter) => IsRefusedAsync(path, 400, parameter);

    [Theory]
    [MemberData(nameof(BadPaths))]
    public async Task Refuses_WhenThePathIsAmbiguous(string path)
    {
        var reply = await fixture.Proxy.GetAsync(path);

        Assert.InRange((int)reply.Status, 400, 404);
        reply.IsProblem((int)reply.Status);
        Assert.Empty(fixture.East.Requests);
    }

    [Fact]
    public async Task Refuses_WhenThePathHasAZeroCharacter()
    {
        // Kestrel itself refuses it with an empty body.
        Assert.Equal(400, (int)(await fixture.Proxy.GetAsync($"{Studies}/1.2.1%00/series")).Status);
        Assert.Empty(fixture.East.Requests);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("1.5")]
    [InlineData("abc")]
    [InlineData("1,,2")]
    [InlineData("1,")]
    [InlineData(",1")]
    [InlineData("1,0")]
    [InlineData("1;2")]
    [InlineData("%201")]
    [InlineData("99999999999")]
    [InlineData("1-3")]
    public Task Refuses_WhenTheFrameListIsInvalid(string frames) => IsRefusedAsync($"{Instance}/frames/{frames}", 400, "frames");

    [Fact]
    public async Task Refuses_WhenTheFrameListRepeatsMoreThan16Times()
    {
        await IsRefusedAsync($"{Instance}/frames/{string.Join(',', Enumerable.Repeat(1, 18))}", 400, "frames");
        await IsRefusedAsync($"{Instance}/frames/2,{string.Join(",3,", Enumerable.Repeat(1, 20))}", 400, "frames");
    }

    [Theory]
    [InlineData("StudyDate=garbage", "StudyDate")]
    [InlineData("InstanceNumber=first", "InstanceNumber")]
    [InlineData("SOPClassUID=1.2.*", "SOPClassUID")]
    public Task Refuses_WhenAMatchHasNoValueOfItsVr(string query, string parameter) =>
        IsRefusedAsync($"{Studies}?{query}", 400, parameter);

    [Theory]
    [InlineData("limit=abc", "limit")]
    [InlineData("limit=-1", "limit")]
    [InlineData("limit=", "limit")]
    [InlineData("limit=1&limit=2", "limit")]
    [InlineData("limit=99999999999", "limit")]
    [InlineData("offset=abc", "offset")]
    [InlineData("offset=-1", "offset")]
    [InlineData("fuzzymatching=maybe", "fuzzymatching")]
    [InlineData("includefield=NotAnAttribute", "includefield")]
    [InlineData("includefield=0010", "includefield")]
    [InlineData("includefield=all,00100zzz", "includefield")]
    [InlineData("PatientID=1&00100020=2", "00100020")]
    [InlineData("PatientID=1&PatientID=2", "PatientID")]
    [InlineData("PatientID=a%0d%0aHost:%20evil", "PatientID")]
    [InlineData("PatientID=%00", "PatientID")]
    [InlineData("StudyInstanceUID=abc", "StudyInstanceUID")]
    [InlineData("StudyInstanceUID=1.2,,1.3", "StudyInstanceUID")]
    public Task Refuses_WhenAQueryParameterIsInvalid(string query, string parameter) =>
        IsRefusedAsync($"{Studies}?{query}", 400, parameter);

    [Theory]
    [InlineData("/dicomweb?requestType=WADO&studyUID=abc&seriesUID=1.2&objectUID=1.3&contentType=application/dicom", "studyUID")]
    [InlineData("/dicomweb?requestType=WADO&studyUID=1.2&seriesUID=1.2&contentType=application/dicom", "objectUID")]
    [InlineData("/dicomweb?requestType=XYZ", "requestType")]
    [InlineData("/store/instance", "imageId")]
    [InlineData("/store/instance?imageId=wadors:/dicomweb/studies/abc/series/1/instances/2/frames/1", "imageId")]
    [InlineData("/store/studies/abc", "study")]
    public Task Refuses_WhenARequiredParameterIsMissingOrInvalid(string path, string parameter) => IsRefusedAsync(path, 400, parameter);

    [Theory]
    [InlineData(Studies)]
    [InlineData(Studies + "/1.2.1/series/1.2.1.1/metadata")]
    [InlineData(Instance + "/frames/1")]
    public Task Refuses_WhenTheHeadersAreTooLarge(string path) =>
        IsRefusedAsync(path, 431, "headers", ("Accept", $"multipart/related; type=\"{new string('x', 64 * 1024)}\""));

    [Theory]
    [InlineData("gzip, chunked")]
    [InlineData("chunked\r\nTransfer-Encoding: chunked")]
    [InlineData("Identity, Chunked")]
    public async Task Returns501_WhenTheBodyHasATransferCodingThatIsNotDecoded(string codings)
    {
        var answer = await fixture.Proxy.SendRawAsync(
            $"POST {Studies} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nTransfer-Encoding: {codings}\r\n\r\n0\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 501", answer);
        Assert.Contains("Transfer-Encoding: chunked only", answer);
        Assert.Empty(fixture.East.Requests);
    }

    [Theory]
    [InlineData("DELETE", Studies)]
    [InlineData("PUT", Studies + "/1.2.1/series/1.2.1.1/metadata")]
    [InlineData("PATCH", Instance + "/frames/1")]
    public async Task Returns405_WhenTheMethodIsNotSupported(string method, string path)
    {
        (await fixture.Proxy.SendAsync(new HttpMethod(method), path, [])).IsProblem(405);
        Assert.Empty(fixture.East.Requests);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata/x.css")]
    [InlineData("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata;x.css")]
    [InlineData("/dicomweb/patients")]
    [InlineData("/DICOM-web/studies")]
    [InlineData("/system")]
    [InlineData("/backends/east/instances")]
    [InlineData("/backends/east/dicomweb/nothing")]
    public async Task AsksNoPacs_WhenTheAddressIsUnknown(string path)
    {
        var reply = await fixture.Proxy.GetAsync(path);

        if (path != "/") reply.IsProblem(404);
        Assert.Empty(fixture.East.Requests);
    }

    private async Task IsRefusedAsync(string path, int status, string parameter, params (string, string)[] headers)
    {
        var reply = await fixture.Proxy.GetAsync(path, headers);

        reply.IsProblem(status, names: parameter);
        Assert.Equal(parameter, (string)reply.Json["parameter"]!);
        Assert.Equal("nosniff", reply["X-Content-Type-Options"]);
        Assert.Empty(fixture.East.Requests);
    }
}
