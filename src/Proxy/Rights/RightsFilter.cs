using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Rights;

/// <summary>
/// Narrows the access of a request to the backends whose part of its study the caller may see, before anything is looked up.
/// </summary>
internal static class RightsFilter
{
    /// <summary>Marks an endpoint that answers an unknown study with an empty list, as a search does.</summary>
    private static readonly object ListsMarker = new ListsResult();

    /// <summary>Marks an endpoint whose study is in the query, as in WADO-URI.</summary>
    private static readonly object QueryMarker = new StudyInQuery();

    /// <summary>Gives each request of these routes its access, narrowed to its study.</summary>
    public static RouteGroupBuilder WithRights(this RouteGroupBuilder routes) =>
        routes.WithAccess().AddEndpointFilter(FilterAsync);

    /// <summary>The endpoints answer an unknown study with an empty list.</summary>
    public static T Lists<T>(this T endpoints) where T : IEndpointConventionBuilder => endpoints.WithMetadata(ListsMarker);

    /// <summary>The endpoints name their study in the query (PS3.18 §9.4.1.2.1: <c>studyUID</c>).</summary>
    public static T NamesStudyInQuery<T>(this T endpoints) where T : IEndpointConventionBuilder => endpoints.WithMetadata(QueryMarker);

    private static ValueTask<object?> FilterAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        var rights = http.RequestServices.GetRequiredService<StudyRights>();
        var access = http.GetAccess();
        return rights.AreLimited(access) && IsOfUsers(http.GetEndpoint()!) ? NarrowAsync(rights, access, context, next) : next(context);
    }

    /// <summary>False for addresses of operators, who purge any study, and for those that are open to everyone and show none.</summary>
    private static bool IsOfUsers(Endpoint endpoint) =>
        endpoint.Metadata.GetMetadata<RequiredRole>()?.Role is not (Roles.Operator or Roles.None);

    private static async ValueTask<object?> NarrowAsync(
        StudyRights rights, Access access, EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        // A backend in which the caller can see nothing is unknown to the caller.
        if (!access.IsAll && rights.FindVisible(access.Caller, access.Name) is null) return AccessFilter.UnknownBackend();
        var metadata = http.GetEndpoint()!.Metadata;
        var text = http.Request.RouteValues["study"] as string
            ?? (metadata.GetMetadata<StudyInQuery>() is null ? null : http.Request.Query["studyUID"].ToString());
        if (!Uid.TryParse(text, out var study))
        {
            http.SetAccess(rights.NarrowBackends(access));
            // A list may contain studies that only an emergency access opens.
            if (rights.FindEmergency(access.Caller) is { } open) Note(http, AccessOutcome.Allowed, open);
            return await next(context);
        }
        var narrowed = await rights.NarrowAsync(access, study, StudyAction.View, http.RequestAborted);
        http.SetAccess(narrowed.Access);
        http.Note(narrowed);
        if (narrowed.Access.Backends.Count == 0)
        {
            if (narrowed.Failures.Count > 0) return narrowed.Failures.ToProblem();
            return metadata.GetMetadata<ListsResult>() is null ? Unknown() : await next(context);
        }
        http.Response.AddWarnings(narrowed.Failures);
        return await next(context);
    }

    /// <summary>Notes for the audit how a request for a study was decided.</summary>
    public static void Note(this HttpContext context, NarrowedAccess narrowed) =>
        Note(context, narrowed.Access.Backends.Count > 0 ? AccessOutcome.Allowed : AccessOutcome.Denied, narrowed.Emergency);

    private static void Note(HttpContext context, AccessOutcome outcome, EmergencyGrant? emergency)
    {
        if (context.FindFeature<AccessNotes>() is not { } notes) return;
        notes.Outcome = outcome;
        (notes.IsEmergency, notes.Reason) = (emergency is not null, emergency?.Reason);
    }

    /// <summary>404: no backend has the study, or the caller may not see it.</summary>
    public static IResult Unknown() => Problems.NotFound("No PACS has this study, or you may not see it.");

    private sealed record ListsResult;

    private sealed record StudyInQuery;
}
