using Proxy.Identity;
using Proxy.Tests.Pacs;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Threats;

/// <summary>Credentials reach the destination that they are for, and no other.</summary>
public sealed class CredentialThreats
{
    private static readonly (string, string)[] UserHeaders =
        [("Authorization", "Bearer canary-user"), ("Cookie", "session=canary-user"), ("Proxy-Authorization", "Basic canary-user")];

    [Theory]
    [InlineData("/dicomweb/studies")]
    [InlineData("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata")]
    [InlineData("/backends/east/dicomweb/workitems")]
    [InlineData("/backends/west/dicomweb/workitems")]
    public async Task T18_NoCredentialCrosses(string path)
    {
        using var idp = new TokenServer();
        using var east = new RawPacs(new HeldStudy("1.2.1").With("1.2.1.1"));
        using var west = new RawPacs(new HeldStudy("1.2.1").With("1.2.1.1"));
        await using var proxy = new ProxyHost(("east", east.Address), ("west", west.Address))
        {
            Identify = _ => new Caller("anna", Roles.All) { Key = "anna", Token = "canary-token" },
            ["Backends:east:Forward"] = "true",
            ["Backends:west:Forward"] = "true",
            ["Backends:west:Authentication:Scheme"] = "Header",
            ["Backends:west:Authentication:Name"] = "X-Api-Key",
            ["Backends:west:Authentication:Value"] = "canary-west",
        };
        foreach (var (key, value) in idp.GetSettings("east")) proxy[key] = value;

        await proxy.GetAsync(path, UserHeaders);

        Assert.NotEmpty(east.Requests.Concat(west.Requests));
        Assert.All(east.Requests, r => Assert.Contains("Authorization: Bearer token-1\r\n", r.Head));
        Assert.All(west.Requests, r => Assert.Contains("X-Api-Key: canary-west\r\n", r.Head));
        Assert.All(east.Requests, r => Assert.DoesNotContain("canary", r.Head));
        Assert.All(west.Requests, r => Assert.DoesNotContain("Authorization", r.Head));
        Assert.All(west.Requests, r => Assert.DoesNotContain("canary-user", r.Head));
        Assert.All(idp.Requests, r => Assert.DoesNotContain("canary-", string.Concat(r.Headers.Values) + r.Body));
    }

    [Fact]
    public async Task T18_NoSecretIsShown()
    {
        using var idp = new TokenServer();
        using var east = new WireMockPacs();
        await using var proxy = new ProxyHost(("east", east.Address), ("west", east.Address));
        var file = Path.Combine(proxy.Root, "canary-file");
        await File.WriteAllTextAsync(file, "canary-west", TestContext.Current.CancellationToken);
        proxy["Backends:west:Authentication:Scheme"] = "Bearer";
        proxy["Backends:west:Authentication:TokenFile"] = file;
        foreach (var (key, value) in idp.GetSettings("east")) proxy[key] = value;
        await proxy.GetAsync("/dicomweb/studies");
        idp.Fail(PacsAnswer.Text(500, "text/plain", "canary"));
        east.Fail(401);
        await proxy.GetAsync("/dicomweb/studies?PatientID=1");

        foreach (var path in (string[])["/settings", "/support-bundle", "/warnings", "/health/ready", "/metrics"])
        {
            var text = (await proxy.GetAsync(path)).Text;
            Assert.DoesNotContain("canary", text);
            Assert.DoesNotContain("token-1", text);
        }
        Assert.DoesNotContain(proxy.Log.All, l => l.Contains("canary", StringComparison.Ordinal));
        Assert.DoesNotContain(proxy.Log.All, l => l.Contains("token-1", StringComparison.Ordinal));
    }

    [Fact]
    public async Task T18_ATokenRequestFollowsNoRedirect()
    {
        using var elsewhere = new RawPacs();
        using var idp = new TokenServer();
        idp.Fail(PacsAnswer.Text(307, "text/plain", "") with { Headers = [("Location", elsewhere.Address + "/token")] });
        using var east = new RawPacs();
        await using var proxy = new ProxyHost(("east", east.Address));
        foreach (var (key, value) in idp.GetSettings("east")) proxy[key] = value;

        (await proxy.GetAsync("/dicomweb/studies")).IsProblem(502, "the token endpoint answered 307");

        Assert.Empty(elsewhere.Requests);
        Assert.Empty(east.Requests);
    }

    [Fact]
    public async Task T18_AUsersTokenFollowsNoRedirect()
    {
        using var elsewhere = new RawPacs();
        using var east = new WireMockPacs();
        east.Respond(PacsAnswer.Text(302, "text/plain", "") with { Headers = [("Location", elsewhere.Address + "/studies")] });
        await using var proxy = new ProxyHost(("east", east.Address))
        {
            Identify = _ => new Caller("anna", Roles.All) { Key = "anna", Token = "canary-token" },
            ["Backends:east:Authentication:Scheme"] = "Forward",
        };

        (await proxy.GetAsync("/dicomweb/studies")).IsProblem(502);

        Assert.Equal("Bearer canary-token", east.Requests[0].Headers["Authorization"]);
        Assert.Empty(elsewhere.Requests);
    }
}
