using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Diagnostics.Metrics;
using System.Text.Json;

namespace Proxy.Operations.Telemetry;

/// <summary>The durations of requests by the semantic conventions of OpenTelemetry for HTTP, with the advised buckets.</summary>
/// <remarks>
/// The framework's own metrics would cost a sixth of a metadata hit. Here the labels of a request are built once and reused, so that
/// a recording allocates nothing. In place of the address of a server, which is secret, the metrics of a client name the backend.
/// </remarks>
internal sealed class HttpMetrics
{
    private const int ServerError = 500;

    private static readonly InstrumentAdvice<double> Buckets = new()
    {
        HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
    };

    /// <summary>The methods of RFC 9110 and PATCH; a client may send any other, which must not become a label.</summary>
    private static readonly FrozenDictionary<string, string> Methods = ((string[])
        ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH"]).ToFrozenDictionary(method => method);

    private readonly Histogram<double> _server;
    private readonly Histogram<double> _client;
    private readonly ConcurrentDictionary<(string Backend, string Method, int Status, string? Error), KeyValuePair<string, object?>[]>
        _clientLabels = new();

    /// <summary>Creates the instruments.</summary>
    public HttpMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(Counters.Meter);
        _server = meter.CreateHistogram(
            "http.server.request.duration", "s", "Duration of HTTP server requests.", tags: null, Buckets);
        _client = meter.CreateHistogram(
            "http.client.request.duration", "s", "Time from sending a request to a backend to the head of its answer.", tags: null,
            Buckets);
    }

    /// <summary>The method as a label.</summary>
    public static string GetMethod(string method) => Methods.GetValueOrDefault(method, "_OTHER");

    /// <summary>The reason of a failed request as a label.</summary>
    public static string GetError(Exception failure) => failure switch
    {
        OperationCanceledException => "cancelled",
        HttpRequestException { HttpRequestError: var error and not HttpRequestError.Unknown } =>
            JsonNamingPolicy.SnakeCaseLower.ConvertName(error.ToString()),
        _ => failure.GetType().Name,
    };

    /// <summary>The labels of requests of clients.</summary>
    public static KeyValuePair<string, object?>[] CreateServerLabels(string? route, string method, int status)
    {
        List<KeyValuePair<string, object?>> labels =
            [new("http.request.method", method), new("http.response.status_code", status)];
        if (route is not null) labels.Add(new("http.route", route));
        if (status >= ServerError) labels.Add(new("error.type", status.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        return [.. labels];
    }

    /// <summary>Records a request of a client.</summary>
    public void RecordServer(TimeSpan elapsed, KeyValuePair<string, object?>[] labels) => _server.Record(elapsed.TotalSeconds, labels);

    /// <summary>Records a request to a backend.</summary>
    /// <param name="elapsed">The time until the head of the answer, or until the failure.</param>
    /// <param name="backend">The backend's name.</param>
    /// <param name="method">The method.</param>
    /// <param name="status">The status of the answer; 0 without an answer.</param>
    /// <param name="error">The reason of a failure; null for none.</param>
    public void RecordClient(TimeSpan elapsed, string backend, string method, int status, string? error)
    {
        var labels = _clientLabels.GetOrAdd(
            (backend, GetMethod(method), status, error ?? (status >= 400 ? "status" : null)), static key => CreateClientLabels(key));
        _client.Record(elapsed.TotalSeconds, labels);
    }

    private static KeyValuePair<string, object?>[] CreateClientLabels((string Backend, string Method, int Status, string? Error) key)
    {
        List<KeyValuePair<string, object?>> labels = [new("backend", key.Backend), new("http.request.method", key.Method)];
        if (key.Status != 0) labels.Add(new("http.response.status_code", key.Status));
        if (key.Error is not null)
        {
            var reason = key.Status != 0 ? key.Status.ToString(System.Globalization.CultureInfo.InvariantCulture) : key.Error;
            labels.Add(new("error.type", reason));
        }
        return [.. labels];
    }
}
