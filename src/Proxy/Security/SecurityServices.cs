using Proxy.Operations;

namespace Proxy.Security;

/// <summary>Registers where the proxy listens, and who may use it from where.</summary>
internal static class SecurityServices
{
    /// <summary>The addresses of Kestrel, and its limits.</summary>
    public static void AddServer(this WebApplicationBuilder builder)
    {
        if (!ListenAddresses.IsSet(builder.Configuration)) builder.WebHost.UseUrls(ListenAddresses.DefaultUrl);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestHeadersTotalSize = RequestGuard.ServerHeaderBytes;
            // The buffer of a slow client, in addition to the current step (ResponseSteps).
            kestrel.Limits.MaxResponseBufferSize = ResponseSteps.SmallBytes * 2;
            kestrel.Limits.MaxRequestLineSize = RequestGuard.MaxHeaderBytes;
        });
    }

    /// <summary>CORS and the known hosts.</summary>
    public static void AddSecurity(this IServiceCollection services)
    {
        services.AddCors();
        services.AddSingleton<KnownHosts>();
    }

    /// <summary>The middleware that refuses requests, in order.</summary>
    public static void UseGuards(this IApplicationBuilder app)
    {
        var security = app.ApplicationServices.GetRequiredService<Reloadable<SecurityOptions>>();
        app.UseCors(policy => Origins.Allow(policy, security));
        app.UseMiddleware<RequestGuard>();
        app.UseForwarded(security.Value);
        app.UseMiddleware<SiteGuard>();
    }
}
