using Proxy.Identity;
using Proxy.Operations;
using Proxy.Operations.Output;
using Proxy.Operations.Telemetry;

namespace Proxy.Security;

/// <summary>Registers where the proxy listens, and who may use it from where.</summary>
internal static class SecurityServices
{
    /// <summary>The addresses of Kestrel, its certificate and its limits.</summary>
    public static void AddServer(this WebApplicationBuilder builder, SecurityOptions security)
    {
        ListenAddresses.Apply(builder.Configuration);
        // A line ends with CR and LF: a server before the proxy may read the end of a header at another place (RFC 9112 §2.2, §11.2).
        AppContext.SetSwitch("Microsoft.AspNetCore.Server.Kestrel.DisableHttp1LineFeedTerminators", true);
        if (security.Tls is { } tls)
            builder.Services.AddSingleton(s => ActivatorUtilities.CreateInstance<ServerCertificate>(s, tls));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestHeadersTotalSize = RequestGuard.ServerHeaderBytes;
            // The buffer of a slow client, in addition to the current step (ResponseSteps).
            kestrel.Limits.MaxResponseBufferSize = ResponseSteps.SmallBytes * 2;
            kestrel.Limits.MaxRequestLineSize = RequestGuard.MaxHeaderBytes;
            kestrel.ConfigureHttpsDefaults(https =>
            {
                if (security.Authentication == AuthenticationKind.Certificate) ClientCertificates.Request(https);
                kestrel.ApplicationServices.GetService<ServerCertificate>()?.Configure(https);
            });
            var traffic = kestrel.ApplicationServices.GetRequiredService<Traffic>();
            var isCounted = !kestrel.ApplicationServices.GetRequiredService<RequestRecorder>().IsOff;
            kestrel.ConfigureEndpointDefaults(endpoint =>
            {
                // First: it takes the place of the socket's own output.
                OutputTransport.Use(endpoint);
                if (!isCounted) return;
                endpoint.Use(next => connection =>
                {
                    ClientConnection.Follow(connection, traffic);
                    return next(connection);
                });
            });
        });
    }

    /// <summary>CORS, the known hosts, and the end of requests at a stop.</summary>
    public static void AddSecurity(this IServiceCollection services, ShutdownOptions shutdown)
    {
        services.AddCors();
        services.AddRateLimiter(_ => { });
        services.AddSingleton<KnownHosts>();
        services.AddSingleton<RunningRequests>();
        services.AddSingleton(shutdown);
        services.AddHostedService<GracefulStop>();
        services.Configure<HostOptions>(host => host.ShutdownTimeout = shutdown.Drain + ShutdownOptions.Reserve);
    }

    /// <summary>The middleware that refuses requests by their endpoint and address, after routing.</summary>
    public static void UseEntryGuards(this IApplicationBuilder app, SecurityOptions security)
    {
        if (security.OperatorAddress is { } operators) app.UseMiddleware<OperatorGuard>(BindingAddress.Parse(operators).Port);
        app.UseAddressLimits(security);
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
