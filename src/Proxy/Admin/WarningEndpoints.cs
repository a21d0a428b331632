using Proxy.Admin.Reports;
using Proxy.Backends;
using Proxy.Operations;

namespace Proxy.Admin;

/// <summary><c>/warnings</c>: the last warnings and errors of the proxy's log.</summary>
internal static class WarningEndpoints
{
    /// <summary>Maps <c>/warnings</c>.</summary>
    public static void MapWarnings(this IEndpointRouteBuilder app) =>
        app.MapRead("/warnings", (HttpContext context, RecentWarnings warnings) =>
        {
            var access = context.GetAccess();
            context.Response.Headers.CacheControl = "no-store";
            var shown = warnings.Read().Where(w => w.Backend is null || access.Backends.Any(b => b.Name == w.Backend));
            return TypedResults.Json(shown.Select(Show));
        })
        .WithSummary("The last warnings and errors of the proxy").Produces<IEnumerable<WarningReport>>();

    private static WarningReport Show(LoggedWarning warning) => new()
    {
        Id = warning.Id,
        Time = warning.Time,
        Level = warning.Level == LogLevel.Warning ? "warning" : "error",
        Event = warning.Event.Id,
        Name = warning.Event.Name,
        Message = warning.Message,
        Backend = warning.Backend,
        Count = warning.Count,
    };
}
