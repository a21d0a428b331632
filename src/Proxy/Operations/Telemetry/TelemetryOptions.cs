namespace Proxy.Operations.Telemetry;

/// <summary>Settings for the export of metrics and traces, <c>Telemetry</c>; read at start.</summary>
/// <param name="OtlpEndpoint">
/// The collector that receives metrics and traces by OTLP over HTTP with Protobuf, such as <c>http://collector:4318</c>; the paths
/// <c>v1/metrics</c> and <c>v1/traces</c> are appended. Null to export nothing, or to where the standard variables say.
/// </param>
/// <param name="HasStandardEndpoint">Whether a standard variable, such as <c>OTEL_EXPORTER_OTLP_ENDPOINT</c>, names a collector.</param>
public sealed record TelemetryOptions(Uri? OtlpEndpoint, bool HasStandardEndpoint)
{
    private static readonly string[] StandardEndpoints =
        ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

    /// <summary>Whether metrics and traces are exported by OTLP.</summary>
    public bool Exports => OtlpEndpoint is not null || HasStandardEndpoint;

    /// <summary>Reads the section <c>Telemetry</c>.</summary>
    public static TelemetryOptions Read(SettingsReader settings)
    {
        const string key = "Telemetry:Otlp:Endpoint";
        settings.ReportUnknown("Telemetry", "Otlp");
        settings.ReportUnknown("Telemetry:Otlp", "Endpoint");
        var hasStandard = StandardEndpoints.Any(name => !string.IsNullOrEmpty(settings.Configuration[name]));
        if (settings.FindText(key) is not { } text) return new(null, hasStandard);
        if (Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
            && address is { UserInfo: "", Query: "", Fragment: "" })
            return new(address, hasStandard);
        settings.AddError(key, text, "an address of a collector such as http://collector:4318, without user and query");
        return new(null, hasStandard);
    }
}
