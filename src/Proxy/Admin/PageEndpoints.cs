namespace Proxy.Admin;

/// <summary>The page: what an operator sees of the proxy.</summary>
internal static class PageEndpoints
{
    public static void MapPage(this IEndpointRouteBuilder app)
    {
        app.MapGet("/", (HttpContext context) => Answer(context, "page.html", "text/html; charset=utf-8"));
        app.MapGet("/page.js", (HttpContext context) => Answer(context, "page.js", "text/javascript; charset=utf-8"));
    }

    private static IResult Answer(HttpContext context, string name, string type)
    {
        context.Response.Headers.ContentSecurityPolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'";
        context.Response.Headers.CacheControl = "no-cache";
        return TypedResults.Stream(typeof(PageEndpoints).Assembly.GetManifestResourceStream(name)!, type);
    }
}
