using System.Diagnostics.Metrics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Proxy.Tests.Rules;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Operations.Telemetry;

/// <summary>docs/metrics.md, the dashboard and the alert rules name the metrics that exist.</summary>
public sealed partial class MetricsDocumentTests(MetricsDocumentTests.Product product) : IClassFixture<MetricsDocumentTests.Product>
{
    /// <summary>The instruments of a running proxy.</summary>
    public sealed class Product : IAsyncLifetime
    {
        private readonly ProxyHost _proxy = new(("east", "http://127.0.0.1:1/dicom-web"));

        /// <summary>The proxy's own instruments, and those of the runtime.</summary>
        public List<Instrument> Instruments { get; } = [];

        /// <summary>The names of families in <c>/metrics</c>.</summary>
        public IReadOnlyList<string> Exported { get; private set; } = [];

        public IEnumerable<Instrument> Own => Instruments.Where(i => i.Meter.Name == "Proxy");

        public async ValueTask InitializeAsync()
        {
            var text = (await _proxy.GetAsync("/metrics")).Text;
            Exported = [.. Family().Matches(text).Select(match => match.Groups[1].Value)];
            var own = _proxy.Services.GetRequiredService<IMeterFactory>();
            using var listener = new MeterListener();
            listener.InstrumentPublished = (instrument, _) =>
            {
                if (instrument.Meter.Scope == own || instrument.Meter.Name == "System.Runtime") Instruments.Add(instrument);
            };
            listener.Start();
        }

        public async ValueTask DisposeAsync() => await _proxy.DisposeAsync();
    }

    [Fact]
    public void EveryMetricIsDocumented_WithItsNameInPrometheus()
    {
        var text = File.ReadAllText(SourceTree.GetPath("docs/metrics.md"));
        var documented = Row().Matches(text).Select(m => (m.Groups["name"].Value, m.Groups["prometheus"].Value)).Order();

        Assert.Equal(product.Own.Select(i => (i.Name, GetName(i))).Distinct().Order(), documented);
    }

    [Fact]
    public void TheNamesInPrometheusAreThoseOfMetrics()
    {
        Assert.NotEmpty(product.Exported);
        Assert.Empty(product.Exported.Where(name => name != "target_info").Except(product.Instruments.Select(GetName)));
    }

    [Theory]
    [InlineData("config/grafana/dashboard.json")]
    [InlineData("config/prometheus/alerts.yml")]
    public void EveryMetricInTheFileExists(string file)
    {
        var used = Used().Matches(File.ReadAllText(SourceTree.GetPath(file))).Select(match => match.Value).Distinct().ToList();

        Assert.True(used.Count > 8, string.Join(' ', used));
        Assert.Empty(used.Except(product.Instruments.SelectMany(GetSeries)));
    }

    [Fact]
    public void TheDashboardIsValid()
    {
        var dashboard = JsonNode.Parse(File.ReadAllText(SourceTree.GetPath("config/grafana/dashboard.json")))!;
        var panels = dashboard["panels"]!.AsArray();

        Assert.Equal(panels.Count, panels.Select(panel => (int)panel!["id"]!).Distinct().Count());
        Assert.All(panels, panel => Assert.NotEmpty(panel!["targets"]!.AsArray()));
    }

    /// <summary>The name as the exporter writes it.</summary>
    private static string GetName(Instrument instrument)
    {
        var name = instrument.Name.Replace('.', '_');
        var unit = instrument.Unit switch { "By" => "_bytes", "s" => "_seconds", _ => "" };
        if (!name.EndsWith(unit, StringComparison.Ordinal)) name += unit;
        var type = instrument.GetType().Name;
        return type.StartsWith("Counter", StringComparison.Ordinal) || type.StartsWith("ObservableCounter", StringComparison.Ordinal)
            ? name + "_total"
            : name;
    }

    private static IEnumerable<string> GetSeries(Instrument instrument) => instrument is Histogram<double>
        ? [GetName(instrument) + "_bucket", GetName(instrument) + "_count", GetName(instrument) + "_sum"]
        : [GetName(instrument)];

    [GeneratedRegex("^# TYPE ([a-z0-9_]+) ", RegexOptions.Multiline)]
    private static partial Regex Family();

    [GeneratedRegex(@"^\| `(?<name>[a-z_.]+)` \| `(?<prometheus>[a-z_]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"\b(?:proxy|dotnet|http_server|http_client)_[a-z_]+_[a-z_]+\b|\bproxy_answers_total\b")]
    private static partial Regex Used();
}
