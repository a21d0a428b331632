using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Which origins may read answers, and which headers.</summary>
public sealed class CorsWalks(CorsWalks.OneOrigin fixture) : IClassFixture<CorsWalks.OneOrigin>
{
    private readonly ProxyHost _proxy = fixture.Proxy;

    /// <summary>A proxy that allows one origin besides the loopback origins.</summary>
    public sealed class OneOrigin : IAsyncDisposable
    {
        public OneOrigin() => Proxy = new(("east", East.Address)) { ["Security:AllowedOrigins:0"] = "https://viewer.example" };

        public WireMockPacs East { get; } = new(new HeldStudy("1.2.1").With("1.2.1.1"));

        public ProxyHost Proxy { get; }

        public async ValueTask DisposeAsync()
        {
            await Proxy.DisposeAsync();
            East.Dispose();
        }
    }

    [Theory]
    [InlineData("http://localhost:3000")]
    [InlineData("http://127.0.0.1:3000")]
    [InlineData("http://[::1]:3000")]
    [InlineData("https://viewer.example")]
    public async Task AllowsReadingTheAnswerAndItsHeaders_WhenTheOriginIsAllowed(string origin)
    {
        var reply = await _proxy.GetAsync("/dicomweb/studies", ("Origin", origin));
        var problem = await _proxy.GetAsync("/dicomweb/studies/abc/series", ("Origin", origin));
        var refused = await _proxy.GetAsync("/dicomweb/studies//1.2.1", ("Origin", origin));

        Assert.Equal(origin, reply["Access-Control-Allow-Origin"]);
        Assert.Equal(400, (int)refused.Status);
        Assert.Equal(origin, refused["Access-Control-Allow-Origin"]);
        Assert.Equal(origin, problem["Access-Control-Allow-Origin"]);
        Assert.Equal("", reply["Access-Control-Allow-Credentials"]);
        Assert.Contains("Origin", reply["Vary"]);
        Assert.Contains("Accept-Encoding", reply["Vary"]);
        foreach (var header in (string[])[
            "Content-Type", "Content-Length", "Content-Range", "ETag", "Warning", "Cache-Status", "Age", "X-Backend", "X-Failed-Backends"])
            Assert.Contains(header, reply["Access-Control-Expose-Headers"]);
        Assert.Equal("cross-origin", reply["Cross-Origin-Resource-Policy"]);
        Assert.Equal("nosniff", reply["X-Content-Type-Options"]);
    }

    [Theory]
    [InlineData("https://evil.example")]
    [InlineData("http://viewer.example")]
    [InlineData("https://viewer.example.evil.example")]
    [InlineData("http://localhost.evil.example")]
    [InlineData("http://127.0.0.1.evil.example")]
    [InlineData("null")]
    public async Task AllowsNothing_WhenTheOriginIsUnknown(string origin)
    {
        var reply = await _proxy.GetAsync("/dicomweb/studies", ("Origin", origin));
        var preflight = await PreflightAsync(origin);

        Assert.DoesNotContain(reply.Headers.Keys, h => h.StartsWith("Access-Control-", StringComparison.OrdinalIgnoreCase));
        Assert.DoesNotContain(preflight.Headers.Keys, h => h.StartsWith("Access-Control-", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task AnswersAPreflight_WithoutAskingAPacs()
    {
        var asked = fixture.East.Requests.Count;
        var preflight = await PreflightAsync("http://localhost:3000");

        Assert.Equal(204, (int)preflight.Status);
        Assert.Equal("http://localhost:3000", preflight["Access-Control-Allow-Origin"]);
        Assert.Contains("GET", preflight["Access-Control-Allow-Methods"]);
        Assert.Contains("PUT", preflight["Access-Control-Allow-Methods"]);
        Assert.Contains("authorization", preflight["Access-Control-Allow-Headers"], StringComparison.OrdinalIgnoreCase);
        Assert.True(int.Parse(preflight["Access-Control-Max-Age"], System.Globalization.CultureInfo.InvariantCulture) > 0);
        Assert.Equal(asked, fixture.East.Requests.Count);
    }

    private Task<Reply> PreflightAsync(string origin) => _proxy.SendAsync(
        HttpMethod.Options, "/dicomweb/studies",
        [("Origin", origin), ("Access-Control-Request-Method", "GET"), ("Access-Control-Request-Headers", "accept,authorization")]);
}
