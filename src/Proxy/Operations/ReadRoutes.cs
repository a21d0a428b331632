namespace Proxy.Operations;

/// <summary>Routes for reading: GET, and HEAD, which RFC 9110 §9.1 requires of every server.</summary>
internal static class ReadRoutes
{
    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];

    /// <summary>Maps GET and HEAD of a path to one handler.</summary>
    public static RouteHandlerBuilder MapRead(this IEndpointRouteBuilder routes, string path, Delegate handler) =>
        routes.MapMethods(path, Methods, handler);
}
