using Proxy.Admin.Reports;
using Proxy.Operations;

namespace Proxy.Admin;

/// <summary><c>/settings</c>: the settings in force, without secrets and addresses of backends.</summary>
internal static class SettingsEndpoints
{
    /// <summary>Maps <c>/settings</c>.</summary>
    public static void MapSettings(this IEndpointRouteBuilder app) =>
        app.MapRead("/settings", (HttpContext context, Reloadable<SettingsInForce> settings) =>
        {
            context.Response.Headers.CacheControl = "no-store";
            return TypedResults.Json(new SettingsReport(settings.Value.All));
        }).WithSummary("The settings in force, and where each is set").Produces<SettingsReport>();
}
