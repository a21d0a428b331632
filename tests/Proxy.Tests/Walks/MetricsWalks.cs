using System.Globalization;
using System.Text.RegularExpressions;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The metrics that Prometheus reads.</summary>
public sealed partial class MetricsWalks : IDisposable
{
    private const string Series = "/dicomweb/studies/1.2.66001/series/1.2.66001.1";
    private const string Frame = Series + "/instances/1.2.66001.1.1/frames/1";

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.66001").With("1.2.66001.1"));

    public void Dispose() => _east.Dispose();

    [Fact]
    public async Task CountsTiersAndBackends_WithoutTheAddressOfAPacs()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));
        // A client has the last byte a moment before the proxy caches the body.
        await Until.TrueAsync(async () => (await proxy.GetAsync(Frame)).CacheStatus == "Proxy; hit");
        await proxy.GetAsync(Frame);
        _east.Fail(500);
        await proxy.GetAsync("/dicomweb/studies/1.2.9/series");

        var metrics = (await proxy.GetAsync("/metrics")).Text;

        Assert.Matches("proxy_cache_hits_total\\{[^}]*kind=\"frame\",tier=\"memory\"\\} [1-9]", metrics);
        Assert.Matches("proxy_cache_entries\\{[^}]*tier=\"disk\"[^}]*\\} 0", metrics);
        Assert.Matches("proxy_cache_folder_usable[^ ]* 0", metrics);
        Assert.Matches("proxy_backend_failures[^ ]*backend=\"east\"", metrics);
        Assert.Contains("dotnet_process_memory_working_set", metrics, StringComparison.Ordinal);
        Assert.DoesNotContain($":{_east.Port}", metrics, StringComparison.Ordinal);
        Assert.DoesNotContain("1.2.66001", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MoveWithRequests()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));
        const string route = "http_route=\"" + "/dicomweb/studies/{study}/series/{series}/metadata\"";
        await proxy.GetAsync(Series + "/metadata");
        List<(string Name, string Labels, double Value)> before = [];
        await Until.TrueAsync(async () => (before = await ReadAsync(proxy)).Exists(
            m => Is(m, "http_server_request_duration_seconds_count", route)));

        await proxy.GetAsync(Series + "/metadata");
        await proxy.GetAsync("/unknown");
        await proxy.SendAsync(new("BREW"), "/unknown", []);
        var after = before;
        // A client has its answer a moment before the proxy records the request.
        await Until.TrueAsync(async () =>
        {
            after = await ReadAsync(proxy);
            return Moved("http_server_request_duration_seconds_count", "method=\"_OTHER\"") == 1;
        });

        Assert.Equal(1, Moved("http_server_request_duration_seconds_count", route, "method=\"GET\"", "status_code=\"200\""));
        Assert.Equal(1, Moved("proxy_answers_total", "kind=\"metadata\"", "source=\"hit\""));
        Assert.Equal(0, Moved("proxy_answers_total", "kind=\"metadata\"", "source=\"miss\""));
        Assert.Equal(1, Moved("proxy_cache_hits_total", "kind=\"metadata\"", "tier=\"memory\""));
        Assert.Equal(0, Moved("http_client_request_duration_seconds_count", "backend=\"east\""));
        Assert.True(before.Single(m => Is(m, "proxy_answers_total", "kind=\"metadata\"", "source=\"miss\"")).Value == 1);
        Assert.True(before.Where(m => Is(m, "http_client_request_duration_seconds_count", "backend=\"east\"", "status_code=\"200\""))
            .Sum(m => m.Value) >= 1);
        Assert.True(Moved("proxy_served_bytes_total") > 500);
        Assert.Equal(0, Moved("proxy_fetched_bytes_total"));
        Assert.Equal(1, after.Single(m => Is(m, "proxy_backend_up", "backend=\"east\"")).Value);
        Assert.Equal(16, after.Single(m => Is(m, "proxy_backend_limit", "backend=\"east\"")).Value);
        // The advised buckets.
        Assert.Contains(after, m => Is(m, "http_server_request_duration_seconds_bucket", route, "le=\"0.005\""));
        Assert.Contains(after, m => Is(m, "target_info", "service_name=\"dicomweb-proxy\"", "service_version=\""));

        double Moved(string name, params string[] labels) =>
            after.Where(m => Is(m, name, labels)).Sum(m => m.Value) - before.Where(m => Is(m, name, labels)).Sum(m => m.Value);
    }

    [Fact]
    public async Task NameNoPatientNoUidAndNoSearchValue()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));
        await proxy.GetAsync("/dicomweb/studies?PatientName=CANARY&PatientID=CANARY");
        await proxy.GetAsync("/CANARY/1.2.66001");
        await proxy.GetAsync(Series + "/metadata", ("User-Agent", "CANARY"));
        await proxy.SendAsync(new("CANARY"), "/dicomweb/studies", []);
        await proxy.GetAsync($"/dicomweb?requestType=WADO&studyUID=1.2.66001&seriesUID=1.2.66001.1&objectUID=1.2.66001.1.1");
        _east.Fail(500);
        await proxy.GetAsync("/dicomweb/studies?PatientName=CANARY2");

        var metrics = (await proxy.GetAsync("/metrics")).Text;

        Assert.DoesNotContain("CANARY", metrics);
        Assert.DoesNotContain("1.2.66001", metrics);
        Assert.DoesNotContain($":{_east.Port}", metrics);
    }

    /// <summary>Reads /metrics as Prometheus does; every line must be a comment or a sample.</summary>
    private static async Task<List<(string Name, string Labels, double Value)>> ReadAsync(ProxyHost proxy)
    {
        var reply = await proxy.GetAsync("/metrics");
        Assert.StartsWith("text/plain", reply["Content-Type"]);
        var samples = new List<(string, string, double)>();
        foreach (var line in reply.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line[0] == '#')
            {
                Assert.Matches("^# (TYPE [a-z0-9_]+ (counter|gauge|histogram|untyped)|(HELP|UNIT) [a-z0-9_]+ .*|EOF)$", line);
                continue;
            }
            var sample = Sample().Match(line);
            Assert.True(sample.Success, line);
            samples.Add((
                sample.Groups["name"].Value, sample.Groups["labels"].Value,
                double.Parse(sample.Groups["value"].Value.Replace("+Inf", "Infinity"), CultureInfo.InvariantCulture)));
        }
        Assert.Equal(samples.Count, samples.Select(s => s.Item1 + s.Item2).Distinct().Count());
        return samples;
    }

    private static bool Is((string Name, string Labels, double Value) sample, string name, params string[] labels) =>
        sample.Name == name && labels.All(label => sample.Labels.Contains(label, StringComparison.Ordinal));

    [GeneratedRegex(
        """^(?<name>[a-zA-Z_:][\w:]*)(\{(?<labels>([a-zA-Z_]\w*="([^"\\\n]|\\.)*",?)*)\})? (?<value>[-+.0-9eEINnaf]+)( [0-9]+)?$""")]
    private static partial Regex Sample();
}
