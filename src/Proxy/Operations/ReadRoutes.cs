namespace Proxy.Operations;

/// <summary>Resources that are read: GET, and HEAD, which RFC 9110 §9.1 asks of every server.</summary>
internal static class ReadRoutes
{
    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];

    public static void MapRead(this IEndpointRouteBuilder routes, string path, Delegate handler) =>
        routes.MapMethods(path, Methods, handler);
}
