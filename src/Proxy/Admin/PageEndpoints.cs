namespace Proxy.Admin;

/// <summary>The operator's page at <c>/</c>.</summary>
internal static class PageEndpoints
{
    /// <summary>Maps the page, its script and its icons.</summary>
    public static void MapPage(this IEndpointRouteBuilder routes)
    {
        var app = routes.MapGroup("").ExcludeFromDescription();
        app.MapGet("/", (HttpContext context) => Answer(context, "page.html", "text/html; charset=utf-8"));
        app.MapGet("/page.js", (HttpContext context) => Answer(context, "page.js", "text/javascript; charset=utf-8"));
        app.MapGet("/favicon.svg", (HttpContext context) => AnswerIcon(context, "favicon.svg", "image/svg+xml"));
        // Browsers request this icon for every resource of the origin that declares none, such as JSON.
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
