using System.Text.Json;
using System.Text.Json.Nodes;
using Proxy.Backends;
using Proxy.Operations;
using Proxy.Storing;

namespace Proxy.Viewing;

/// <summary><c>/ohif</c>: a complete OHIF configuration for the proxy's address as the client used it.</summary>
internal static class OhifEndpoints
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Maps <c>/ohif/app-config.js</c>, for an OHIF on another web server.</summary>
    public static void MapOhif(this IEndpointRouteBuilder app) =>
        app.MapRead("/ohif/app-config.js", (HttpContext context, StowTarget target) => AnswerConfiguration(context, target, null))
            .WithSummary("OHIF's app-config.js for this address").Produces<string>(contentType: "text/javascript");

    /// <summary>The configuration, and the script that shows which PACS did not answer.</summary>
    /// <param name="context">The request.</param>
    /// <param name="target">Where instances are stored.</param>
    /// <param name="basePath">The path of the viewer on the proxy; null for a viewer that knows its own.</param>
    public static IResult AnswerConfiguration(HttpContext context, StowTarget target, string? basePath)
    {
        var address = context.Request.GetAddress();
        var config = AppConfig(address, context.GetAccess(), target, basePath);
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Text(
            $"window.config = {config.ToJsonString(Indented)};\n{OutageBanner.GetScript(address)}", "text/javascript; charset=utf-8");
    }

    /// <summary>The whole <c>window.config</c>: all PACS as the default data source, and one further data source per PACS.</summary>
    private static JsonObject AppConfig(string address, Access all, StowTarget target, string? basePath) => new()
    {
        ["routerBasename"] = basePath,
        ["extensions"] = new JsonArray(),
        ["modes"] = new JsonArray(),
        ["showStudyList"] = true,
        ["maxNumberOfWebWorkers"] = 3,
        ["showWarningMessageForCrossOrigin"] = true,
        ["showCPUFallbackMessage"] = true,
        ["showLoadingIndicator"] = true,
        ["strictZSpacingForVolumeViewport"] = true,
        ["maxNumRequests"] = new JsonObject { ["interaction"] = 100, ["thumbnail"] = 75, ["prefetch"] = 25 },
        ["defaultDataSourceName"] = "proxy",
        ["dataSources"] = new JsonArray([
            CreateSource(address, all, target.IsSet(all)),
            .. all.Backends.Select(b => new Access(b.Name, [b])).Select(one => CreateSource(address, one, target.IsSet(one)))]),
    };

    /// <summary>One data source.</summary>
    /// <param name="address">The address of the proxy as the viewer uses it.</param>
    /// <param name="access">All backends, or one.</param>
    /// <param name="stores">Whether instances can be stored there.</param>
    public static JsonObject CreateSource(string address, Access access, bool stores) => new()
    {
        ["namespace"] = "@ohif/extension-default.dataSourcesModule.dicomweb",
        ["sourceName"] = Name(access),
        ["configuration"] = Configuration(address, access, stores),
    };

    private static JsonObject Configuration(string address, Access access, bool stores) => new()
    {
        ["friendlyName"] = access.IsAll ? "All PACS" : access.Name,
        ["name"] = Name(access),
        ["qidoRoot"] = address + access.Path,
        ["wadoRoot"] = address + access.Path,
        ["wadoUriRoot"] = address + access.Path,
        ["qidoSupportsIncludeField"] = true,
        ["imageRendering"] = "wadors",
        ["thumbnailRendering"] = "wadors",
        ["enableStudyLazyLoad"] = true,
        ["supportsFuzzyMatching"] = access.Backends.Count > 0 && access.Backends.All(b => b.FuzzyMatching),
        ["supportsWildcard"] = true,
        ["supportsStow"] = stores,
        ["dicomUploadEnabled"] = stores,
        ["omitQuotationForMultipartRequest"] = true,
        // By the address of a video, the browser plays it while it arrives; otherwise OHIF downloads it first.
        ["singlepart"] = "video",
        ["bulkDataURI"] = new JsonObject { ["enabled"] = true },
    };

    private static string Name(Access access) => access.IsAll ? "proxy" : access.Name;
}
