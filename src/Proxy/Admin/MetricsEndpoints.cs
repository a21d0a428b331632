using System.Diagnostics.Metrics;
using Proxy.Operations;

namespace Proxy.Admin;

/// <summary>
/// <c>/metrics</c>: metrics for Prometheus, without backend addresses, UIDs or patients. docs/metrics.md lists them.
/// </summary>
internal static class MetricsEndpoints
{
    /// <summary>Creates the metrics that are read on demand, and maps <c>/metrics</c>.</summary>
    public static IEndpointConventionBuilder MapMetrics(this WebApplication app)
    {
        var meter = app.Services.GetRequiredService<IMeterFactory>().Create(Counters.Meter);
        ObservedMetrics.AddTraffic(meter, app.Services);
        ObservedMetrics.AddCache(meter, app.Services);
        ObservedMetrics.AddBackends(meter, app.Services);
        ObservedMetrics.AddWork(meter, app.Services);
        ObservedMetrics.AddAudit(meter, app.Services);
        ObservedMetrics.AddCluster(meter, app.Services);
        return app.MapPrometheusScrapingEndpoint("/metrics");
    }
}
