using System.Diagnostics;
using System.Globalization;

namespace Proxy.Operations;

/// <summary>All error answers, as problem documents (RFC 9457). They name rules and parameters, never patient data.</summary>
public static class Problems
{
    private static readonly TimeSpan DefaultRetryAfter = TimeSpan.FromSeconds(5);

    /// <summary>400: a parameter violates a rule.</summary>
    public static IResult BadParameter(string parameter, string rule) =>
        Make(400, "The request is not valid", $"{parameter}: {rule}", ("parameter", parameter));

    /// <summary>The server could not read the request: its own status if that is more specific than 400.</summary>
    public static IResult RequestRefused(int status, string rule) => status switch
    {
        403 => Make(403, "Forbidden", rule),
        408 => Make(408, "Request timeout", "request: did not arrive in time"),
        413 => TooLarge("body: larger than this resource accepts"),
        431 => Make(431, "Request header fields too large", rule, ("parameter", "headers")),
        _ => BadParameter("request", rule),
    };

    /// <summary>401: the request has no valid credential. The caller sets <c>WWW-Authenticate</c> (RFC 9110 §15.5.2).</summary>
    public static IResult Unauthenticated(string detail) => Make(401, "Authentication required", detail);

    /// <summary>403: a page of another origin attempted a change.</summary>
    public static IResult ForeignOrigin(string detail) => Make(403, "Forbidden", detail, ("parameter", "Origin"));

    /// <summary>403: the caller lacks a role.</summary>
    public static IResult MissingRole(string role) =>
        Make(403, "Forbidden", $"This address requires the role {role}. An administrator assigns it in Security:Roles.");

    /// <summary>404: the resource does not exist.</summary>
    public static IResult NotFound(string detail) => Make(404, "Not found", detail);

    /// <summary>405: the resource does not support the method.</summary>
    public static IResult MethodNotAllowed() => Make(405, "Method not allowed", "This resource does not support the method.");

    /// <summary>406: no representation of the resource satisfies the client's <c>Accept</c>.</summary>
    public static IResult NotAcceptable(string detail) => Make(406, "Not acceptable", detail, ("parameter", "Accept"));

    /// <summary>410: the resource existed, and was deleted.</summary>
    public static IResult Gone(string detail) => Make(410, "Deleted", detail);

    /// <summary>413: the request body is too large.</summary>
    public static IResult TooLarge(string rule) => Make(413, "Content too large", rule, ("parameter", "body"));

    /// <summary>413: the page starts after the last result that the proxy reads from a PACS (PS3.18 §10.6.3.1).</summary>
    public static IResult TooBroad(int max) =>
        Make(
            413, "The search is too broad",
            $"A PACS has more than {max} matches, the maximum that the proxy reads: narrow the search or request an earlier page.",
            ("parameter", "limit"));

    /// <summary>415: the media type of the request body is not supported.</summary>
    /// <param name="needed">The media type that the resource accepts.</param>
    public static IResult UnsupportedMediaType(string needed) =>
        Make(415, "Unsupported media type", $"Content-Type: {needed}", ("parameter", "Content-Type"));

    /// <summary>416: no requested range overlaps the body (RFC 9110 §15.5.17). The caller sets <c>Content-Range</c>.</summary>
    /// <param name="length">The length of the body in bytes.</param>
    public static IResult RangeNotSatisfiable(long length) =>
        Make(
            416, "Range not satisfiable", string.Create(CultureInfo.InvariantCulture, $"Range: the body has {length} bytes"),
            ("parameter", "Range"));

    /// <summary>421: the proxy does not serve this host (RFC 9110 §15.5.20).</summary>
    public static IResult Misdirected(string host) =>
        Make(
            421, "Misdirected request", $"Host: the proxy does not serve '{host}'. An operator can add it to Security:AllowedHosts.",
            ("parameter", "Host"));

    /// <summary>429: one client exceeds its limit.</summary>
    public static IResult TooMany(string detail) => Make(429, "Too many requests", detail);

    /// <summary>429: a user or an address exceeds a limit of the settings.</summary>
    /// <param name="retryAfter">When the next request is accepted, sent as 1 s or more.</param>
    public static IResult OverLimit(TimeSpan retryAfter)
    {
        const string detail = "Too many requests in a short time. An operator sets the limit in Security:RateLimits.";
        var seconds = (int)Math.Max(1, Math.Ceiling(retryAfter.TotalSeconds));
        return new Problem(429, TypedResults.Problem(detail, null, 429, "Too many requests", null, []), seconds);
    }

    /// <summary>426: the resource is a WebSocket (RFC 9110 §15.5.22). The caller sets <c>Upgrade</c>.</summary>
    public static IResult UpgradeRequired() => Make(426, "Upgrade required", "Upgrade: websocket, this resource is an event channel");

    /// <summary>431: the request headers are too large.</summary>
    public static IResult HeadersTooLarge(int max) =>
        Make(431, "Request header fields too large", $"headers: at most {max} bytes in total", ("parameter", "headers"));

    /// <summary>500: an exception inside the proxy.</summary>
    public static IResult InternalError() => Make(500, "Internal error", "The proxy could not answer the request; see its log.");

    /// <summary>501: no backend is known to store instances to.</summary>
    public static IResult NoStore(string detail) => Make(501, "No backend to store to", detail);

    /// <summary>501: the body of the request has a transfer coding that the proxy does not decode (RFC 9112 §6.1).</summary>
    public static IResult UnknownTransferCoding() =>
        Make(501, "Transfer coding not implemented", "Transfer-Encoding: chunked only", ("parameter", "Transfer-Encoding"));

    /// <summary>502: no backend gave a usable answer, and at least one gave an invalid answer.</summary>
    public static IResult BadGateway(string detail) => Make(502, "The PACS gave no usable answer", detail);

    /// <summary>Every backend refused the request with this status.</summary>
    public static IResult RefusedByAll(int status, string detail) => Make(status, "Every PACS refused the request", detail);

    /// <summary>A backend refused a forwarded request with this status; Retry-After stays as the backend sent it.</summary>
    public static IResult RefusedByBackend(int status, string backend)
    {
        var detail = string.Create(CultureInfo.InvariantCulture, $"{backend}: status {status}");
        return new Problem(status, TypedResults.Problem(detail, null, status, "The PACS refused the request"), null);
    }

    /// <summary>503: every backend is overloaded.</summary>
    /// <param name="detail">Names the backends.</param>
    /// <param name="retryAfter">The delay that a backend asks for, sent as 1 s to 1 h; null for the default of 5 s.</param>
    public static IResult Overloaded(string detail, TimeSpan? retryAfter) => new Problem(
        503, TypedResults.Problem(detail, null, 503, "The PACS is overloaded", null, []),
        (int)Math.Ceiling(Math.Clamp((retryAfter ?? DefaultRetryAfter).TotalSeconds, 1, 3600)));

    /// <summary>503: a token cannot be verified, because the keys of the identity provider are not known yet.</summary>
    public static IResult NoIssuer() =>
        Make(503, "Users cannot be authenticated", "The keys of the identity provider are not known yet; see the log of the proxy.");

    /// <summary>503: only failing backends hold a part of the requested resource.</summary>
    public static IResult Incomplete(string detail) => Make(503, "A PACS that holds part of the resource failed", detail);

    /// <summary>503: no backend is reachable.</summary>
    public static IResult Unavailable(string detail) => Make(503, "No PACS can be reached", detail);

    /// <summary>503: the cache folder is not writable now.</summary>
    public static IResult DiskUnavailable(string detail) => Make(503, "The cache folder cannot be changed", detail);

    /// <summary>503: accesses cannot be recorded now, and the settings require it.</summary>
    public static IResult AuditUnavailable() => Make(
        503, "Accesses cannot be recorded",
        "Audit records cannot be written now, and Audit:OnFailure refuses requests for data until they can. The log names the cause.");

    /// <summary>503: the proxy is at a capacity limit.</summary>
    public static IResult AtCapacity(string detail) => Make(503, "Capacity limit reached", detail);

    /// <summary>504: no backend answered in time.</summary>
    public static IResult TimedOut(string detail) => Make(504, "No PACS answered in time", detail);

    /// <summary>A status without further details.</summary>
    public static IResult FromStatus(int status)
    {
        var title = Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status);
        return Make(status, title.Length > 0 ? title : "Refused", "The request was refused.");
    }

    private static Problem Make(int status, string title, string detail, params (string Key, object? Value)[] more) =>
        new(
            status, TypedResults.Problem(
                detail, null, status, title, null, more.Concat(GetTrace(status)).Select(m => KeyValuePair.Create(m.Key, m.Value))),
            (int)DefaultRetryAfter.TotalSeconds);

    /// <summary>The trace of the request, which the log names as well, for a problem that an operator has to solve.</summary>
    private static (string Key, object? Value)[] GetTrace(int status) =>
        status >= 500 && Activity.Current is { } activity ? [("traceId", activity.TraceId.ToString())] : [];

    /// <summary>A problem document that no cache may store.</summary>
    private sealed class Problem(int status, IResult inner, int? retryAfterSeconds) : IResult, IStatusCodeHttpResult
    {
        public int? StatusCode => status;

        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.Headers.CacheControl = "no-store";
            if (status is 429 or 503 && retryAfterSeconds is { } seconds)
                httpContext.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
            return inner.ExecuteAsync(httpContext);
        }
    }
}
