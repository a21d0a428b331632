using System.Text;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using Proxy.Tests.Pacs;
using WireMock.RequestBuilders;
using WireMock.ResponseBuilders;
using WireMock.Server;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Metrics and traces reach a collector by OTLP over HTTP with Protobuf, if one is configured.</summary>
public sealed class OtlpWalks : IDisposable
{
    private readonly WireMockPacs _east = new(new HeldStudy("1.2.88001").With("1.2.88001.1"));
    private readonly WireMockServer _collector = WireMockServer.Start();

    public OtlpWalks() => _collector.Given(Request.Create().UsingPost()).RespondWith(Response.Create().WithStatusCode(200));

    public void Dispose()
    {
        _east.Dispose();
        _collector.Dispose();
    }

    [Theory]
    [InlineData("Telemetry:Otlp:Endpoint")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT")]
    public async Task ACollectorReceivesBoth(string setting)
    {
        await using var proxy = new ProxyHost(("east", _east.Address))
        {
            [setting] = _collector.Url!,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
        };
        await proxy.GetAsync("/dicomweb/studies?PatientName=CANARY");
        await proxy.GetAsync("/dicomweb/studies/1.2.88001/series/1.2.88001.1/metadata");
        // A request is measured after its last byte, when the client has its answer already.
        await Until.TrueAsync(() =>
        {
            proxy.Services.GetRequiredService<MeterProvider>().ForceFlush();
            proxy.Services.GetRequiredService<TracerProvider>().ForceFlush();
            return Read("/v1/metrics").Contains("/dicomweb/studies/{study}/series/{series}/metadata", StringComparison.Ordinal)
                && Read("/v1/traces").Contains("GET /dicomweb/studies/{study}/series/{series}/metadata", StringComparison.Ordinal);
        });

        var metrics = Read("/v1/metrics");
        Assert.Contains("http.server.request.duration", metrics);
        Assert.Contains("dicomweb-proxy", metrics);
        var traces = Read("/v1/traces");
        Assert.Contains("GET /dicomweb/studies", traces);
        Assert.Contains("GET east", traces);
        foreach (var sent in (string[])[metrics, traces])
        {
            Assert.DoesNotContain("CANARY", sent);
            Assert.DoesNotContain("1.2.88001", sent);
            Assert.DoesNotContain($":{_east.Port}", sent);
        }
    }

    [Fact]
    public async Task NothingIsTraced_WithoutACollector()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));
        await proxy.GetAsync("/dicomweb/studies");

        Assert.Null(proxy.Services.GetService<TracerProvider>());
    }

    [Theory]
    [InlineData("collector:4318")]
    [InlineData("http://user:word@collector:4318")]
    [InlineData("/v1/metrics")]
    public void AnAddressThatIsNone_IsRefused(string endpoint)
    {
        var configuration = new Microsoft.Extensions.Configuration.ConfigurationManager
        {
            ["Backends:east:Address"] = _east.Address,
            ["Telemetry:Otlp:Endpoint"] = endpoint,
        };
        Settings.Read(configuration, out var errors);

        Assert.StartsWith("Telemetry:Otlp:Endpoint", Assert.Single(errors), StringComparison.Ordinal);
    }

    private string Read(string path)
    {
        var requests = _collector.LogEntries.Select(entry => entry.RequestMessage!).Where(request => request.Path == path).ToList();
        Assert.All(requests, request => Assert.Contains("application/x-protobuf", request.Headers!["Content-Type"]));
        return string.Concat(requests.Select(request => Encoding.UTF8.GetString(request.BodyAsBytes!)));
    }
}
