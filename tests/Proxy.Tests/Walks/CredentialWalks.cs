using System.Net;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Proxy.Identity;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Secrets come from files, a user's token reaches the PACS that asks for it, and client certificates are sent.</summary>
public sealed class CredentialWalks
{
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());

    [Fact]
    public async Task ReadsASecretFromItsFile_AndReadsItAgain()
    {
        using var basic = new RawPacs();
        using var bearer = new RawPacs();
        await using var proxy = new ProxyHost(("basic", basic.Address), ("bearer", bearer.Address)) { Time = _time };
        var (password, token) = (Path.Combine(proxy.Root, "password"), Path.Combine(proxy.Root, "token"));
        await File.WriteAllTextAsync(password, "pass:wörd\n", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(token, "token-1\r\n", TestContext.Current.CancellationToken);
        proxy["Backends:basic:Authentication:Scheme"] = "Basic";
        proxy["Backends:basic:Authentication:User"] = "lab";
        proxy["Backends:basic:Authentication:PasswordFile"] = password;
        proxy["Backends:bearer:Authentication:Scheme"] = "Bearer";
        proxy["Backends:bearer:Authentication:TokenFile"] = token;

        await proxy.GetAsync("/dicomweb/studies");
        var user = Convert.ToBase64String(Encoding.UTF8.GetBytes("lab:pass:wörd"));
        Assert.Contains($"Authorization: Basic {user}\r\n", basic.Requests[^1].Head);
        Assert.Contains("Authorization: Bearer token-1\r\n", bearer.Requests[^1].Head);

        await File.WriteAllTextAsync(token, "token-2", TestContext.Current.CancellationToken);
        File.Delete(password);
        _time.Advance(TimeSpan.FromSeconds(2));
        await proxy.GetAsync("/dicomweb/studies?PatientID=2");
        Assert.Contains("Authorization: Bearer token-2\r\n", bearer.Requests[^1].Head);
        // The last password stays in use.
        Assert.Contains("Authorization: Basic ", basic.Requests[^1].Head);
        Assert.DoesNotContain("token-", (await proxy.GetAsync("/settings")).Text);
    }

    [Fact]
    public async Task SendsTheUsersToken_ToTheBackendThatDecides()
    {
        using var east = new RawPacs(new HeldStudy("1.2.1").With("1.2.1.1"));
        using var west = new RawPacs(new HeldStudy("1.2.2").With("1.2.2.1"));
        await using var proxy = StartForwarding(east, west);

        Assert.Equal(2, (await proxy.GetAsync("/dicomweb/studies", ("X-Test-User", "anna"))).Rows.Count);

        Assert.Contains("Authorization: Bearer token-of-anna\r\n", east.Requests[0].Head);
        Assert.DoesNotContain("Authorization", west.Requests[0].Head);
    }

    [Fact]
    public async Task DoesNotAskTheBackend_WhenTheUserHasNoToken()
    {
        using var east = new RawPacs(new HeldStudy("1.2.1").With("1.2.1.1"));
        using var west = new RawPacs(new HeldStudy("1.2.2").With("1.2.2.1"));
        await using var proxy = StartForwarding(east, west);

        var reply = await proxy.GetAsync("/dicomweb/studies");
        Assert.Single(reply.Rows);
        // What a user may not see is absent: no warning names the backend.
        Assert.Empty(reply.Warnings);
        Assert.True((int)(await proxy.GetAsync("/backends/east/dicomweb/workitems")).Status >= 400);
        Assert.Empty(east.Requests);
    }

    [Fact]
    public async Task TheBackendStaysUp_WhenUsersHaveNoTokenOrAreRefused()
    {
        using var east = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.1"));
        using var west = new WireMockPacs();
        // The PACS also refuses the health check of the proxy, which has no token.
        var refusal = PacsAnswer.Text(401, "text/plain", "");
        east.Respond(r => r.Headers.GetValueOrDefault("Authorization") == "Bearer token-of-anna" ? null : refusal);
        await using var proxy = StartForwarding(east.Address, west.Address);

        for (var i = 0; i < 12; i++)
        {
            var user = i % 2 == 0 ? "mallory" : "";
            await proxy.GetAsync($"/dicomweb/studies?PatientID={i}", ("X-Test-User", user));
        }
        await proxy.SendAsync(HttpMethod.Post, "/backends/east/test", []);

        var health = (await proxy.GetAsync("/health/ready", ("X-Test-User", "anna"))).Json["backends"]!["east"]!;
        Assert.Equal("up", (string?)health["state"] ?? health.ToJsonString());
        Assert.Single((await proxy.GetAsync("/backends/east/dicomweb/studies", ("X-Test-User", "anna"))).Rows);
    }

    [Fact]
    public async Task AnOutageIsFoundAndEnds_ByHealthChecksWithoutAToken()
    {
        using var east = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.1"));
        using var west = new WireMockPacs();
        await using var proxy = StartForwarding(east.Address, west.Address);
        east.Fail(503);
        for (var i = 0; i < 6; i++) await proxy.GetAsync($"/dicomweb/studies?PatientID={i}", ("X-Test-User", "anna"));
        await AdvanceUntilAsync(async () =>
            (await proxy.GetAsync("/backends/east/dicomweb/studies", ("X-Test-User", "anna"))).Text.Contains(
                "circuit open", StringComparison.Ordinal));

        east.Recover();
        east.Respond(r => r.Headers.ContainsKey("Authorization") ? null : PacsAnswer.Text(401, "text/plain", ""));
        await AdvanceUntilAsync(async () =>
            (await proxy.GetAsync("/backends/east/dicomweb/studies", ("X-Test-User", "anna"))).Status == HttpStatusCode.OK);
    }

    private Task AdvanceUntilAsync(Func<Task<bool>> condition) => Until.TrueAsync(async () =>
    {
        _time.Advance(TimeSpan.FromSeconds(1));
        return await condition();
    });

    private ProxyHost StartForwarding(RawPacs east, RawPacs west) => StartForwarding(east.Address, west.Address);

    private ProxyHost StartForwarding(string east, string west) => new(("east", east), ("west", west))
    {
        Time = _time,
        Identify = request => request.Headers["X-Test-User"].ToString() is { Length: > 0 } user
            ? new Caller(user, Roles.All) { Key = user, Token = $"token-of-{user}" }
            : Caller.Anonymous,
        ["Backends:east:Authentication:Scheme"] = "Forward",
        ["Backends:east:Forward"] = "true",
    };
}
