namespace Proxy.Admin;

/// <summary>The page: what an operator sees of the proxy.</summary>
internal static class PageEndpoints
{
    public static void MapPage(this IEndpointRouteBuilder app)
    {
        app.MapGet("/", (HttpContext context) => Answer(context, "page.html", "text/html; charset=utf-8"));
        app.MapGet("/page.js", (HttpContext context) => Answer(context, "page.js", "text/javascript; charset=utf-8"));
        app.MapGet("/favicon.svg", (HttpContext context) => AnswerIcon(context, "favicon.svg", "image/svg+xml"));
        // Browsers ask for this one at every address of the origin that is not a page with an icon of its own.
        app.MapGet("/favicon.ico", (HttpContext context) => AnswerIcon(context, "favicon.ico", "image/x-icon"));
    }

    private static IResult Answer(HttpContext context, string name, string type)
    {
        context.Response.Headers.ContentSecurityPolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'";
        context.Response.Headers.CacheControl = "no-cache";
        return Read(name, type);
    }

    private static IResult AnswerIcon(HttpContext context, string name, string type)
    {
        context.Response.Headers.CacheControl = "public, max-age=604800";
        return Read(name, type);
    }

    private static IResult Read(string name, string type) =>
        TypedResults.Stream(typeof(PageEndpoints).Assembly.GetManifestResourceStream(name)!, type);
}
