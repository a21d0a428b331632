namespace Proxy.Operations;

/// <summary>Routes for reading: GET, and HEAD, which RFC 9110 §9.1 requires of every server.</summary>
internal static class ReadRoutes
{
    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];

    /// <summary>Maps GET and HEAD of a path to one handler.</summary>
    public static RouteHandlerBuilder MapRead(this IEndpointRouteBuilder routes, string path, Delegate handler) =>
        routes.MapMethods(path, Methods, handler);

    /// <summary>
    /// An endpoint filter: HEAD of a report in JSON ends with the headers, and the report is not written. Its length is not known then.
    /// </summary>
    public static async ValueTask<object?> EndHeadAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var result = await next(context);
        var http = context.HttpContext;
        if (!HttpMethods.IsHead(http.Request.Method) || result is not (IValueHttpResult and IContentTypeHttpResult report)) return result;
        http.Response.StatusCode = (result as IStatusCodeHttpResult)?.StatusCode ?? StatusCodes.Status200OK;
        http.Response.ContentType = report.ContentType ?? "application/json; charset=utf-8";
        return Results.Empty;
    }
}
