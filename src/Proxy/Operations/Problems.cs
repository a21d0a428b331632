using System.Globalization;

namespace Proxy.Operations;

/// <summary>Every answer that is no success, as a problem document (RFC 9457). They name rules and parameters, never data.</summary>
public static class Problems
{
    private static readonly TimeSpan DefaultRetryAfter = TimeSpan.FromSeconds(5);

    public static IResult BadParameter(string parameter, string rule) =>
        Make(400, "The request is not valid", $"{parameter}: {rule}", ("parameter", parameter));

    /// <summary>The server could not read the request; its own status where that says more than 400.</summary>
    public static IResult RequestRefused(int status, string rule) => status switch
    {
        408 => Make(408, "Request timeout", "request: it did not arrive in time"),
        413 => TooLarge("body: larger than this address takes"),
        431 => Make(431, "Request header fields too large", rule, ("parameter", "headers")),
        _ => BadParameter("request", rule),
    };

    /// <summary>A page of another origin asked for a change.</summary>
    public static IResult ForeignOrigin(string detail) => Make(403, "Forbidden", detail, ("parameter", "Origin"));

    public static IResult NotFound(string detail) => Make(404, "Not found", detail);

    public static IResult MethodNotAllowed() => Make(405, "Method not allowed", "This address does not answer this method.");

    public static IResult NotAcceptable(string detail) => Make(406, "Not acceptable", detail, ("parameter", "Accept"));

    public static IResult TooLarge(string rule) => Make(413, "Content too large", rule, ("parameter", "body"));

    /// <summary>The page lies behind the last row that is read of a PACS (PS3.18 §10.6.3.1: 413, the search was too broad).</summary>
    public static IResult TooBroad(int most) =>
        Make(
            413, "The search is too broad",
            $"A PACS matches more than {most} results, and no more are read of one: search for less, or for an earlier page.",
            ("parameter", "limit"));

    /// <param name="needed">The media type that the address takes.</param>
    public static IResult UnsupportedMediaType(string needed) =>
        Make(415, "Unsupported media type", $"Content-Type: {needed}", ("parameter", "Content-Type"));

    /// <summary>The proxy does not answer for this host (RFC 9110 §15.5.20).</summary>
    public static IResult Misdirected(string host) =>
        Make(
            421, "Misdirected request", $"Host: the proxy does not answer to '{host}'. An operator can add it to Security:AllowedHosts.",
            ("parameter", "Host"));

    /// <summary>One client has more than its share.</summary>
    public static IResult TooMany(string detail) => Make(429, "Too many requests", detail);

    public static IResult HeadersTooLarge(int most) =>
        Make(431, "Request header fields too large", $"headers: at most {most} bytes together", ("parameter", "headers"));

    public static IResult OwnFault() => Make(500, "A fault of the proxy", "The request could not be answered; the log says why.");

    /// <summary>No backend gave a usable answer: at least one gave a bad one.</summary>
    public static IResult BadGateway(string detail) => Make(502, "The PACS gave no usable answer", detail);

    /// <summary>Every backend refused the request, each with this status.</summary>
    public static IResult RefusedByAll(int status, string detail) => Make(status, "Every PACS refused the request", detail);

    /// <summary>No backend takes more requests now.</summary>
    /// <param name="detail">Which backends.</param>
    /// <param name="retryAfter">When one may take more; null when none says.</param>
    public static IResult Overloaded(string detail, TimeSpan? retryAfter) => new Problem(
        503, TypedResults.Problem(detail, null, 503, "The PACS takes no more requests now", null, []),
        (int)Math.Ceiling(Math.Clamp((retryAfter ?? DefaultRetryAfter).TotalSeconds, 1, 3600)));

    /// <summary>A part of what was asked for is held by backends that fail, and by no other.</summary>
    public static IResult Incomplete(string detail) => Make(503, "A PACS that holds a part of it fails", detail);

    /// <summary>No backend could be reached.</summary>
    public static IResult Unavailable(string detail) => Make(503, "No PACS can be reached", detail);

    /// <summary>The cache folder cannot be changed now.</summary>
    public static IResult DiskUnavailable(string detail) => Make(503, "The cache folder cannot be changed", detail);

    /// <summary>There is no room for one more.</summary>
    public static IResult Full(string detail) => Make(503, "Too many at once", detail);

    /// <summary>No backend answered in time.</summary>
    public static IResult TooLate(string detail) => Make(504, "No PACS answered in time", detail);

    /// <summary>A status that nothing says more about.</summary>
    public static IResult OfStatus(int status)
    {
        var title = Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status);
        return Make(status, title.Length > 0 ? title : "Refused", "The request was refused.");
    }

    private static Problem Make(int status, string title, string detail, params (string Key, object? Value)[] more) =>
        new(
            status, TypedResults.Problem(detail, null, status, title, null, more.Select(m => KeyValuePair.Create(m.Key, m.Value))),
            (int)DefaultRetryAfter.TotalSeconds);

    /// <summary>A problem is nobody's to keep.</summary>
    private sealed class Problem(int status, IResult inner, int retryAfterSeconds) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.Headers.CacheControl = "no-store";
            if (status is 429 or 503) httpContext.Response.Headers.RetryAfter = retryAfterSeconds.ToString(CultureInfo.InvariantCulture);
            return inner.ExecuteAsync(httpContext);
        }
    }
}
