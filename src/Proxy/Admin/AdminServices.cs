using OpenTelemetry.Metrics;
using Proxy.Admin.OpenApi;
using Proxy.Admin.Reports;
using Proxy.Operations;

namespace Proxy.Admin;

/// <summary>Registers the exporter of metrics, and the JSON of reports.</summary>
internal static class AdminServices
{
    public static void AddAdmin(this IServiceCollection services)
    {
        services.AddOpenTelemetry().WithMetrics(metrics => metrics.AddMeter(Counters.Meter, "System.Runtime").AddPrometheusExporter());
        ApiDescription.Add(services);
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, ReportJson.Default));
    }
}
