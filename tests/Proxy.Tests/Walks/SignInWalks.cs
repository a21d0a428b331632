using Proxy.Tests.Identity;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Browsers sign in at an identity provider and have a session.</summary>
public sealed class SignInWalks(SignInWalks.OneProxy fixture) : IClassFixture<SignInWalks.OneProxy>
{
    private const string Cookie = "proxy-session";

    private readonly ProxyHost _proxy = fixture.Proxy;

    /// <summary>A proxy whose users sign in at an issuer.</summary>
    public sealed class OneProxy : IAsyncLifetime
    {
        public IssuerSite Site { get; private set; } = null!;

        public ProxyHost Proxy { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Site = await IssuerSite.StartAsync();
            Proxy = Make(Site);
        }

        public async ValueTask DisposeAsync()
        {
            await Proxy.DisposeAsync();
            await Site.DisposeAsync();
        }
    }

    [Fact]
    public async Task LeadsAPageToTheSignIn_AndBack()
    {
        using var browser = new TestBrowser(_proxy);

        var page = await browser.OpenAsync("/look?study=1.2");
        var caller = await browser.FetchAsync("/caller");

        Assert.Equal((200, "text/html; charset=utf-8"), ((int)page.Status, page["Content-Type"]));
        Assert.Equal("/look?study=1.2", browser.Visited[^1]);
        Assert.Contains("code_challenge_method=S256", browser.Visited[2]);
        Assert.Contains("response_type=code", browser.Visited[2]);
        Assert.Equal("Anna A.", (string?)caller.Json["name"]);
        Assert.Equal("""["viewer","prefetcher"]""", caller.Json["roles"]!.ToJsonString());
        Assert.Equal("Oidc", (string?)caller.Json["authentication"]);
        Assert.NotNull(caller.Json["expires"]);
        var attributes = browser.SetCookies[Cookie].ToLowerInvariant();
        Assert.All((string[])["; secure", "; httponly", "; samesite=lax"], attribute => Assert.Contains(attribute, attributes));
    }

    [Fact]
    public async Task RefusesARequestOfAScript_WithoutARedirect()
    {
        using var browser = new TestBrowser(_proxy);

        (await browser.FetchAsync("/dicomweb/studies")).IsProblem(401, "/sign-in");
        (await _proxy.GetAsync("/dicomweb/studies")).IsProblem(401, "/sign-in");
        (await _proxy.GetAsync("/", ("Accept", "text/html"), ("Sec-Fetch-Mode", "cors"))).IsProblem(401);
        (await _proxy.GetAsync("/caller", ("Authorization", $"Bearer {fixture.Site.Issuer.Issue("anna")}"))).IsProblem(401);
        (await _proxy.GetAsync("/caller?token=abc")).IsProblem(400, "token");
    }

    [Theory]
    [InlineData("https://evil.test/")]
    [InlineData("//evil.test/")]
    [InlineData("/\\evil.test/")]
    [InlineData("/%0d%0aSet-Cookie:x")]
    [InlineData("viewer")]
    public async Task RefusesToReturnToAnotherSite(string url)
    {
        var reply = await _proxy.GetAsync("/sign-in?returnUrl=" + (url.Contains('%') ? url : Uri.EscapeDataString(url)));

        reply.IsProblem(400, "returnUrl");
    }

    [Fact]
    public async Task RefusesACallback_OfASignInThatDidNotBeginInThisBrowser()
    {
        using var victim = new TestBrowser(_proxy);
        using var attacker = new TestBrowser(_proxy);
        await attacker.OpenAsync("/");
        var callback = attacker.Visited.Single(v => v.Contains("/sign-in/callback", StringComparison.Ordinal));

        var stolen = await victim.FetchAsync(callback.Replace(_proxy.Address, "", StringComparison.Ordinal));
        var invented = await victim.FetchAsync("/sign-in/callback?code=the-code&state=x");
        var empty = await victim.FetchAsync("/sign-in/callback");

        Assert.All([stolen, invented, empty], reply => reply.IsProblem(400, "sign-in"));
        (await victim.FetchAsync("/caller")).IsProblem(401);
    }

    [Fact]
    public async Task RefusesAChange_FromAnotherSite()
    {
        using var browser = new TestBrowser(_proxy);
        await browser.OpenAsync("/");

        var reply = await browser.SendAsync(
            HttpMethod.Post, "/sign-out", ("Origin", "https://evil.test"), ("Sec-Fetch-Site", "cross-site"));

        reply.IsProblem(403, "Origin");
        Assert.Equal(200, (int)(await browser.FetchAsync("/caller")).Status);
    }

    [Fact]
    public async Task EndsTheSession_AtTheSignOut()
    {
        using var browser = new TestBrowser(_proxy);
        await browser.OpenAsync("/");

        var reply = await browser.SendAsync(HttpMethod.Post, "/sign-out", ("Sec-Fetch-Site", "same-origin"));

        Assert.Equal($"{fixture.Site.Address}/end?client_id=proxy", (string?)reply.Json["providerUrl"]);
        (await browser.FetchAsync("/caller")).IsProblem(401);
    }

    [Fact]
    public async Task RefusesAChangedCookie()
    {
        using var browser = new TestBrowser(_proxy);
        await browser.OpenAsync("/");
        browser.Change(Cookie, value => value[..^8] + "AAAAAAAA");

        (await browser.FetchAsync("/caller")).IsProblem(401, "session");
    }

    [Fact]
    public async Task EndsTheSession_WithTheToken_AndKeepsItOverARestart()
    {
        await using var site = await IssuerSite.StartAsync();
        var folder = Directory.CreateTempSubdirectory("proxy-sessions-").FullName;
        await using (var first = Make(site, ("Cache:Disk:Path", folder), ("Security:Jwt:Audience", TestIssuer.Audience)))
        {
            using var browser = new TestBrowser(first);
            site.ExpiresIn = 0;
            await browser.OpenAsync("/sign-in?returnUrl=%2Fhealth%2Flive");
            (await browser.FetchAsync("/caller")).IsProblem(401, "ended");
            // A sign-in succeeds without the user information.
            (site.ExpiresIn, site.RefusesUserInfo) = (600, true);
            await browser.OpenAsync("/sign-in");
            Assert.Equal("anna", (string?)(await browser.FetchAsync("/caller")).Json["name"]);
            site.RefusesUserInfo = false;
            await browser.OpenAsync("/sign-in");
            await browser.OpenAsync("/");
            // Programs use tokens meanwhile.
            Assert.Equal(200, (int)(await first.GetAsync("/caller", ("Authorization", $"Bearer {site.Issuer.Issue("olga")}"))).Status);

            await first.DisposeAsync();
            await using var second = Make(site, ("Cache:Disk:Path", folder));
            using var later = new TestBrowser(second);
            later.CopyFrom(browser);
            Assert.Equal("Anna A.", (string?)(await later.FetchAsync("/caller")).Json["name"]);
        }
        Directory.Delete(folder, recursive: true);
    }

    private static ProxyHost Make(IssuerSite site, params (string Key, string Value)[] more)
    {
        var proxy = new ProxyHost(("east", "http://127.0.0.1:1/dicom-web"))
        {
            ["Security:Authentication"] = "Oidc",
            ["Security:Oidc:Authority"] = site.Address,
            ["Security:Oidc:ClientId"] = "proxy",
            ["Security:Oidc:ClientSecret"] = "s3cret",
            ["Security:Jwt:Authority"] = site.Address,
            ["Security:Roles:prefetcher:0"] = "cardio",
        };
        foreach (var (key, value) in more) proxy[key] = value;
        return proxy;
    }
}
