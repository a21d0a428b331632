using System.Runtime.CompilerServices;
using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Audit;

/// <summary>The outermost middleware while the audit is on: hands each request whose answer has ended to the trail.</summary>
/// <remarks>
/// It sees the final status and the client's address as known proxies report it, because both are set further inside. It only copies
/// references; records are made on another thread.
/// </remarks>
internal sealed class RequestAudit(RequestDelegate next, AuditTrail trail)
{
    private const int MaxUserAgent = 200;

    private static readonly string[] UriNames = ["studyUID", "seriesUID", "objectUID"];

    /// <summary>The subjects of a route by method; they end with the endpoint.</summary>
    private readonly ConditionalWeakTable<Endpoint, Route> _routes = [];

    /// <summary>Passes a request on, and records it when its answer has ended.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        var notes = new AccessNotes();
        context.SetFeature(notes);
        try
        {
            await next(context);
        }
        finally
        {
            Record(context, notes);
        }
    }

    private void Record(HttpContext context, AccessNotes notes)
    {
        // AuditGate refused the request.
        if (context.FindFeature<AccessNotes>() is null) return;
        var (request, status) = (context.Request, context.Response.StatusCode);
        var route = context.GetEndpoint() is RouteEndpoint endpoint
            ? _routes.GetValue(endpoint, static endpoint => new(((RouteEndpoint)endpoint).RoutePattern.RawText ?? ""))
            : null;
        // No resource answers there; but who was refused, tried to read one.
        if (route is null && status is not (401 or 403)) return;
        var caller = context.GetCaller();
        var subject = route?.Find(request.Method) ?? AuditSubjects.Find(request.Path.Value ?? "", request.Method);
        if (subject == AuditSubject.None && status is not (401 or 403) && caller.IsAnonymous) return;
        var values = request.RouteValues;
        var isUri = subject == AuditSubject.Instances && values["study"] is null && request.QueryString.HasValue;
        var finished = new FinishedRequest(subject, caller, context.Connection.RemoteIpAddress, notes, trail.Now)
        {
            Method = request.Method,
            Status = status,
            Source = CachedAnswer.FindStatus(context.Response),
            Study = isUri ? request.Query[UriNames[0]] : values["study"] as string,
            Series = isUri ? request.Query[UriNames[1]] : values["series"] as string,
            Instance = isUri ? request.Query[UriNames[2]] : values["instance"] as string,
            Frames = values["frames"] as string,
            Backend = values["backend"] as string ?? route?.Backend,
            UserAgent = Cut(request.Headers.UserAgent.ToString(), MaxUserAgent),
        };
        // An image of WADO-URI is a picture (PS3.18 §9.5).
        if (isUri && request.Query["contentType"].ToString().StartsWith("image/", StringComparison.OrdinalIgnoreCase))
            finished = finished with { Subject = AuditSubject.Rendered };
        if (!AuditSubjects.IsAggregated(subject))
            finished = finished with
            {
                Path = Cut(request.Path.Value ?? "", FinishedRequest.MaxQuery),
                Query = Cut(request.QueryString.Value ?? "", FinishedRequest.MaxQuery),
            };
        trail.Add(finished);
    }

    private static string Cut(string text, int max) => text.Length <= max ? text : text[..max];

    /// <summary>A route of the proxy.</summary>
    private sealed class Route(string pattern)
    {
        private readonly AuditSubject _get = AuditSubjects.Find(pattern, HttpMethods.Get);

        /// <summary>The backend that a forwarded route names; null for the routes of the proxy itself.</summary>
        public string? Backend { get; } = pattern.Split('/') is ["", "backends", var name, "dicomweb", ..] && name[0] != '{' ? name : null;

        public AuditSubject Find(string method) => HttpMethods.IsGet(method) ? _get : AuditSubjects.Find(pattern, method);
    }
}
