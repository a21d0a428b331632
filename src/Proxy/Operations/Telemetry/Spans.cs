using System.Diagnostics;

namespace Proxy.Operations.Telemetry;

/// <summary>The spans of a request: what it did, one within the other. Without a listener, all of this does nothing.</summary>
/// <remarks>
/// <code>
/// GET /dicomweb/studies            server: the route, never the path or the query
///   search
///     GET east                     client: the backend, never its address
///     GET west
///     merge
/// GET /…/frames/{frames}
///   retrieve
///     cache                        tier: memory, disk or none
///     fetch
///       GET east
/// prefetch job                     a root of its own: it outlives the request that caused it
/// </code>
/// The framework's own spans contain paths and addresses, so they are never exported.
/// </remarks>
internal static class Spans
{
    /// <summary>The name of the source.</summary>
    public const string Source = "Proxy";

    private static readonly ActivitySource Activities = new(Source);

    /// <summary>Begins the span of a client's request; <c>traceparent</c> may name its parent (W3C Trace Context).</summary>
    public static Activity? StartServer(HttpContext context)
    {
        if (!Activities.HasListeners()) return null;
        var parent = ActivityContext.TryParse(context.Request.Headers.TraceParent, null, isRemote: true, out var named) ? named : default;
        // Else the framework's span, which is not exported, would become the parent.
        Activity.Current = null;
        return Activities.StartActivity("HTTP", ActivityKind.Server, parent);
    }

    /// <summary>Ends the span of a client's request.</summary>
    /// <param name="span">The span; null without a listener.</param>
    /// <param name="method">The method as a label.</param>
    /// <param name="route">The pattern of the route; null if the request matches none.</param>
    /// <param name="status">The status of the answer.</param>
    public static void EndServer(Activity? span, string method, string? route, int status)
    {
        if (span is null) return;
        span.DisplayName = route is null ? method : $"{method} {route}";
        span.SetTag("http.request.method", method);
        span.SetTag("http.response.status_code", status);
        if (route is not null) span.SetTag("http.route", route);
        if (status >= StatusCodes.Status500InternalServerError) span.SetStatus(ActivityStatusCode.Error);
        span.Dispose();
    }

    /// <summary>Begins a span within the current one.</summary>
    public static Activity? Start(string name) => Activities.StartActivity(name);

    /// <summary>Begins a span that has no parent, for work that outlives the request that caused it.</summary>
    public static Activity? StartRoot(string name)
    {
        if (!Activities.HasListeners()) return null;
        Activity.Current = null;
        return Activities.StartActivity(name);
    }

    /// <summary>Begins the span of a request to a backend.</summary>
    public static Activity? StartClient(string backend, string method)
    {
        if (!Activities.HasListeners()) return null;
        var label = HttpMetrics.GetMethod(method);
        var span = Activities.StartActivity($"{label} {backend}", ActivityKind.Client);
        span?.SetTag("backend", backend);
        span?.SetTag("http.request.method", label);
        return span;
    }

    /// <summary>Adds the outcome of a request to a backend.</summary>
    public static void SetOutcome(this Activity span, int status, string? error)
    {
        if (status != 0) span.SetTag("http.response.status_code", status);
        if (error is not null) span.SetTag("error.type", error);
        if (error is not null || status >= StatusCodes.Status400BadRequest) span.SetStatus(ActivityStatusCode.Error);
    }
}
