using Microsoft.AspNetCore.Http.HttpResults;
using Proxy.Admin.Reports;
using Proxy.Backends;
using Proxy.Backends.Health;
using Proxy.Backends.Transport;
using Proxy.Operations;
using Proxy.Operations.Telemetry;

namespace Proxy.Admin;

/// <summary><c>/traffic</c>: requests, hits and bytes over time, and the figures of each backend; no study and no patient.</summary>
internal static class TrafficEndpoints
{
    /// <summary>Maps <c>/traffic</c>.</summary>
    public static void MapTraffic(this IEndpointRouteBuilder app) =>
        app.MapRead("/traffic", Show).WithSummary("Requests, hits and bytes of the last 24 hours").Produces<TrafficReport>();

    private static JsonHttpResult<TrafficReport> Show(
        HttpContext context, Traffic traffic, BackendStates states, BackendPermits permits)
    {
        var (recent, day) = traffic.ReadHistory();
        return TypedResults.Json(new TrafficReport(
            traffic.Now, HistoryReport.Create(recent), HistoryReport.Create(day), TotalsReport.Create(traffic),
            context.GetAccess().Backends.ToDictionary(b => b.Name, b => BackendTrafficReport.Create(
                states.Find(b.Name), permits.Count(b.Name), traffic.GetBackend(b.Name).Read()))));
    }
}
