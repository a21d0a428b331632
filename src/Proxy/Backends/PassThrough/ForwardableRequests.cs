namespace Proxy.Backends.PassThrough;

/// <summary>The requests that are forwarded to a backend with <c>Forward</c>, although the proxy does not interpret them.</summary>
/// <remarks>
/// An allow-list, because some resources below a DICOMweb root make the PACS call other hosts (Orthanc's
/// <c>/servers/…/stow</c>), and new versions may add more. The templates become YARP routes.
/// </remarks>
internal static class ForwardableRequests
{
    private const string Study = "studies/{study:regex(^[0-9][0-9.]*$)}";
    private const string Series = Study + "/series/{series:regex(^[0-9][0-9.]*$)}";
    private const string Instance = Series + "/instances/{instance:regex(^[0-9][0-9.]*$)}";
    private const string Workitem = "workitems/{workitem:regex(^[0-9][0-9.]*$)}";
    private const string Subscriber = Workitem + "/subscribers/{aet:regex(^[A-Za-z0-9 ._-]+$)}";
    private const string Code = "/reject/{code:regex(^[A-Za-z0-9^._-]+$)}";
    private const string NonPatientNames = "color-palettes|defined-procedure-protocols|hanging-protocols|implant-templates|inventories";
    private const string NonPatient = "{resource:regex(^(" + NonPatientNames + ")$)}";

    /// <summary>A kind of request that may be forwarded.</summary>
    /// <param name="Template">Relative to the DICOMweb root, as an ASP.NET Core route template.</param>
    /// <param name="Methods">The forwarded methods.</param>
    public sealed record Request(string Template, params string[] Methods)
    {
        /// <summary>True for a WebSocket (<see cref="EventChannels"/>).</summary>
        public bool IsChannel { get; init; }
    }

    public static IReadOnlyList<Request> All { get; } =
    [
        // DELETE as many archives offer it.
        new(Study, "DELETE"),
        new(Series, "DELETE"),
        new(Instance, "DELETE"),

        // Rejection notes of dcm4chee, used by OHIF.
        new(Study + Code, "POST"),
        new(Series + Code, "POST"),
        new(Instance + Code, "POST"),

        // Worklist service, UPS-RS (PS3.18 §11).
        new("workitems", "GET", "HEAD", "POST"),
        new(Workitem, "GET", "HEAD", "POST", "PUT"),
        new(Workitem + "/state", "PUT"),
        new(Workitem + "/cancelrequest", "POST"),
        new(Subscriber, "POST", "DELETE"),
        new(Subscriber + "/suspend", "POST"),
        new("ws/subscribers/{aet:regex(^[A-Za-z0-9 ._-]+$)}", "GET") { IsChannel = true },

        // Non-patient instances (PS3.18 §12).
        new(NonPatient, "GET", "HEAD", "POST"),
        new(NonPatient + "/{instance:regex(^[0-9][0-9.]*$)}", "GET", "HEAD", "POST"),
    ];
}
