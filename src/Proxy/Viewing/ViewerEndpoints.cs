using System.IO.Compression;
using Microsoft.Net.Http.Headers;
using Proxy.Operations;
using Proxy.Storing;

namespace Proxy.Viewing;

/// <summary><c>/viewer/</c>: OHIF, configured for this proxy, from the folder of <see cref="ViewerOptions.Path"/>.</summary>
/// <remarks>
/// <code>
/// /viewer/app-config.js                       generated, in place of the file
/// /viewer/app.bundle.0f6159c501addfe9.js      a file of the folder
/// /viewer/viewer?StudyInstanceUIDs=1.2.3      the page: OHIF's own script reads the address
/// </code>
/// </remarks>
internal static class ViewerEndpoints
{
    /// <summary>The address of the viewer below the proxy's own.</summary>
    public const string Path = "/viewer/";

    private const string Missing =
        "No viewer is set up. \"viewer install --path <folder>\" on the command line of the proxy downloads OHIF; then set Viewer:Path "
        + "to that folder.";

    private const int Year = 365 * 24 * 3600;

    /// <summary>Maps everything below <c>/viewer</c>.</summary>
    public static void MapViewer(this IEndpointRouteBuilder routes)
    {
        var app = routes.MapGroup("").ExcludeFromDescription();
        app.MapRead(Path + "app-config.js", (HttpContext context, ViewerSite site, StowTarget target) =>
        {
            SetIsolated(context.Response);
            return site.IsSet ? OhifEndpoints.AnswerConfiguration(context, target, GetBasePath(context)) : Problems.NotFound(Missing);
        });
        app.MapRead(Path + "{**name}", AnswerPathAsync);
    }

    private static async Task<IResult> AnswerPathAsync(HttpContext context, ViewerSite site, string? name)
    {
        SetIsolated(context.Response);
        name ??= "";
        var isPage = IsPage(name);
        try
        {
            if (site.Find(isPage) is not { } folder) return Problems.NotFound(Missing);
            if (folder.Find(name) is { } file) return await AnswerFileAsync(context, folder, file);
            if (!isPage) return Problems.NotFound("The viewer has no such file.");
            // Relative addresses in the page need the slash.
            return context.Request.Path.Value is [.., '/'] || name.Length > 0
                ? AnswerPage(context, folder.GetPage(GetBasePath(context)))
                : Results.LocalRedirect("~" + Path + context.Request.QueryString.ToUriComponent());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException && !context.Response.HasStarted)
        {
            return Problems.NotFound("The folder of Viewer:Path, or a file in it, cannot be read.");
        }
    }

    /// <summary>Every path that is no file: OHIF has addresses of its own. A hidden or missing file is not the page.</summary>
    private static bool IsPage(string name) =>
        name is "index.html" || (ViewerFileType.Find(name) is null && !name.Split('/').Any(segment => segment is ['.', ..]));

    private static IResult AnswerPage(HttpContext context, ViewerPage page)
    {
        context.Response.Headers.ContentSecurityPolicy = page.Policy;
        context.Response.Headers.CacheControl = "no-cache";
        return TypedResults.Bytes(page.Bytes, ViewerFileType.Find("index.html")!.MediaType, entityTag: new(page.ETag));
    }

    private static async Task<IResult> AnswerFileAsync(HttpContext context, ViewerFolder folder, ViewerFile file)
    {
        var headers = context.Response.Headers;
        var coding = file.Type.IsCompressible ? context.Request.ChooseCoding() : Coding.Identity;
        var form = await folder.Forms.GetAsync(file, coding);
        var isForever = file.IsHashed
            && (!form.IsEdited || context.Request.Query[ViewerEdits.VersionParameter] == ViewerEdits.Version);
        headers.CacheControl = isForever ? $"public, max-age={Year}, immutable" : "no-cache";
        if (file.Type.IsCompressible) headers.Vary = "Accept-Encoding";
        if (form.Bytes is null)
            return TypedResults.PhysicalFile(
                file.Path, file.Type.MediaType, entityTag: new EntityTagHeaderValue(form.ETag), enableRangeProcessing: true);
        var answer = new CachedAnswer(CacheStatus.Hit)
        {
            ETag = form.ETag,
            ContentType = file.Type.MediaType,
            Coding = coding,
            Vary = "Accept-Encoding",
        };
        if (!answer.Begin(context)) return Results.Empty;
        if (coding != Coding.Identity)
        {
            await answer.SendAsync(context, form.Bytes);
            return Results.Empty;
        }
        // The rare client that accepts no coding gets an edited file, which is stored compressed only.
        answer.SetContent(context.Response);
        context.Response.ContentLength = form.Length;
        await using var content = new BrotliStream(new MemoryStream(form.Bytes), CompressionMode.Decompress);
        if (!HttpMethods.IsHead(context.Request.Method)) await content.CopyToAsync(context.Response.Body, context.RequestAborted);
        return Results.Empty;
    }

    /// <summary>The path of the viewer as the client uses it, with a slash at its end.</summary>
    private static string GetBasePath(HttpContext context) => context.Request.PathBase.ToUriComponent() + Path;

    /// <summary>
    /// Isolates the page from other sites, as browsers require for SharedArrayBuffer, which OHIF needs for volumes (HTML, "Cross-origin
    /// isolation"). They require a secure address for it too: https, or a loopback host.
    /// </summary>
    private static void SetIsolated(HttpResponse response)
    {
        response.Headers["Cross-Origin-Opener-Policy"] = "same-origin";
        response.Headers["Cross-Origin-Embedder-Policy"] = "require-corp";
        response.Headers["Cross-Origin-Resource-Policy"] = "same-origin";
        response.Headers.ContentSecurityPolicy = ViewerPage.FilePolicy;
        // Addresses of the viewer contain UIDs of studies.
        response.Headers["Referrer-Policy"] = "no-referrer";
    }
}
