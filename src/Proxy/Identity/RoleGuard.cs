using Proxy.Operations;

namespace Proxy.Identity;

/// <summary>Refuses requests of callers without the role that an endpoint requires.</summary>
/// <remarks>
/// It runs after routing and before every endpoint, those of other libraries included. An endpoint that states nothing requires
/// <see cref="Roles.Viewer"/>, so that a new endpoint is closed by default.
/// </remarks>
internal sealed class RoleGuard(RequestDelegate next)
{
    /// <summary>Checks a request and passes it on.</summary>
    public Task InvokeAsync(HttpContext context)
    {
        var caller = context.GetCaller();
        // Without an endpoint there is nothing to see: 404 or 405.
        if (context.GetEndpoint() is not { } endpoint) return next(context);
        var required = endpoint.Metadata.GetMetadata<RequiredRole>()?.Role ?? Roles.Viewer;
        if (required != Roles.None && (caller.Roles & required) == Roles.None)
            return Problems.MissingRole(string.Join(" or ", RoleOptions.GetNames(required))).ExecuteAsync(context);
        return caller.IsAnonymous ? next(context) : CurrentCaller.RunAsync(caller, () => next(context));
    }
}

/// <summary>The role that an endpoint requires.</summary>
/// <param name="Role">
/// The role, or several of which one is sufficient; <see cref="Roles.None"/> for an endpoint that is open to everyone.
/// </param>
internal sealed record RequiredRole(Roles Role)
{
    /// <summary>Whether the caller has to authenticate although the endpoint requires no role.</summary>
    public bool NeedsCaller { get; init; } = Role != Roles.None;
}

/// <summary>The caller of a request, and the role that an endpoint requires.</summary>
internal static class RoleGuardExtensions
{
    /// <summary>Requires a role instead of <see cref="Roles.Viewer"/>.</summary>
    public static T Requires<T>(this T endpoints, Roles role) where T : IEndpointConventionBuilder =>
        endpoints.WithMetadata(new RequiredRole(role));

    /// <summary>Requires a caller who authenticated, with any roles or none.</summary>
    public static T RequiresCaller<T>(this T endpoint) where T : IEndpointConventionBuilder =>
        endpoint.WithMetadata(new RequiredRole(Roles.None) { NeedsCaller = true });

    /// <summary>The caller of this request.</summary>
    public static Caller GetCaller(this HttpContext context) => context.FindFeature<Caller>() ?? Caller.Anonymous;

    /// <summary>Sets the caller, once the credential is verified.</summary>
    public static void SetCaller(this HttpContext context, Caller caller) => context.SetFeature(caller);
}
