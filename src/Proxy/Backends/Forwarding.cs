using Proxy.Backends.Health;
using Yarp.ReverseProxy.Forwarder;

namespace Proxy.Backends;

/// <summary>Paths that the proxy does not know, passed on by YARP. How the backend answers counts like any other answer.</summary>
internal static class Forwarding
{
    public static void MapForwarding(this WebApplication app)
    {
        var states = app.Services.GetRequiredService<BackendStates>();
        app.MapReverseProxy(pipeline =>
        {
            pipeline.UseSessionAffinity();
            pipeline.UseLoadBalancing();
            pipeline.UsePassiveHealthChecks();
            pipeline.Use(async (context, next) =>
            {
                await next();
                Note(states, context);
            });
        });
    }

    private static void Note(BackendStates states, HttpContext context)
    {
        var backend = context.GetReverseProxyFeature().Cluster.Config.ClusterId;
        var error = context.GetForwarderErrorFeature()?.Error ?? ForwarderError.None;
        switch (error)
        {
            case ForwarderError.None when context.Response.StatusCode < 500:
                states.Note(backend, null);
                break;
            case ForwarderError.None:
                states.Note(backend, new(backend, BackendError.BadStatus, $"status {context.Response.StatusCode}", (System.Net.HttpStatusCode)context.Response.StatusCode));
                break;
            case ForwarderError.RequestTimedOut:
                states.Note(backend, new(backend, BackendError.TimedOut, "no answer in time"));
                break;
            case ForwarderError.Request or ForwarderError.NoAvailableDestinations:
                states.Note(backend, new(backend, BackendError.Unreachable, "a forwarded request was not answered"));
                break;
            case ForwarderError.ResponseBodyDestination:
                states.Note(backend, new(backend, BackendError.BadAnswer, "a forwarded answer broke off"));
                break;
            default:
                // The client's doing.
                break;
        }
    }
}
