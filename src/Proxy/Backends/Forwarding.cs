using Proxy.Backends.Health;
using Proxy.Backends.Transport;
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
        var forwarded = context.GetForwarderErrorFeature();
        if (forwarded?.Exception is BackendBusyException)
        {
            // It was not sent, and YARP has answered 502.
            if (!context.Response.HasStarted) context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return;
        }
        var request = new BackendRequest(context.Request.RouteValues["rest"] as string ?? "", "");
        if (request.Study is null) request = request with { Scope = FailureScope.Forwarded };
        switch (forwarded?.Error ?? ForwarderError.None)
        {
            case ForwarderError.None when IsOverload(context.Response):
                states.Note(backend, request, new(backend, BackendError.Overloaded, $"status {context.Response.StatusCode}"));
                break;
            case ForwarderError.None when context.Response.StatusCode < 500:
                states.Note(backend, request, null);
                break;
            case ForwarderError.None:
                states.Note(backend, request, new(backend, BackendError.BadStatus, $"status {context.Response.StatusCode}", (System.Net.HttpStatusCode)context.Response.StatusCode));
                break;
            case ForwarderError.RequestTimedOut:
                states.Note(backend, request, new(backend, BackendError.TimedOut, "no answer in time"));
                break;
            case ForwarderError.Request or ForwarderError.NoAvailableDestinations:
                states.Note(backend, request, new(backend, BackendError.Unreachable, "a forwarded request was not answered")
                {
                    IsConnectionFailure = forwarded?.Exception is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError },
                });
                break;
            case ForwarderError.ResponseBodyDestination:
                states.Note(backend, request, new(backend, BackendError.BadAnswer, "a forwarded answer broke off"));
                break;
            default:
                // The client's doing.
                break;
        }
    }

    private static bool IsOverload(HttpResponse response) =>
        response.StatusCode == StatusCodes.Status429TooManyRequests || response.StatusCode == StatusCodes.Status503ServiceUnavailable && response.Headers.RetryAfter.Count > 0;
}
