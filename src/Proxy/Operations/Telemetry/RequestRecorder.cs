using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Proxy.Operations.Telemetry;

/// <summary>Records each request once, when its answer has ended: its duration, its span, and whether the cache answered it.</summary>
/// <param name="traffic">Receives the requests below the DICOMweb roots.</param>
/// <param name="metrics">Receives the durations.</param>
/// <param name="time">The clock.</param>
internal sealed class RequestRecorder(Traffic traffic, HttpMetrics metrics, TimeProvider time)
{
    /// <summary>A switch of <see cref="AppContext"/> that turns recording off, for the benchmark of its cost.</summary>
    internal const string OffSwitch = "Proxy.Telemetry.IsOff";

    /// <summary>What is the same for all requests to an endpoint; it ends with the endpoint.</summary>
    private readonly ConditionalWeakTable<Endpoint, Route> _routes = [];

    private readonly Route _none = new(null);

    /// <summary>Whether nothing is recorded.</summary>
    public bool IsOff { get; } = AppContext.TryGetSwitch(OffSwitch, out var isOff) && isOff;

    /// <summary>The begin of a request.</summary>
    /// <param name="Timestamp">When it began.</param>
    /// <param name="SentBytes">What its connection had sent before.</param>
    /// <param name="Span">Its span; null without a listener.</param>
    public readonly record struct Begun(long Timestamp, long SentBytes, Activity? Span);

    /// <summary>Notes the begin of a request.</summary>
    public Begun Begin(HttpContext context) => IsOff
        ? default
        : new(time.GetTimestamp(), context.FindFeature<ClientConnection>()?.SentBytes ?? 0, Spans.StartServer(context));

    /// <summary>Records a request whose answer has ended.</summary>
    /// <param name="context">The request.</param>
    /// <param name="begun">Its begin.</param>
    public void Record(HttpContext context, Begun begun)
    {
        if (IsOff) return;
        var elapsed = time.GetElapsedTime(begun.Timestamp);
        var route = context.GetEndpoint() is { } endpoint
            ? _routes.GetValue(endpoint, static endpoint => new(endpoint as RouteEndpoint))
            : _none;
        var (method, status) = (HttpMetrics.GetMethod(context.Request.Method), context.Response.StatusCode);
        metrics.RecordServer(elapsed, route.GetLabels(method, status));
        Spans.EndServer(begun.Span, method, route.Pattern, status);
        if (!route.IsDicomWeb) return;
        traffic.Add(Traffic.Total.Requests, 1);
        if (status >= StatusCodes.Status500InternalServerError) traffic.Add(Traffic.Total.Errors, 1);
        if (route.Kind is { } kind && CachedAnswer.FindStatus(context.Response) is { } source)
            traffic.AddAnswer(kind, source, elapsed, source == CacheStatus.Miss ? 0 : CountBytes(context, begun));
    }

    /// <summary>The size of an answer; answers of HTTP/2 share a connection, so only a declared length is known.</summary>
    private static long CountBytes(HttpContext context, Begun begun) =>
        HttpProtocol.IsHttp11(context.Request.Protocol) && context.FindFeature<ClientConnection>() is { } connection
            ? connection.SentBytes - begun.SentBytes
            : context.Response.ContentLength ?? 0;

    /// <summary>A route of the proxy, with the labels of its requests.</summary>
    private sealed class Route
    {
        private readonly ConcurrentDictionary<(string Method, int Status), KeyValuePair<string, object?>[]> _labels = new();

        public Route(RouteEndpoint? endpoint)
        {
            Pattern = endpoint?.RoutePattern.RawText;
            IsDicomWeb = Pattern is not null && (Pattern.StartsWith("/dicomweb", StringComparison.Ordinal)
                || Pattern.StartsWith("/backends/{backend}/dicomweb", StringComparison.Ordinal));
            var reads = endpoint?.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods.Contains(HttpMethods.Get) == true;
            Kind = IsDicomWeb && reads ? ResourceKinds.FromPath(Pattern) : null;
        }

        /// <summary>The pattern; null for a request that matches no route.</summary>
        public string? Pattern { get; }

        /// <summary>Whether the route is below a DICOMweb root.</summary>
        public bool IsDicomWeb { get; }

        /// <summary>The kind of resource; null if the route reads none below a DICOMweb root.</summary>
        public ResourceKind? Kind { get; }

        public KeyValuePair<string, object?>[] GetLabels(string method, int status) => _labels.GetOrAdd(
            (method, status), static (key, route) => HttpMetrics.CreateServerLabels(route.Pattern, key.Method, key.Status), this);
    }
}
