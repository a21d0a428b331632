using System.Text;
using System.Text.Json.Nodes;
using Proxy.Identity;
using Proxy.Tests.Identity;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Which bearer tokens authenticate a user, and which roles they give.</summary>
public sealed class TokenWalks(TokenWalks.OneProxy fixture) : IClassFixture<TokenWalks.OneProxy>
{
    private static readonly IssuerKey Foreign = IssuerKey.Ec("ec-1");

    private readonly ProxyHost _proxy = fixture.Proxy;
    private readonly TestIssuer _issuer = fixture.Issuer;

    /// <summary>A proxy with an issuer that has keys of several kinds.</summary>
    public sealed class OneProxy : IAsyncDisposable
    {
        public OneProxy()
        {
            Issuer.Rotate(IssuerKey.Rsa("rsa-1"));
            Issuer.Rotate(IssuerKey.Rsa("pss-1", "PS256"));
            Issuer.Rotate(IssuerKey.Ec("ec-2"));
            Proxy = new(("east", East.Address)) { Issuer = Issuer, ["Security:Roles:operator:0"] = "admins" };
        }

        public WireMockPacs East { get; } = new(new HeldStudy("1.2.1").With("1.2.1.1"));

        public TestIssuer Issuer { get; } = new();

        public ProxyHost Proxy { get; }

        public async ValueTask DisposeAsync()
        {
            await Proxy.DisposeAsync();
            East.Dispose();
        }
    }

    public static TheoryData<string> Accepted =>
    [
        "plain", "type JWT", "no type", "no kid", "RS256", "PS256", "older key", "several audiences", "expired 30 s ago",
        "starts in 30 s",
    ];

    public static TheoryData<string, string> Refused => new()
    {
        { "other issuer", "issuer" },
        { "no issuer", "issuer" },
        { "other audience", "audience" },
        { "no audience", "audience" },
        { "expired 61 s ago", "expired" },
        { "no expiry", "expiry" },
        { "expiry is text", "not a signed JWT" },
        { "starts in 90 s", "not valid yet" },
        { "no subject", "subject" },
        { "foreign key", "signature" },
        { "changed claims", "signature" },
        { "unknown kid", "key" },
        { "alg none", "algorithm" },
        { "alg None", "algorithm" },
        { "HS256 with the public key", "algorithm" },
        { "kid of another algorithm", "key" },
        { "type logout+jwt", "not a signed JWT" },
        { "huge", "not a signed JWT" },
        { "encrypted", "not a signed JWT" },
        { "garbage", "not a signed JWT" },
        { "claims are a list", "not a signed JWT" },
        { "empty", "not a signed JWT" },
    };

    [Theory]
    [MemberData(nameof(Accepted))]
    public async Task AuthenticatesTheUser(string token)
    {
        var reply = await _proxy.With(MakeAccepted(token)).GetAsync("/dicomweb/studies");

        Assert.Equal(200, (int)reply.Status);
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task T20_RefusesATokenThatIsNotValid(string token, string reason)
    {
        var text = MakeRefused(token);

        var reply = await _proxy.With(text).GetAsync("/dicomweb/studies");

        reply.IsProblem(401, reason);
        Assert.StartsWith("Bearer error=\"invalid_token\"", reply["WWW-Authenticate"]);
        if (text.Length > 20) Assert.DoesNotContain(_proxy.Log.All, line => line.Contains(text[^20..], StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Basic YTpi")]
    [InlineData(null)]
    public async Task AsksForAToken_WhenThereIsNone(string? authorization)
    {
        (string, string)[] headers = authorization is null ? [] : [("Authorization", authorization)];

        string[] paths = ["/dicomweb/studies", "/", "/viewer/", "/cache", "/metrics", "/events", "/store/studies", "/prefetch"];
        foreach (var path in paths)
        {
            var reply = await _proxy.GetAsync(path, headers);
            reply.IsProblem(401, "Authorization");
            Assert.Equal("Bearer", reply["WWW-Authenticate"]);
        }
    }

    [Fact]
    public async Task LeavesLivenessOpen()
    {
        Assert.Equal(200, (int)(await _proxy.GetAsync("/health/live")).Status);
        Assert.Equal(200, (int)(await _proxy.With("garbage").GetAsync("/health/live")).Status);
        Assert.Equal(200, (int)(await _proxy.GetAsync("/health/ready")).Status);
    }

    [Fact]
    public async Task AnswersAPreflight_WithoutAToken()
    {
        var reply = await _proxy.SendAsync(
            HttpMethod.Options, "/dicomweb/studies",
            [
                ("Origin", "http://localhost:3000"), ("Access-Control-Request-Method", "GET"),
                ("Access-Control-Request-Headers", "authorization"),
            ]);

        Assert.Equal(204, (int)reply.Status);
        Assert.Equal("authorization", reply["Access-Control-Allow-Headers"]);
    }

    [Fact]
    public async Task T21_GivesOperatorsAlone_TheStateOfTheProxy()
    {
        await _proxy.As("anna").GetAsync("/dicomweb/studies");
        var (viewer, admin) = (_proxy.As("anna", "cardio"), _proxy.As("olga", "admins"));

        foreach (var path in (string[])["/metrics", "/cache", "/settings", "/warnings", "/traffic"])
        {
            (await viewer.GetAsync(path)).IsProblem(403, "operator");
            Assert.Equal(200, (int)(await admin.GetAsync(path)).Status);
        }
        Assert.Equal("""{"status":"ready"}""", (await viewer.GetAsync("/health/ready")).Text);
        Assert.Equal("up", (string?)(await admin.GetAsync("/health/ready")).Json["backends"]!["east"]!["state"]);
        (await _proxy.As("mallory", "operator").GetAsync("/cache")).IsProblem(403, "operator");
    }

    [Fact]
    public async Task ShowsOperatorsTheJobsOfOthers_WithoutTheRoleViewer()
    {
        await using var proxy = new ProxyHost(("east", fixture.East.Address))
        {
            Identify = request => new Caller($"{request.Headers["X-Role"]}", Enum.Parse<Roles>($"{request.Headers["X-Role"]}")),
        };
        (string, string)[] As(Roles role) => [("X-Role", $"{role}")];
        var job = await proxy.SendAsync(HttpMethod.Post, "/prefetch", As(Roles.Prefetcher), """{"studies":["1.2.1"]}""");

        Assert.Equal(202, (int)job.Status);
        Assert.Equal(200, (int)(await proxy.GetAsync(job["Location"], As(Roles.Prefetcher))).Status);
        Assert.Single((await proxy.GetAsync("/prefetch", As(Roles.Operator))).Json.AsArray());
        Assert.Equal(204, (int)(await proxy.SendAsync(HttpMethod.Delete, job["Location"], As(Roles.Operator))).Status);
        (await proxy.GetAsync("/prefetch", As(Roles.Emergency))).IsProblem(403, "viewer or prefetcher or operator");
    }

    [Fact]
    public async Task DemandsTheToken_BeforeEveryHit()
    {
        const string metadata = "/dicomweb/studies/1.2.1/series/1.2.1.1/metadata";
        var first = await _proxy.As("anna").GetAsync(metadata);
        var second = await _proxy.As("anna").GetAsync(metadata);

        Assert.Equal(200, (int)first.Status);
        Assert.Contains("hit", second.CacheStatus);
        (await _proxy.GetAsync(metadata)).IsProblem(401);
        (await _proxy.With(MakeRefused("foreign key")).GetAsync(metadata)).IsProblem(401);
    }

    private string MakeAccepted(string token)
    {
        var claims = _issuer.MakeClaims("anna", "cardio");
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        switch (token)
        {
            case "type JWT": return _issuer.Sign(claims, null, ("typ", "JWT"));
            case "no type": return _issuer.Sign(claims, null, ("typ", null));
            case "no kid": return _issuer.Sign(claims, null, ("kid", null));
            case "RS256": return _issuer.Sign(claims, _issuer.Keys.Single(k => k.Id == "rsa-1"));
            case "PS256": return _issuer.Sign(claims, _issuer.Keys.Single(k => k.Id == "pss-1"));
            case "older key": return _issuer.Sign(claims, _issuer.Keys.Single(k => k.Id == "ec-1"));
            case "several audiences": claims["aud"] = new JsonArray("account", TestIssuer.Audience); break;
            case "expired 30 s ago": claims["exp"] = now - 30; break;
            case "starts in 30 s": claims["nbf"] = now + 30; break;
        }
        return _issuer.Sign(claims);
    }

    private string MakeRefused(string token)
    {
        var claims = _issuer.MakeClaims("anna", "cardio");
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        switch (token)
        {
            case "other issuer": claims["iss"] = "https://issuer.test.evil.test"; break;
            case "no issuer": claims.Remove("iss"); break;
            case "other audience": claims["aud"] = "another-proxy"; break;
            case "no audience": claims.Remove("aud"); break;
            case "expired 61 s ago": claims["exp"] = now - 61; break;
            case "no expiry": claims.Remove("exp"); break;
            case "expiry is text": claims["exp"] = "tomorrow"; break;
            case "starts in 90 s": claims["nbf"] = now + 90; break;
            case "no subject": claims.Remove("sub"); break;
            case "foreign key": return _issuer.Sign(claims, Foreign);
            case "unknown kid": return _issuer.Sign(claims, IssuerKey.Ec("ec-9"));
            case "alg none": return _issuer.Sign(claims, IssuerKey.None);
            case "alg None": return _issuer.Sign(claims, IssuerKey.None, ("alg", "None"));
            case "HS256 with the public key":
                return _issuer.Sign(claims, IssuerKey.Shared("ec-2", Encoding.UTF8.GetBytes(_issuer.Key.ToJwk().ToJsonString())));
            case "kid of another algorithm": return _issuer.Sign(claims, _issuer.Key, ("alg", "RS256"));
            case "type logout+jwt": return _issuer.Sign(claims, null, ("typ", "logout+jwt"));
            case "huge": return new string('a', 20_000);
            case "encrypted": return "e30.e30.e30.e30.e30";
            case "garbage": return "e30.%%%.e30";
            case "claims are a list": return $"{TestIssuer.Encode("{\"alg\":\"ES256\"}"u8)}.{TestIssuer.Encode("[1]"u8)}.AAAA";
            case "empty": return "..";
            case "changed claims":
                var parts = _issuer.Sign(claims).Split('.');
                claims["sub"] = "olga";
                return $"{parts[0]}.{TestIssuer.Encode(Encoding.UTF8.GetBytes(claims.ToJsonString()))}.{parts[2]}";
        }
        return _issuer.Sign(claims);
    }
}
