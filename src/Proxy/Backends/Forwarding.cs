using Proxy.Backends.Credentials;
using Proxy.Backends.DicomWeb;
using Proxy.Backends.Health;
using Proxy.Backends.PassThrough;
using Proxy.Backends.Transport;
using Proxy.Operations;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Transforms;
using Yarp.ReverseProxy.Transforms.Builder;

namespace Proxy.Backends;

/// <summary>Forwards requests that the proxy does not answer itself, through YARP, and records their outcome.</summary>
internal static class Forwarding
{
    /// <summary>From this size in bytes, a body waits for 100 Continue: a body that the backend refuses is not sent.</summary>
    internal const long ExpectContinueBytes = 1 << 20;

    /// <summary>The longest wait for 100 Continue. Orthanc, among others, never sends it; the framework's default is 1 s.</summary>
    internal static readonly TimeSpan ContinueTimeout = TimeSpan.FromMilliseconds(100);

    public static void AddForwarding(this IReverseProxyBuilder yarp)
    {
        yarp.Services.AddSingleton<EventChannels>();
        yarp.AddTransforms(AddTransforms);
    }

    private static void AddTransforms(TransformBuilderContext transforms)
    {
        ForwardedAnswers.Add(transforms);
        // RFC 9110 §10.1.1: a backend that refuses a body by its head (413, 415, 501) can answer before it closes the connection.
        transforms.AddRequestTransform(context =>
        {
            var request = context.HttpContext.Request;
            var isLarge = context.ProxyRequest.Content is not null && request.ContentLength is null or >= ExpectContinueBytes;
            if (isLarge) context.ProxyRequest.Headers.ExpectContinue = true;
            return ValueTask.CompletedTask;
        });
    }

    /// <summary>Maps the requests that backends allow.</summary>
    /// <param name="app">The application.</param>
    /// <param name="findRefusal">The problem for a caller who may not send a request to a backend; null for one who may.</param>
    /// <param name="changed">
    /// Called before the client gets the answer to a request that may have changed a study, and also when the answer was lost.
    /// </param>
    public static void MapForwarding(
        this WebApplication app, Func<HttpContext, string, Task<IResult?>> findRefusal, Func<ForwardedChange, Task> changed)
    {
        var states = app.Services.GetRequiredService<BackendStates>();
        var scheduler = app.Services.GetRequiredService<BackendScheduler>();
        var channels = app.Services.GetRequiredService<EventChannels>();
        app.MapReverseProxy(pipeline =>
        {
            pipeline.Use(async (context, next) =>
            {
                var backend = context.GetReverseProxyFeature().Cluster.Config.ClusterId;
                if (await findRefusal(context, backend) is { } refusal) await refusal.ExecuteAsync(context);
                else await next();
            });
            pipeline.Use(RefuseLargeAsync);
            pipeline.UseSessionAffinity();
            pipeline.UseLoadBalancing();
            pipeline.UsePassiveHealthChecks();
            pipeline.Use(async (context, next) =>
            {
                if (EventChannels.IsChannel(context))
                {
                    if (await channels.RunAsync(context, next)) Record(states, context);
                    return;
                }
                // No other resource changes the protocol of its connection.
                context.Request.Headers.Remove("Upgrade");
                var backend = context.GetReverseProxyFeature().Cluster.Config.ClusterId;
                using var waiting = scheduler.BeginForeground(backend, null);
                if (ForwardedChange.Find(backend, context.Request) is { } change) await FollowAsync(context, change, changed, next);
                else await next();
                Record(states, context);
            });
        });
    }

    private static async Task FollowAsync(HttpContext context, ForwardedChange change, Func<ForwardedChange, Task> changed, Func<Task> next)
    {
        context.Response.OnStarting(() => changed(change));
        try
        {
            await next();
        }
        finally
        {
            // The client has left, so no answer starts.
            if (!context.Response.HasStarted) await changed(change);
        }
    }

    /// <summary>Refuses a declared length over the limit before the backend is asked; other bodies are cut off at the limit.</summary>
    private static async Task RefuseLargeAsync(HttpContext context, Func<Task> next)
    {
        if (context.Request.ContentLength > context.GetReverseProxyFeature().Route.Config.MaxRequestBodySize)
        {
            await Problems.RequestRefused(StatusCodes.Status413PayloadTooLarge, "").ExecuteAsync(context);
            return;
        }
        await next();
        // YARP clears the headers of an answer that it could not forward.
        if (!context.Response.HasStarted) context.Response.SetBrowserRules();
    }

    private static void Record(BackendStates states, HttpContext context)
    {
        var backend = context.GetReverseProxyFeature().Cluster.Config.ClusterId;
        var forwarded = context.GetForwarderErrorFeature();
        if (forwarded?.Exception is BackendBusyException)
        {
            // The request was not sent, but YARP has answered 502.
            if (!context.Response.HasStarted) context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return;
        }
        if (forwarded?.Exception is NoCredentialException missing)
        {
            // The request was not sent.
            if (!missing.IsOfCaller)
                states.Record(backend, new(FailureScope.Forwarded), new(backend, BackendError.Refused, missing.Message));
            return;
        }
        var request = new BackendRequest(context.Request.Path.Value![$"/backends/{backend}/dicomweb/".Length..], "");
        var evidence = request.Study is null ? new Evidence(FailureScope.Forwarded) : request.Evidence;
        switch (forwarded?.Error ?? ForwarderError.None)
        {
            case ForwarderError.None when IsOverload(context.Response):
                states.Record(backend, evidence, new(backend, BackendError.Overloaded, $"status {context.Response.StatusCode}"));
                break;
            // 501 means that the backend does not offer the service, not that it is down.
            case ForwarderError.None when context.Response.StatusCode is < 500 or StatusCodes.Status501NotImplemented:
                states.Record(backend, evidence, null);
                break;
            case ForwarderError.None:
                var status = context.Response.StatusCode;
                states.Record(
                    backend, evidence,
                    new(backend, BackendError.BadStatus, $"status {status}", HttpStatuses.Read((System.Net.HttpStatusCode)status)));
                break;
            case ForwarderError.RequestTimedOut:
                states.Record(backend, evidence, new(backend, BackendError.TimedOut, "no answer in time"));
                break;
            case ForwarderError.Request or ForwarderError.NoAvailableDestinations:
                states.Record(backend, evidence, new(backend, BackendError.Unreachable, "no answer to a forwarded request")
                {
                    IsConnectionFailure = forwarded?.Exception is HttpRequestException
                    {
                        HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError,
                    },
                });
                break;
            case ForwarderError.ResponseBodyDestination or ForwarderError.ResponseHeaders:
                states.Record(backend, evidence, new(backend, BackendError.BadAnswer, "a forwarded answer was cut off"));
                break;
            default:
                // The client failed or cancelled.
                break;
        }
    }

    private static bool IsOverload(HttpResponse response) =>
        response.StatusCode == StatusCodes.Status429TooManyRequests
        || response.StatusCode == StatusCodes.Status503ServiceUnavailable && response.Headers.RetryAfter.Count > 0;
}
