using System.Diagnostics.Metrics;
using System.Reflection;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Proxy.Operations.Telemetry;

/// <summary>Registers the recording of requests and the exporters.</summary>
internal static class TelemetryServices
{
    /// <summary>The name of this product in telemetry, unless <c>OTEL_SERVICE_NAME</c> says otherwise.</summary>
    private const string ServiceName = "dicomweb-proxy";

    /// <summary>Prometheus can always read the metrics. Metrics and traces are sent by OTLP if a collector is configured.</summary>
    public static void AddTelemetry(this IServiceCollection services, TelemetryOptions options)
    {
        services.AddSingleton<Traffic>();
        services.AddSingleton<HttpMetrics>();
        services.AddSingleton<RequestRecorder>();
        var version = Assembly.GetExecutingAssembly().GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion;
        var telemetry = services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService(ServiceName, serviceVersion: version).AddEnvironmentVariableDetector())
            .WithMetrics(metrics => metrics.AddMeter(Counters.Meter, "System.Runtime")
                // Each scrape reads the present state.
                .AddPrometheusExporter(exporter => exporter.ScrapeResponseCacheDurationMilliseconds = 0));
        // Meters are known by name in the whole process: another proxy in it, as in tests, has one of this name too.
        services.ConfigureOpenTelemetryMeterProvider((provider, metrics) =>
        {
            var own = provider.GetRequiredService<IMeterFactory>();
            metrics.AddView(
                instrument => instrument.Meter.Scope is IMeterFactory other && other != own ? MetricStreamConfiguration.Drop : null);
        });
        if (!options.Exports) return;
        telemetry
            .WithMetrics(metrics => metrics.AddOtlpExporter(exporter => Set(exporter, options, "v1/metrics")))
            .WithTracing(traces => traces.AddSource(Spans.Source).AddOtlpExporter(exporter => Set(exporter, options, "v1/traces")));
    }

    private static void Set(OtlpExporterOptions exporter, TelemetryOptions options, string path)
    {
        if (options.OtlpEndpoint is not { } address) return;
        exporter.Protocol = OtlpExportProtocol.HttpProtobuf;
        exporter.Endpoint = new(address.AbsoluteUri.TrimEnd('/') + "/" + path);
    }
}
