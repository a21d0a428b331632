using System.Text;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A request to a PACS carries the question and nothing else of the client.</summary>
public sealed class BackendRequestWalks
{
    private static readonly HeldStudy Study = new HeldStudy("1.2.1").With("1.2.1.1");

    private static readonly (string, string)[] ClientHeaders =
    [
        ("Host", "evil.example"), ("Forwarded", "for=1.2.3.4;host=evil.example"), ("X-Forwarded-For", "1.2.3.4"),
        ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https"),
        ("X-Original-URL", "/evil"), ("Cookie", "session=evil"), ("Authorization", "Bearer evil"), ("User-Agent", "evil/1.0"),
        ("Accept-Language", "evil"), ("Referer", "http://evil.example/"),
        ("X-Evil", "evil"), ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("baggage", "evil=1"),
        ("Accept-Encoding", "br, gzip"),
    ];

    [Theory]
    [InlineData("/dicomweb/studies?PatientName=*DOE*")]
    [InlineData("/dicomweb/studies/1.2.1/series")]
    [InlineData("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata")]
    [InlineData("/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1")]
    [InlineData("bulk data")]
    public async Task SendsNoClientHeaders(string path)
    {
        using var east = new RawPacs(Study);
        await using var proxy = new ProxyHost(("east", east.Address)) { ["Security:AllowedHosts:0"] = "evil.example" };

        if (path == "bulk data") path = await FindBulkDataAsync(proxy);
        Assert.Equal(200, (int)(await proxy.GetAsync(path, ClientHeaders)).Status);

        Assert.NotEmpty(east.Requests);
        foreach (var request in east.Requests)
        {
            Assert.DoesNotContain("evil", request.Head, StringComparison.OrdinalIgnoreCase);
            Assert.Equal(["accept", "accept-encoding", "host"], request.HeaderNames.Order());
            Assert.Contains($"Host: 127.0.0.1:{east.Port}\r\n", request.Head);
        }
    }

    [Fact]
    public async Task SendsStarsAndCommasRaw_AndEscapesTheRest()
    {
        using var east = new RawPacs(Study);
        await using var proxy = new ProxyHost(("east", east.Address));

        await proxy.GetAsync(
            "/dicomweb/studies?PatientName=%2ADOE%5EJ%C3%84%20%26b%2A&ModalitiesInStudy=CT%2CMR&includefield=00081030%2C00080060");

        // The search finds nothing, so the proxy also tries the raw caret, and then checks whether the PACS decodes a query.
        Assert.Contains("PatientName=*DOE^J%C3%84%20%26b*", east.Requests[1].Target);
        var target = east.Requests[0].Target;
        Assert.Contains("PatientName=*DOE%5EJ%C3%84%20%26b*", target);
        Assert.Contains("ModalitiesInStudy=CT,MR", target);
        Assert.Contains("00081030", target);
        Assert.DoesNotContain("%2C", target, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task SendsEachCredentialOnlyToItsBackend()
    {
        using var basic = new RawPacs(Study);
        using var bearer = new RawPacs(Study);
        using var header = new RawPacs(Study);
        using var none = new RawPacs(Study);
        await using var proxy = new ProxyHost(
            ("basic", basic.Address), ("bearer", bearer.Address), ("header", header.Address), ("none", none.Address))
        {
            ["Backends:basic:Authentication:Scheme"] = "Basic",
            ["Backends:basic:Authentication:User"] = "lab",
            ["Backends:basic:Authentication:Password"] = "pass:wörd",
            ["Backends:bearer:Authentication:Scheme"] = "Bearer",
            ["Backends:bearer:Authentication:Token"] = "token-1",
            ["Backends:header:Authentication:Scheme"] = "Header",
            ["Backends:header:Authentication:Name"] = "X-Api-Key",
            ["Backends:header:Authentication:Value"] = "key-1",
        };

        await proxy.GetAsync("/dicomweb/studies", ("Authorization", "Bearer users-own"), ("X-Api-Key", "users-own"));

        Assert.Contains($"Authorization: Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes("lab:pass:wörd"))}\r\n", Only(basic));
        Assert.Contains("Authorization: Bearer token-1\r\n", Only(bearer));
        Assert.Contains("X-Api-Key: key-1\r\n", Only(header));
        Assert.NotEmpty(none.Requests);
        Assert.DoesNotContain("Authorization", Only(none) + Only(header));
        Assert.DoesNotContain("X-Api-Key", Only(none) + Only(basic) + Only(bearer));
        Assert.DoesNotContain("users-own", Only(none) + Only(basic) + Only(bearer) + Only(header));

        static string Only(RawPacs pacs) => string.Concat(pacs.Requests.Select(r => r.Head));
    }

    [Fact]
    public async Task DoesNotFollowRedirects()
    {
        using var elsewhere = new RawPacs(Study);
        using var east = new RawPacs(Study);
        await using var proxy = new ProxyHost(("east", east.Address))
        {
            ["Backends:east:Authentication:Scheme"] = "Bearer",
            ["Backends:east:Authentication:Token"] = "token-1",
        };
        var bulkData = await FindBulkDataAsync(proxy);
        foreach (var end in (string[])["studies", "metadata", "frames/1", "7fe00010"])
            east.On(end, c => c.SendAsync($"HTTP/1.1 307 Elsewhere\r\nLocation: {elsewhere.Address}/studies\r\nContent-Length: 0\r\n\r\n"));

        (await proxy.GetAsync("/dicomweb/studies")).IsProblem(502);
        (await proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1")).IsProblem(502);
        (await proxy.GetAsync(bulkData)).IsProblem(502);
        await using var cold = new ProxyHost(("east", east.Address));
        (await cold.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata")).IsProblem(502);
        Assert.Empty(elsewhere.Requests);
    }

    /// <summary>Reads the bulk data link from the metadata of the series.</summary>
    private static async Task<string> FindBulkDataAsync(ProxyHost proxy)
    {
        var metadata = await proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata");
        return new Uri((string)metadata.Rows[0]!["7FE00010"]!["BulkDataURI"]!).PathAndQuery;
    }

    [Fact]
    public async Task ReusesTheConnection_WhenThePacsAnnouncesAKeepAliveOfOneSecond()
    {
        using var east = new RawPacs(Study) { ExtraHeaders = "Connection: Keep-Alive\r\nKeep-Alive: timeout=1\r\n" };
        await using var proxy = new ProxyHost(("east", east.Address));

        for (var i = 0; i < 8; i++) Assert.Equal(200, (int)(await proxy.GetAsync($"/dicomweb/studies?PatientID=P{i}")).Status);

        Assert.Equal(8, east.Requests.Count);
        Assert.Equal(1, east.Connections);
    }

    [Fact]
    public async Task AnswersTheClient_WhenThePacsClosedTheIdleConnection()
    {
        using var east = new RawPacs(Study) { ClosesSilently = true };
        await using var proxy = new ProxyHost(("east", east.Address));

        for (var i = 0; i < 8; i++) Assert.Equal(200, (int)(await proxy.GetAsync($"/dicomweb/studies?PatientID=P{i}")).Status);
    }

    [Fact]
    public async Task LimitsConcurrentRequests_ToTheConfiguredMaximum()
    {
        using var east = new WireMockPacs(new HeldStudy("1.2.1").With(new HeldSeries("1.2.1.1", "US", 1) { Frames = 12 }));
        await using var proxy = new ProxyHost(("east", east.Address)) { ["Backends:east:MaxConcurrentRequests"] = "2" };
        await proxy.GetAsync("/dicomweb/studies/1.2.1/series");
        var gate = east.Hang("1");

        var frames = Enumerable.Range(1, 12)
            .Select(n => proxy.GetAsync($"/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/{n}")).ToArray();
        // The gate holds frames 1 and 11.
        await Until.TrueAsync(() => proxy.Arrived == 13 && gate.Arrived == 2, "two frames are requested at once");
        gate.Open();

        Assert.All(await Task.WhenAll(frames), f => Assert.Equal(200, (int)f.Status));
        Assert.Equal(2, east.Peak);
    }
}
