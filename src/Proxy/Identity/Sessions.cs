using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Proxy.Operations;

namespace Proxy.Identity;

/// <summary>Takes the user from the cookie of their browser, or from a bearer token if the proxy accepts tokens.</summary>
/// <remarks>
/// A browser gets the cookie when its user signs in. It contains the encrypted claims of the user and ends with the token of the identity
/// provider. A page that is opened without it leads to the sign-in; other requests get 401, because a script cannot show a page.
/// </remarks>
internal sealed class Sessions(CallerCache callers, Reloadable<IdentityOptions> identity, BearerTokens? tokens = null) : IAuthenticator
{
    /// <summary>The name of the cookie, and of the framework's scheme for it.</summary>
    public const string Cookie = "proxy-session";

    /// <summary>The claims in a session.</summary>
    public const string Id = "sub", Issuer = "iss", Name = "name", Group = "group", Token = "token";

    /// <inheritdoc/>
    public ValueTask<Authentication> AuthenticateAsync(HttpContext context)
    {
        var headers = context.Request.Headers;
        if (headers.Authorization.Count > 0)
            return tokens?.AuthenticateAsync(context) ?? new(Refuse(context, "Authorization: no tokens here; sign in at /sign-in"));
        var cookies = headers.Cookie.ToString();
        if (!cookies.Contains(Cookie, StringComparison.Ordinal)) return new(Refuse(context, "Sign in at /sign-in"));
        var hash = CredentialHash.Of(cookies);
        return callers.Find(hash) is { } caller ? new(new Authentication(caller, null)) : new(ReadAsync(context, hash));
    }

    private async Task<Authentication> ReadAsync(HttpContext context, CredentialHash hash)
    {
        var result = await context.AuthenticateAsync(Cookie);
        if (!result.Succeeded || result.Principal.FindFirstValue(Id) is not { Length: > 0 } id)
            return Refuse(context, "The session has ended: sign in at /sign-in");
        var groups = result.Principal.FindAll(Group).Select(c => c.Value).Order(StringComparer.Ordinal).ToList();
        var (issuer, token) = (result.Principal.FindFirstValue(Issuer) ?? "", result.Principal.FindFirstValue(Token));
        var caller = new Caller(id, identity.Value.Roles.GetRoles([.. groups]))
        {
            Issuer = issuer,
            Name = result.Principal.FindFirstValue(Name) ?? id,
            Groups = [.. groups],
            Key = CredentialHash.Of(string.Join('\n', [issuer, id, token, .. groups])).ToKey(),
            Expires = result.Properties.ExpiresUtc ?? DateTimeOffset.MaxValue,
            Token = token,
        };
        callers.Add(hash, caller, caller.Expires);
        return new(caller, null);
    }

    private static Authentication Refuse(HttpContext context, string detail)
    {
        var request = context.Request;
        if (!IsNavigation(request)) return Authentication.Refuse(detail, "Session");
        var here = $"{request.PathBase.ToUriComponent()}{request.Path.ToUriComponent()}{request.QueryString.ToUriComponent()}";
        return new(null, TypedResults.Redirect(
            $"{request.PathBase.ToUriComponent()}{SignInEndpoints.Path}?{SignInEndpoints.Return}={Uri.EscapeDataString(here)}"));
    }

    /// <summary>Whether a user opens a page in a browser; browsers say so since Fetch Metadata, older ones ask for HTML.</summary>
    private static bool IsNavigation(HttpRequest request) =>
        HttpMethods.IsGet(request.Method) && request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase)
            && request.Headers["Sec-Fetch-Mode"].ToString() is "" or "navigate";
}
