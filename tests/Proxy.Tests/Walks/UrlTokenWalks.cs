using Proxy.Tests.Identity;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Tokens in the query of a request.</summary>
public sealed class UrlTokenWalks
{
    private const string Metadata = "/dicomweb/studies/1.2.1/series/1.2.1.1/metadata";

    [Theory]
    [InlineData("access_token")]
    [InlineData("token")]
    [InlineData("TOKEN")]
    [InlineData("%74oken")]
    public async Task T19_RefusesATokenInTheUrl(string name)
    {
        using var east = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.1"));
        await using var proxy = new ProxyHost(("east", east.Address)) { Issuer = TestIssuer.Shared };
        var token = TestIssuer.Shared.Issue("anna");

        var alone = await proxy.GetAsync($"/dicomweb/studies?{name}={token}");
        var both = await proxy.As("anna").GetAsync($"/dicomweb/studies?limit=1&{name}={token}");

        alone.IsProblem(400, "token");
        both.IsProblem(400, "token");
        Assert.Empty(east.Requests);
    }

    [Fact]
    public async Task T19_RemovesTheToken_BeforeLoggingKeyingAndForwarding()
    {
        using var east = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.1"));
        await using var proxy = new ProxyHost(("east", east.Address))
        {
            Issuer = TestIssuer.Shared,
            ["Security:Jwt:AllowInUrl"] = "true",
            ["Backends:east:Forward"] = "true",
        };
        var (anna, olga) = (TestIssuer.Shared.Issue("anna"), TestIssuer.Shared.Issue("olga"));

        var first = await proxy.GetAsync($"{Metadata}?token={anna}");
        var second = await proxy.GetAsync($"{Metadata}?access_token={olga}");
        var list = await proxy.GetAsync($"/dicomweb/studies?PatientID=*&token={anna}&limit=5");
        await proxy.GetAsync($"/backends/east/dicomweb/workitems?limit=3&access_token={anna}");
        var wrong = await proxy.GetAsync($"{Metadata}?token={anna}x");
        var twice = await proxy.GetAsync($"{Metadata}?token={anna}&token={olga}");

        Assert.Equal((200, 200, 200), ((int)first.Status, (int)second.Status, (int)list.Status));
        Assert.Contains("hit", second.CacheStatus);
        Assert.Contains(east.Requests, r => r.Path.EndsWith("workitems", StringComparison.Ordinal));
        Assert.DoesNotContain(east.Requests, r => r.Query.Contains("token", StringComparison.Ordinal));
        // The server itself logs the line of each request at level Information, which is off by default.
        var logged = proxy.Log.All.Where(line => !line.StartsWith("Information Microsoft", StringComparison.Ordinal));
        Assert.DoesNotContain(logged, line => line.Contains(anna[^20..], StringComparison.Ordinal));
        wrong.IsProblem(401);
        twice.IsProblem(400);
    }
}
