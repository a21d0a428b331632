using Proxy.Operations;

namespace Proxy.Identity;

/// <summary>Sets the caller of each request, and refuses a request without one unless its endpoint is open.</summary>
/// <remarks>It runs after routing and before <see cref="RoleGuard"/>, and only if users authenticate.</remarks>
internal sealed class CallerGuard(RequestDelegate next, IAuthenticator authenticator, Reloadable<IdentityOptions> identity)
{
    private readonly bool _allowsUrlTokens = identity.Value is { AcceptsTokens: true, Jwt.AllowInUrl: true };

    /// <summary>Authenticates a request and passes it on.</summary>
    public Task InvokeAsync(HttpContext context)
    {
        if (UrlToken.Move(context.Request, _allowsUrlTokens) is { } problem) return problem.ExecuteAsync(context);
        var authentication = authenticator.AuthenticateAsync(context);
        return authentication.IsCompletedSuccessfully ? PassOn(context, authentication.Result) : PassOnAsync(context, authentication);
    }

    private async Task PassOnAsync(HttpContext context, ValueTask<Authentication> authentication) =>
        await PassOn(context, await authentication);

    private Task PassOn(HttpContext context, Authentication authentication)
    {
        if (authentication.Caller is null && !IsOpen(context.GetEndpoint())) return authentication.Refusal!.ExecuteAsync(context);
        context.SetCaller(authentication.Caller ?? Caller.Unknown);
        return next(context);
    }

    /// <summary>Whether everyone may use an endpoint. An address without one is a 404, which discloses nothing.</summary>
    private static bool IsOpen(Endpoint? endpoint) =>
        endpoint is null || endpoint.Metadata.GetMetadata<RequiredRole>() is { NeedsCaller: false };
}
