using Proxy.Operations;

namespace Proxy.Audit;

/// <summary>Refuses requests for data of patients while audit records cannot be written, if the settings say so.</summary>
/// <remarks>
/// Health, metrics, the page and the cache remain: operators need them to find and remedy the failure. Purging the cache may be the remedy
/// of a full disk.
/// </remarks>
internal sealed class AuditGate(RequestDelegate next, AuditTrail trail)
{
    /// <summary>Checks a request and passes it on.</summary>
    public Task InvokeAsync(HttpContext context)
    {
        if (trail.FindRefusal() is null || !AuditSubjects.IsData(context.Request.Path.Value ?? "")) return next(context);
        // Without a record: it would only wait with the others.
        context.Features.Set<AccessNotes>(null);
        return Problems.AuditUnavailable().ExecuteAsync(context);
    }
}
