using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A page of another site cannot reach the proxy under its own name, nor change anything through a user's browser.</summary>
public sealed class ForeignSiteWalks(ForeignSiteWalks.OneProxy fixture) : IClassFixture<ForeignSiteWalks.OneProxy>
{
    private const string Job = """{"studies":["1.2.1"]}""";

    private readonly ProxyHost _proxy = fixture.Proxy;

    public sealed class OneProxy : IAsyncDisposable
    {
        public OneProxy() => Proxy = new(("east", East.Address))
        {
            ["Security:AllowedHosts:0"] = "pacs.example",
            ["Security:AllowedOrigins:0"] = "https://viewer.example",
            ["Security:KnownProxies:0"] = "127.0.0.0/8",
            ["Backends:east:Forward"] = "true",
        };

        public WireMockPacs East { get; } = new(new HeldStudy("1.2.1").With("1.2.1.1"));

        public ProxyHost Proxy { get; }

        public async ValueTask DisposeAsync()
        {
            await Proxy.DisposeAsync();
            East.Dispose();
        }
    }

    [Theory]
    [InlineData("evil.example")]
    [InlineData("evil.example:8080")]
    [InlineData("localhost.evil.example")]
    [InlineData("10.0.0.7")]
    public async Task RefusesRequests_WhenTheHostIsUnknown(string host)
    {
        var asked = fixture.East.Requests.Count;
        string[] paths =
        [
            "/", "/dicomweb/studies", "/dicomweb/studies/1.2.1/metadata", "/store/studies", "/cache", "/health/ready", "/events",
            "/ohif/app-config.js", "/nothing",
        ];
        foreach (var path in paths)
        {
            var reply = await _proxy.GetAsync(path, ("Host", host));
            reply.IsProblem(421, names: "Security:AllowedHosts");
            Assert.Equal("Host", (string)reply.Json["parameter"]!);
        }
        Assert.Equal(asked, fixture.East.Requests.Count);
    }

    [Theory]
    [InlineData("localhost:8080")]
    [InlineData("127.0.0.2")]
    [InlineData("[::1]:8080")]
    [InlineData("pacs.example")]
    public async Task AnswersRequests_WhenTheHostIsKnown(string host) =>
        Assert.Equal(200, (int)(await _proxy.GetAsync("/dicomweb/studies", ("Host", host))).Status);

    [Theory]
    [InlineData("X-Forwarded-Host", "evil.example")]
    [InlineData("Forwarded", "host=evil.example")]
    public async Task RefusesRequests_WhenTheForwardedHostIsUnknown(string header, string value) =>
        (await _proxy.GetAsync("/dicomweb/studies", (header, value))).IsProblem(421, names: "evil.example");

    /// <summary>A page behind a rebound DNS name sets any header except <c>Host</c>, and its requests come from this machine.</summary>
    [Fact]
    public async Task RefusesAnUnknownHost_WhenTheForwardedHostIsKnown() =>
        (await _proxy.GetAsync("/dicomweb/studies", ("Host", "evil.example"), ("X-Forwarded-Host", "pacs.example")))
            .IsProblem(421, names: "evil.example");

    [Theory]
    [InlineData("POST", "/prefetch")]
    [InlineData("DELETE", "/prefetch/1")]
    [InlineData("DELETE", "/cache")]
    [InlineData("DELETE", "/cache/studies/1.2.1")]
    [InlineData("POST", "/backends/east/dicomweb/workitems")]
    [InlineData("DELETE", "/backends/east/dicomweb/studies/1.2.1")]
    [InlineData("PUT", "/nothing")]
    public async Task RefusesChanges_WhenThePageIsOfAnotherOrigin(string method, string path)
    {
        var asked = fixture.East.Requests.Count(r => r.Method != "GET");
        (string, string)[][] foreign =
        [
            [("Origin", "https://evil.example")],
            [("Origin", "null")],
            [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")],
            [("Origin", "https://evil.pacs.example"), ("Sec-Fetch-Site", "same-site")],
            [("Sec-Fetch-Site", "cross-site")],
            [("Sec-Fetch-Site", "same-site")],
        ];
        foreach (var headers in foreign)
        {
            var reply = await _proxy.SendAsync(new HttpMethod(method), path, headers, Job);
            reply.IsProblem(403, names: "Security:AllowedOrigins");
        }
        Assert.Equal(asked, fixture.East.Requests.Count(r => r.Method != "GET"));
        Assert.Empty((await _proxy.GetAsync("/prefetch")).Json.AsArray());
    }

    public static TheoryData<string, string> OwnOrigins => new()
    {
        { "", "" }, { "", "none" }, { "{own}", "" }, { "{own}", "same-origin" },
        { "http://localhost:3000", "cross-site" }, { "https://viewer.example", "cross-site" },
        // Sec-Fetch-Site decides if an intermediary rewrites the host.
        { "https://outside.example", "same-origin" },
    };

    [Theory]
    [MemberData(nameof(OwnOrigins))]
    public async Task AllowsChanges_WhenTheOriginIsAllowedOrMissing(string origin, string site)
    {
        var headers = new List<(string, string)>();
        if (origin.Length > 0) headers.Add(("Origin", origin.Replace("{own}", _proxy.Address, StringComparison.Ordinal)));
        if (site.Length > 0) headers.Add(("Sec-Fetch-Site", site));

        Assert.Equal(204, (int)(await _proxy.SendAsync(HttpMethod.Delete, "/cache/studies/1.2.9", [.. headers])).Status);
    }

    [Fact]
    public async Task TakesTheOriginThatTheClientUsed_AsItsOwn()
    {
        (string, string)[] forwarded = [("X-Forwarded-Host", "pacs.example"), ("X-Forwarded-Proto", "https")];

        var own = await _proxy.SendAsync(HttpMethod.Delete, "/cache/studies/1.2.9", [.. forwarded, ("Origin", "https://pacs.example")]);
        var other = await _proxy.SendAsync(HttpMethod.Delete, "/cache/studies/1.2.9", [.. forwarded, ("Origin", "http://pacs.example")]);

        Assert.Equal(204, (int)own.Status);
        other.IsProblem(403);
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("multipart/form-data; boundary=x")]
    public async Task Returns415_WhenAJobIsNotJson(string type)
    {
        (await _proxy.SendAsync(HttpMethod.Post, "/prefetch", [("Content-Type", type)], Job)).IsProblem(415, names: "application/json");
        Assert.Empty((await _proxy.GetAsync("/prefetch")).Json.AsArray());
    }

    [Fact]
    public async Task AllowsReading_WhenTheOriginIsForeign()
    {
        // CORS decides if a page of another origin may read the answer.
        var reply = await _proxy.GetAsync("/dicomweb/studies", ("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site"));
        Assert.Equal(200, (int)reply.Status);
    }
}
