using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Proxy.Backends;
using Proxy.Capabilities;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Capabilities;

/// <summary>The table of transactions and the mapped routes name the same resources and methods.</summary>
public sealed class CapabilityTableTests
{
    [Fact]
    public async Task TheTableNamesEveryRoute_AndNoOther()
    {
        await using var proxy = new ProxyHost(("east", "http://127.0.0.1:1/dicom-web")) { ["Backends:east:Forward"] = "true" };
        await proxy.GetAsync("/health/live");
        var endpoints = proxy.Services.GetRequiredService<EndpointDataSource>().Endpoints;
        var backends = proxy.Services.GetRequiredService<BackendSet>();

        AssertEqual(
            CapabilityTable.All.Where(c => !c.IsForwarded), MappedRoutes.Read(endpoints, backends.AsOne));
        AssertEqual(CapabilityTable.All, MappedRoutes.Read(endpoints, new("east", backends.AsOne.Backends)));
    }

    [Fact]
    public void NoTransactionIsListedTwice()
    {
        Assert.Empty(CapabilityTable.All.GroupBy(c => (c.Method, c.Path)).Where(g => g.Count() > 1).Select(g => g.Key));
        Assert.Empty(CapabilityTable.All.GroupBy(c => (c.Name, c.Path)).Where(g => g.Count() > 1).Select(g => g.Key));
    }

    private static void AssertEqual(IEnumerable<Capability> table, IReadOnlySet<(string Method, string Path)> routes)
    {
        var listed = table.Select(c => $"{c.Method} {c.Path}").Order().ToList();
        Assert.Equal(listed, routes.Where(r => r.Method != "HEAD").Select(r => $"{r.Method} {r.Path}").Order());
        // HEAD wherever GET is (RFC 9110 §9.1), except at a WebSocket.
        var reads = routes.Where(r => r.Method == "GET" && !r.Path.StartsWith("ws/", StringComparison.Ordinal));
        Assert.Equal(
            reads.Select(r => r.Path).Order(),
            routes.Where(r => r.Method == "HEAD").Select(r => r.Path).Order());
    }
}
