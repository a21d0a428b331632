using Proxy.Operations;

namespace Proxy.Admin;

/// <summary>The operator's page at <c>/</c> and the quick look at pictures at <c>/look</c>, embedded in the program.</summary>
internal static class PageEndpoints
{
    // Only the proxy's own files and answers; no inline script or style.
    private const string PagePolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

    // A document or film is shown from a blob that a script made.
    private const string LookPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; media-src blob:; object-src blob:; "
        + "frame-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private const string Immutable = "public, max-age=31536000, immutable", Revalidated = "no-cache";

    /// <summary>Maps both pages, their scripts, styles and icons.</summary>
    public static void MapPage(this IEndpointRouteBuilder routes)
    {
        var app = routes.MapGroup("").ExcludeFromDescription();
        var files = PageFiles.Read();
        app.MapRead("/", (HttpContext context) => Answer(context, files.Find("page/page.html"), PagePolicy, Revalidated));
        app.MapRead("/look", (HttpContext context) => Answer(context, files.Find("look/look.html"), LookPolicy, Revalidated));
        foreach (var (folder, policy) in new[] { ("page", PagePolicy), ("look", LookPolicy) })
        {
            app.MapRead($"/{folder}/{{version}}/{{**file}}", (HttpContext context, string version, string file) =>
                Answer(context, files.Find($"{folder}/{file}"), policy, version == files.Version ? Immutable : Revalidated));
        }
        app.MapRead("/favicon.svg", (HttpContext context) => AnswerIcon(context, "favicon.svg", "image/svg+xml"));
        // Browsers request this icon for every resource of the origin that declares none, such as JSON.
        app.MapRead("/favicon.ico", (HttpContext context) => AnswerIcon(context, "favicon.ico", "image/x-icon"));
    }

    private static IResult Answer(HttpContext context, PageFile? file, string policy, string cacheControl)
    {
        if (file is null) return Problems.NotFound("No page has a file of this name.");
        context.Response.Headers.ContentSecurityPolicy = policy;
        context.Response.Headers.CacheControl = cacheControl;
        return file.Answer(context);
    }

    private static IResult AnswerIcon(HttpContext context, string name, string type)
    {
        context.Response.Headers.CacheControl = "public, max-age=604800";
        return TypedResults.Stream(typeof(PageEndpoints).Assembly.GetManifestResourceStream(name)!, type);
    }
}
