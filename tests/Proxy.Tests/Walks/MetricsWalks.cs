using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The metrics that Prometheus reads.</summary>
public sealed class MetricsWalks : IDisposable
{
    private const string Frame = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1";

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

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

        Assert.Matches("proxy_cache_hits_total\\{[^}]*tier=\"memory\"[^}]*\\} [1-9]", metrics);
        Assert.Matches("proxy_cache_entries\\{[^}]*tier=\"disk\"[^}]*\\} 0", metrics);
        Assert.Matches("proxy_cache_folder_usable[^ ]* 0", metrics);
        Assert.Matches("proxy_backend_failures[^ ]*backend=\"east\"", metrics);
        Assert.Contains("dotnet_process_memory_working_set", metrics, StringComparison.Ordinal);
        Assert.DoesNotContain($":{_east.Port}", metrics, StringComparison.Ordinal);
        Assert.DoesNotContain("1.2.1.1.1", metrics, StringComparison.Ordinal);
    }
}
