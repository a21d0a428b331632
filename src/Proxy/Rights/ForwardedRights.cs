using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Rights;

/// <summary>Decides about requests that YARP forwards to a backend. No endpoint filter runs for them.</summary>
public sealed class ForwardedRights(StudyRights rights, BackendSet backends)
{
    /// <summary>The problem for a caller who may not send a request to a backend; null for one who may.</summary>
    /// <remarks>
    /// To delete or reject a study needs the role operator. A request for a study needs the right to it. One that names no study, such as
    /// one for a work item, may concern any patient: it is left to operators where rights differ between studies.
    /// </remarks>
    public async Task<IResult?> FindRefusalAsync(HttpContext context, string backend)
    {
        if (backends.Find(backend) is not { } found) return AccessFilter.UnknownBackend();
        var caller = context.GetCaller();
        var access = new Access(found.Name, [found]) { Caller = caller };
        var action = GetAction(context.Request);
        if (action == StudyAction.Delete && !caller.Has(Roles.Operator)) return Problems.MissingRole("operator");
        if (!rights.AreLimited(access)) return null;
        if (!Uid.TryParse(context.Request.RouteValues["study"] as string, out var study))
        {
            // A backend that gets the user's own token decides itself.
            return found.ForwardsToken || caller.Has(Roles.Operator) ? null : RightsFilter.Unknown();
        }
        var narrowed = await rights.NarrowAsync(access, study, action, context.RequestAborted);
        context.Note(narrowed);
        return narrowed.Access.Backends.Count > 0 ? null
            : narrowed.Failures.Count > 0 ? narrowed.Failures.ToProblem()
            : RightsFilter.Unknown();
    }

    private static StudyAction GetAction(HttpRequest request) =>
        HttpMethods.IsDelete(request.Method) || request.Path.Value?.Contains("/reject/", StringComparison.OrdinalIgnoreCase) == true
            ? StudyAction.Delete
        : HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) ? StudyAction.View
        : StudyAction.Store;
}
