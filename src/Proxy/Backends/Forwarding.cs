using Proxy.Backends.Health;
using Proxy.Backends.PassThrough;
using Proxy.Backends.Transport;
using Proxy.Operations;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Transforms;

namespace Proxy.Backends;

/// <summary>Requests that the proxy does not answer itself, passed on by YARP. The backend's answer counts like any other.</summary>
internal static class Forwarding
{
    /// <summary>A body from so many bytes on waits for the backend's consent, in bytes: what it refuses does not have to be sent.</summary>
    private const long AskFirstBytes = 1 << 20;

    public static void AddForwarding(this IReverseProxyBuilder yarp) => yarp.AddTransforms(transforms =>
    {
        ForwardedAnswers.Add(transforms);
        // RFC 9110 §10.1.1: a backend that refuses the body by its head (413, 415, 501) is heard before it closes the connection.
        transforms.AddRequestTransform(context =>
        {
            var request = context.HttpContext.Request;
            var isLarge = context.ProxyRequest.Content is not null && request.ContentLength is null or >= AskFirstBytes;
            if (isLarge) context.ProxyRequest.Headers.ExpectContinue = true;
            return ValueTask.CompletedTask;
        });
    });

    public static void MapForwarding(this WebApplication app)
    {
        var states = app.Services.GetRequiredService<BackendStates>();
        var scheduler = app.Services.GetRequiredService<BackendScheduler>();
        app.MapReverseProxy(pipeline =>
        {
            pipeline.Use(RefuseLargeAsync);
            pipeline.UseSessionAffinity();
            pipeline.UseLoadBalancing();
            pipeline.UsePassiveHealthChecks();
            pipeline.Use(async (context, next) =>
            {
                using var waiting = scheduler.BeginForeground(context.GetReverseProxyFeature().Cluster.Config.ClusterId, null);
                await next();
                Note(states, context);
            });
        });
    }

    /// <summary>By the declared length, before the backend is asked; a body without one is cut off when it passes the limit.</summary>
    private static async Task RefuseLargeAsync(HttpContext context, Func<Task> next)
    {
        if (context.Request.ContentLength > context.GetReverseProxyFeature().Route.Config.MaxRequestBodySize)
        {
            await Problems.RequestRefused(StatusCodes.Status413PayloadTooLarge, "").ExecuteAsync(context);
            return;
        }
        await next();
        // YARP clears the headers of an answer that it could not pass on.
        if (!context.Response.HasStarted) context.Response.SetBrowserRules();
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
        var request = new BackendRequest(context.Request.Path.Value![$"/backends/{backend}/dicomweb/".Length..], "");
        if (request.Study is null) request = request with { Scope = FailureScope.Forwarded };
        switch (forwarded?.Error ?? ForwarderError.None)
        {
            case ForwarderError.None when IsOverload(context.Response):
                states.Note(backend, request, new(backend, BackendError.Overloaded, $"status {context.Response.StatusCode}"));
                break;
            // 501 says that the backend does not offer the service, not that it is down.
            case ForwarderError.None when context.Response.StatusCode is < 500 or StatusCodes.Status501NotImplemented:
                states.Note(backend, request, null);
                break;
            case ForwarderError.None:
                states.Note(
                    backend, request,
                    new(
                        backend, BackendError.BadStatus, $"status {context.Response.StatusCode}",
                        (System.Net.HttpStatusCode)context.Response.StatusCode));
                break;
            case ForwarderError.RequestTimedOut:
                states.Note(backend, request, new(backend, BackendError.TimedOut, "no answer in time"));
                break;
            case ForwarderError.Request or ForwarderError.NoAvailableDestinations:
                states.Note(backend, request, new(backend, BackendError.Unreachable, "a forwarded request was not answered")
                {
                    IsConnectionFailure =
                        forwarded?.Exception is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError },
                });
                break;
            case ForwarderError.ResponseBodyDestination or ForwarderError.ResponseHeaders:
                states.Note(backend, request, new(backend, BackendError.BadAnswer, "a forwarded answer broke off"));
                break;
            default:
                // The client's doing.
                break;
        }
    }

    private static bool IsOverload(HttpResponse response) =>
        response.StatusCode == StatusCodes.Status429TooManyRequests || response.StatusCode == StatusCodes.Status503ServiceUnavailable
            && response.Headers.RetryAfter.Count > 0;
}
