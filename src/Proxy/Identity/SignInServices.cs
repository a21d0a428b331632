using System.Globalization;
using System.Security.Claims;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;
using Proxy.Operations;

namespace Proxy.Identity;

/// <summary>Configures the framework's sign-in: authorization code with PKCE (RFC 7636), and a session in a cookie.</summary>
internal static class SignInServices
{
    /// <summary>The longest session, if the tokens of the identity provider last longer.</summary>
    private static readonly TimeSpan MaxSession = TimeSpan.FromHours(24);

    /// <summary>Adds the sign-in.</summary>
    /// <param name="services">The services.</param>
    /// <param name="oidc">The identity provider.</param>
    /// <param name="keys">Finds where the keys of the cookies are stored.</param>
    public static void AddSignIn(this IServiceCollection services, OidcOptions oidc, Func<IServiceProvider, IXmlRepository> keys)
    {
        services.AddKeyedSingleton(Sessions.Cookie, (s, _) => CreateProtection(keys(s)));
        services.AddAuthentication().AddCookie(Sessions.Cookie, Configure)
            .AddOpenIdConnect(SignInEndpoints.Scheme, o => Configure(o, oidc));
        services.AddOptions<CookieAuthenticationOptions>(Sessions.Cookie).Configure<IServiceProvider>(
            (o, s) => o.DataProtectionProvider = s.GetRequiredKeyedService<IDataProtectionProvider>(Sessions.Cookie));
        services.AddOptions<OpenIdConnectOptions>(SignInEndpoints.Scheme).Configure<IServiceProvider>(
            (o, s) => o.DataProtectionProvider = s.GetRequiredKeyedService<IDataProtectionProvider>(Sessions.Cookie));
    }

    private static void Configure(CookieAuthenticationOptions options)
    {
        options.Cookie.Name = Sessions.Cookie;
        options.Cookie.HttpOnly = true;
        options.Cookie.SecurePolicy = CookieSecurePolicy.Always;
        // Not Strict: the browser comes back from the identity provider, which is another site.
        options.Cookie.SameSite = SameSiteMode.Lax;
        options.SlidingExpiration = false;
        options.ExpireTimeSpan = MaxSession;
    }

    private static void Configure(OpenIdConnectOptions options, OidcOptions oidc)
    {
        options.Authority = oidc.Authority!.OriginalString;
        options.RequireHttpsMetadata = oidc.Authority.Scheme == Uri.UriSchemeHttps;
        options.ClientId = oidc.ClientId;
        options.ClientSecret = oidc.ClientSecret is { } secret && secret.TryRead(out var text, out _) ? text : null;
        options.SignInScheme = Sessions.Cookie;
        options.CallbackPath = SignInEndpoints.CallbackPath;
        options.ResponseType = OpenIdConnectResponseType.Code;
        // In the query, not in a form: a form of another site is a change from another site, and gets no cookies.
        options.ResponseMode = OpenIdConnectResponseMode.Query;
        options.UsePkce = true;
        options.Scope.Clear();
        foreach (var scope in oidc.Scopes.Split(' ', StringSplitOptions.RemoveEmptyEntries)) options.Scope.Add(scope);
        options.MapInboundClaims = false;
        options.ClaimActions.Clear();
        // Below, where a refusal does not end the sign-in: a token for an API, as of Entra ID, is none for the user information.
        options.GetClaimsFromUserInfoEndpoint = false;
        options.BackchannelTimeout = IssuerKeys.Timeout;
        options.DisableTelemetry = true;
        options.TokenValidationParameters.ClockSkew = BearerTokens.ClockSkew;
        foreach (var cookie in (CookieBuilder[])[options.NonceCookie, options.CorrelationCookie])
        {
            cookie.SameSite = SameSiteMode.Lax;
            cookie.SecurePolicy = CookieSecurePolicy.Always;
        }
        options.Events.OnTokenValidated = context => BeginAsync(context, oidc);
        options.Events.OnRemoteFailure = FailAsync;
    }

    /// <summary>Keeps of the tokens what a session needs.</summary>
    private static async Task BeginAsync(TokenValidatedContext context, OidcOptions oidc)
    {
        using var claims = JsonDocument.Parse(Base64UrlEncoder.DecodeBytes(context.SecurityToken.RawPayload));
        var (access, payload) = (context.TokenEndpointResponse?.AccessToken, claims.RootElement);
        var session = new ClaimsIdentity(SignInEndpoints.Scheme);
        session.AddClaim(new(Sessions.Id, TokenClaims.GetId(payload)));
        session.AddClaim(new(Sessions.Issuer, context.SecurityToken.Issuer));
        if (TokenClaims.FindName(payload) is { } name) session.AddClaim(new(Sessions.Name, name));
        if (access is not null) session.AddClaim(new(Sessions.Token, access));
        AddGroups(session, payload, oidc);
        // Keycloak puts the roles into the access token, which came from the same answer, over the same connection.
        if (access is not null && ReadPayload(access) is { } token)
        {
            using (token) AddGroups(session, token.RootElement, oidc);
        }
        if (access is not null && (session.FindFirst(Sessions.Name) is null || session.FindFirst(Sessions.Group) is null))
            await CompleteAsync(context, session, access, oidc);
        context.Principal = new(session);
        var now = context.Options.TimeProvider!.GetUtcNow();
        var expires = double.TryParse(context.TokenEndpointResponse?.ExpiresIn, CultureInfo.InvariantCulture, out var seconds)
            ? now.AddSeconds(Math.Clamp(seconds, 0, MaxSession.TotalSeconds))
            : new(context.SecurityToken.ValidTo);
        context.Properties!.ExpiresUtc = expires < now + MaxSession ? expires : now + MaxSession;
        context.Properties.AllowRefresh = false;
    }

    /// <summary>Adds what only the user information has (OpenID Connect Core 1.0 §5.3), if the identity provider gives it.</summary>
    private static async Task CompleteAsync(TokenValidatedContext context, ClaimsIdentity session, string access, OidcOptions oidc)
    {
        var cancellation = context.HttpContext.RequestAborted;
        try
        {
            var provider = await context.Options.ConfigurationManager!.GetConfigurationAsync(cancellation);
            if (string.IsNullOrEmpty(provider.UserInfoEndpoint)) return;
            using var request = new HttpRequestMessage(HttpMethod.Get, provider.UserInfoEndpoint);
            request.Headers.Authorization = new("Bearer", access);
            using var answer = await context.Options.Backchannel.SendAsync(request, cancellation);
            if (!answer.IsSuccessStatusCode) return;
            using var user = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(cancellation));
            // §5.3.2: it may be that of another user, unless the subjects are the same.
            var claims = user.RootElement;
            if (claims.ValueKind != JsonValueKind.Object || TokenClaims.GetId(claims) != session.FindFirst(Sessions.Id)!.Value) return;
            if (session.FindFirst(Sessions.Name) is null && TokenClaims.FindName(claims) is { } name)
                session.AddClaim(new(Sessions.Name, name));
            AddGroups(session, claims, oidc);
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or OperationCanceledException)
        {
            // The tokens are valid without it: the user has the roles that they name.
        }
    }

    private static void AddGroups(ClaimsIdentity session, JsonElement claims, OidcOptions oidc)
    {
        if (claims.ValueKind != JsonValueKind.Object) return;
        foreach (var group in TokenClaims.ReadGroups(claims, oidc.RolesClaim))
        {
            if (!session.HasClaim(Sessions.Group, group)) session.AddClaim(new(Sessions.Group, group));
        }
    }

    /// <summary>The claims of an access token; null if it is no JWT.</summary>
    private static JsonDocument? ReadPayload(string token)
    {
        try
        {
            return JsonDocument.Parse(Base64UrlEncoder.DecodeBytes(new JsonWebToken(token).EncodedPayload));
        }
        catch (Exception e) when (e is ArgumentException or FormatException or JsonException or SecurityTokenException)
        {
            return null;
        }
    }

    /// <summary>The identity provider refused, or its answer does not belong to a sign-in that began in this browser.</summary>
    private static Task FailAsync(RemoteFailureContext context)
    {
        context.HandleResponse();
        return Problems.BadParameter("sign-in", "begin it at /sign-in; the identity provider did not confirm this one")
            .ExecuteAsync(context.HttpContext);
    }

    private static IDataProtectionProvider CreateProtection(IXmlRepository keys)
    {
        var services = new ServiceCollection();
        services.AddDataProtection().SetApplicationName("Proxy.SignIn").AddKeyManagementOptions(o => o.XmlRepository = keys);
        return services.BuildServiceProvider().GetRequiredService<IDataProtectionProvider>();
    }
}
