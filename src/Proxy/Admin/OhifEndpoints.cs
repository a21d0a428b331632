using System.Text.Json;
using System.Text.Json.Nodes;
using Proxy.Backends;
using Proxy.Operations;

namespace Proxy.Admin;

/// <summary><c>/ohif</c>: a complete OHIF configuration for the proxy's address as the client used it.</summary>
internal static class OhifEndpoints
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Maps <c>/ohif/app-config.js</c> and <c>/ohif/dicomweb.json</c>.</summary>
    public static void MapOhif(this IEndpointRouteBuilder app)
    {
        app.MapGet("/ohif/app-config.js", (HttpContext context) =>
            NoStore(
                context,
                $"window.config = {AppConfig(context.Request.GetAddress(), context.GetAccess().Backends).ToJsonString(Indented)};\n",
                "text/javascript; charset=utf-8"))
            .WithSummary("OHIF's app-config.js for this address").Produces<string>(contentType: "text/javascript");
        app.MapGet("/ohif/dicomweb.json", (HttpContext context) =>
            NoStore(
                context, Servers(context.Request.GetAddress() + "/dicomweb", context.GetAccess().Backends).ToJsonString(Indented),
                "application/json"))
            .WithSummary("The servers of OHIF's dicomwebjson launch").Produces<JsonObject>();
    }

    /// <summary>The format that OHIF's <c>dicomwebjson</c> launch and older versions of OHIF read.</summary>
    private static JsonObject Servers(string root, IReadOnlyList<BackendOptions> backends) => new()
    {
        ["servers"] = new JsonObject { ["dicomWeb"] = new JsonArray(Configuration("proxy", "All PACS", root, backends)) },
    };

    /// <summary>The whole <c>window.config</c>: all PACS as the default data source, and one further data source per PACS.</summary>
    private static JsonObject AppConfig(string address, IReadOnlyList<BackendOptions> backends) => new()
    {
        ["routerBasename"] = null,
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
            Source("proxy", "All PACS", address + "/dicomweb", backends),
            .. backends.Select(b => Source(b.Name, b.Name, $"{address}/backends/{b.Name}/dicomweb", [b]))]),
    };

    private static JsonObject Source(string name, string friendlyName, string root, IReadOnlyList<BackendOptions> behind) => new()
    {
        ["namespace"] = "@ohif/extension-default.dataSourcesModule.dicomweb",
        ["sourceName"] = name,
        ["configuration"] = Configuration(name, friendlyName, root, behind),
    };

    private static JsonObject Configuration(string name, string friendlyName, string root, IReadOnlyList<BackendOptions> behind) => new()
    {
        ["friendlyName"] = friendlyName,
        ["name"] = name,
        ["qidoRoot"] = root,
        ["wadoRoot"] = root,
        ["wadoUriRoot"] = root,
        ["qidoSupportsIncludeField"] = true,
        ["imageRendering"] = "wadors",
        ["thumbnailRendering"] = "wadors",
        ["enableStudyLazyLoad"] = true,
        ["supportsFuzzyMatching"] = behind.All(b => b.FuzzyMatching),
        ["supportsWildcard"] = true,
        ["omitQuotationForMultipartRequest"] = true,
        ["bulkDataURI"] = new JsonObject { ["enabled"] = true },
    };

    private static IResult NoStore(HttpContext context, string text, string type)
    {
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Text(text, type);
    }
}
