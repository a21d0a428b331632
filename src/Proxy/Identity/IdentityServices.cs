using Microsoft.AspNetCore.DataProtection.Repositories;

namespace Proxy.Identity;

/// <summary>Registers how users authenticate.</summary>
internal static class IdentityServices
{
    /// <summary>What the configured way of authentication needs; nothing for <see cref="AuthenticationKind.None"/>.</summary>
    /// <param name="services">The services.</param>
    /// <param name="identity">How users authenticate.</param>
    /// <param name="sessionKeys">Finds where the keys of session cookies are stored.</param>
    public static void AddIdentity(
        this IServiceCollection services, IdentityOptions identity, Func<IServiceProvider, IXmlRepository> sessionKeys)
    {
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, CallerJson.Default));
        services.AddSingleton<CallerCache>();
        if (identity.AcceptsTokens) services.AddTokens(identity.Jwt);
        switch (identity.Authentication)
        {
            case AuthenticationKind.Oidc:
                services.AddSignIn(identity.Oidc, sessionKeys);
                services.AddSingleton<IAuthenticator, Sessions>();
                break;
            case AuthenticationKind.Jwt:
                services.AddSingleton<IAuthenticator>(s => s.GetRequiredService<BearerTokens>());
                break;
            case AuthenticationKind.Header:
                services.AddSingleton(identity.Header);
                services.AddSingleton<IAuthenticator, GatewayHeader>();
                break;
            case AuthenticationKind.Certificate:
                services.AddSingleton(identity.Certificate);
                services.AddSingleton<IAuthenticator, ClientCertificates>();
                break;
        }
    }

    private static void AddTokens(this IServiceCollection services, JwtOptions tokens)
    {
        services.AddSingleton(tokens);
        services.AddSingleton<IssuerKeys>();
        services.AddHostedService(s => s.GetRequiredService<IssuerKeys>());
        services.AddSingleton<BearerTokens>();
    }

    /// <summary>The middleware that sets the caller and checks the roles, after routing.</summary>
    public static void UseIdentity(this IApplicationBuilder app, IdentityOptions identity)
    {
        // The framework would put its own middleware before all others: it is called where a request needs it.
        app.Properties["__AuthenticationMiddlewareSet"] = true;
        if (identity.Authentication != AuthenticationKind.None) app.UseMiddleware<CallerGuard>();
        app.UseMiddleware<RoleGuard>();
    }
}
