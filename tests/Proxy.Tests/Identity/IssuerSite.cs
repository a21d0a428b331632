using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Proxy.Tests.Pacs;

namespace Proxy.Tests.Identity;

/// <summary>The web site of an issuer on a free loopback port, with its discovery document and its keys. It fails on demand.</summary>
public sealed class IssuerSite : IAsyncDisposable
{
    private readonly WebApplication _app;
    private int _requests;

    private IssuerSite(WebApplication app)
    {
        _app = app;
        _app.MapGet("/.well-known/openid-configuration", () => AnswerAsync(() => Discovery ?? MakeDiscovery()));
        _app.MapGet("/jwks", () => AnswerAsync(() => KeySet ?? Issuer.KeySet));
        _app.MapGet("/authorize", Authorize);
        _app.MapPost("/token", (Delegate)RedeemAsync);
        _app.MapGet("/userinfo", () => RefusesUserInfo
            ? Results.StatusCode(401)
            : Results.Json(new { sub = "anna", name = "Anna A.", roles = (string[])["cardio"] }));
    }

    /// <summary>Starts a site.</summary>
    public static async Task<IssuerSite> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        builder.Services.AddRouting();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.UseRouting();
        var site = new IssuerSite(app);
        await app.StartAsync();
        site.Issuer = new(site.Address);
        return site;
    }

    public string Address => _app.Urls.Single();

    /// <summary>The issuer whose site it is.</summary>
    public TestIssuer Issuer { get; private set; } = null!;

    /// <summary>The number of requests so far.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>Whether the site answers 500.</summary>
    public bool IsDown { get; set; }

    /// <summary>Another discovery document; null for the right one.</summary>
    public string? Discovery { get; set; }

    /// <summary>Other keys; null for those of the issuer.</summary>
    public string? KeySet { get; set; }

    /// <summary>The lifetime of the tokens of a sign-in, in seconds.</summary>
    public int ExpiresIn { get; set; } = 3600;

    /// <summary>Whether the user information refuses the access token, which is then for an API only.</summary>
    public bool RefusesUserInfo { get; set; }

    /// <summary>The parameters of the last sign-in.</summary>
    public QueryString SignIn { get; private set; }

    /// <summary>Requests wait here; null for no wait.</summary>
    public Gate? Gate { get; set; }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private string MakeDiscovery() => new JsonObject
    {
        ["issuer"] = Issuer.Name,
        ["jwks_uri"] = $"{Address}/jwks",
        ["authorization_endpoint"] = $"{Address}/authorize",
        ["token_endpoint"] = $"{Address}/token",
        ["userinfo_endpoint"] = $"{Address}/userinfo",
        ["end_session_endpoint"] = $"{Address}/end",
    }.ToJsonString();

    /// <summary>Signs in at once: a user who has a session at the issuer sees no page.</summary>
    private IResult Authorize(HttpContext context)
    {
        SignIn = context.Request.QueryString;
        var query = context.Request.Query;
        return Results.Redirect($"{query["redirect_uri"]}?code=the-code&state={Uri.EscapeDataString(query["state"].ToString())}");
    }

    /// <summary>Gives the tokens for a code to the client that began the sign-in (RFC 7636 §4.6).</summary>
    private async Task<IResult> RedeemAsync(HttpContext context)
    {
        var form = await context.Request.ReadFormAsync();
        var begun = QueryHelpers.ParseQuery(SignIn.Value);
        var challenge = TestIssuer.Encode(SHA256.HashData(Encoding.ASCII.GetBytes(form["code_verifier"].ToString())));
        if (form["code"] != "the-code" || begun["code_challenge"] != challenge || begun["code_challenge_method"] != "S256")
            return Results.Json(new { error = "invalid_grant" }, statusCode: 400);
        var claims = Issuer.MakeClaims("anna");
        claims.Remove("roles");
        (claims["aud"], claims["nonce"]) = (form["client_id"].ToString(), begun["nonce"].ToString());
        return Results.Json(new
        {
            access_token = Issuer.Issue("anna"),
            id_token = Issuer.Sign(claims, null, ("typ", "JWT")),
            token_type = "Bearer",
            expires_in = ExpiresIn,
        });
    }

    private async Task<IResult> AnswerAsync(Func<string> body)
    {
        Interlocked.Increment(ref _requests);
        if (Gate is { } gate) await gate.PassAsync();
        return IsDown ? Results.StatusCode(500) : Results.Text(body(), "application/json");
    }
}
