using System.Net;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Options;
using Proxy.Operations;

namespace Proxy.Identity;

/// <summary><c>/sign-in</c> and <c>/sign-out</c>: a browser gets a session, and ends it.</summary>
internal static class SignInEndpoints
{
    /// <summary>The path of the sign-in.</summary>
    public const string Path = "/sign-in";

    /// <summary>Where the identity provider sends the browser back to; it has to be registered there.</summary>
    public const string CallbackPath = "/sign-in/callback";

    /// <summary>The parameter with the address to return to.</summary>
    public const string Return = "returnUrl";

    /// <summary>The framework's scheme of the sign-in.</summary>
    public const string Scheme = "oidc";

    /// <summary>Maps the addresses if browsers sign in.</summary>
    public static void MapSignIn(this IEndpointRouteBuilder routes, IdentityOptions identity)
    {
        if (identity.Authentication != AuthenticationKind.Oidc) return;
        routes.MapGet(Path, SignInAsync).WithSummary("Leads a browser to the identity provider, and back to returnUrl");
        routes.MapGet(CallbackPath, EndSignInAsync).ExcludeFromDescription();
        routes.MapPost("/sign-out", SignOutAsync).WithSummary("Ends the session of a browser");
    }

    private static async Task<IResult> SignInAsync(HttpContext context, string? returnUrl = null)
    {
        var home = context.Request.PathBase.ToUriComponent() + "/";
        if (returnUrl is not null && !IsOwn(returnUrl)) return Problems.BadParameter(Return, "a path of the proxy, such as /viewer/");
        // Browsers send the cookies of the sign-in over TLS or to this machine only: without them it would never end.
        if (!context.Request.IsHttps && !IsThisMachine(context.Request.Host.Host))
            return Problems.BadParameter("scheme", "https only: set up TLS, or X-Forwarded-Proto and Security:KnownProxies");
        try
        {
            await context.ChallengeAsync(Scheme, new() { RedirectUri = returnUrl ?? home });
            return Results.Empty;
        }
        catch (InvalidOperationException)
        {
            return Problems.NoIssuer();
        }
    }

    private static async Task<IResult> EndSignInAsync(HttpContext context, IAuthenticationHandlerProvider handlers)
    {
        await ((IAuthenticationRequestHandler)(await handlers.GetHandlerAsync(context, Scheme))!).HandleRequestAsync();
        return Results.Empty;
    }

    private static async Task<IResult> SignOutAsync(
        HttpContext context, IOptionsMonitor<OpenIdConnectOptions> options, CancellationToken cancellation)
    {
        await context.SignOutAsync(Sessions.Cookie);
        var oidc = options.Get(Scheme);
        string? end = null;
        try
        {
            var provider = await oidc.ConfigurationManager!.GetConfigurationAsync(cancellation);
            if (provider.EndSessionEndpoint is { Length: > 0 } address)
                end = QueryHelpers.AddQueryString(address, "client_id", oidc.ClientId!);
        }
        catch (InvalidOperationException)
        {
            // The identity provider cannot be reached: the session of the proxy has ended anyway.
        }
        return TypedResults.Json(new SignOutReport(end), CallerJson.Default.SignOutReport);
    }

    /// <summary>Whether an address is a path of this origin: other sites would look like a part of the sign-in.</summary>
    internal static bool IsOwn(string url) =>
        url.StartsWith('/') && !url.StartsWith("//", StringComparison.Ordinal) && !url.Contains('\\', StringComparison.Ordinal)
            && !url.Any(char.IsControl);

    private static bool IsThisMachine(string host) =>
        host == "localhost" || IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address);
}

/// <summary>What <c>POST /sign-out</c> answers.</summary>
/// <param name="ProviderUrl">Where the user can also sign out of the identity provider; null if it has no such page.</param>
internal sealed record SignOutReport(string? ProviderUrl);
