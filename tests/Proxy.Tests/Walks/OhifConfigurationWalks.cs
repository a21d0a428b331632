using System.Text.Json.Nodes;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The generated configuration of OHIF offers what the proxy can do for each data source.</summary>
public sealed class OhifConfigurationWalks : IDisposable
{
    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1")), _west = new(new HeldStudy("1.2.2").With("1.2.2.1"));

    public void Dispose()
    {
        _east.Dispose();
        _west.Dispose();
    }

    [Fact]
    public async Task UsesThePlainDicomwebSource()
    {
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address));

        var sources = await ReadSourcesAsync(proxy);

        Assert.Equal(["proxy", "east", "west"], sources.Select(source => (string)source["sourceName"]!));
        Assert.All(sources, source => Assert.Equal("video", (string)source["configuration"]!["singlepart"]!));
        Assert.All(sources, source => Assert.Equal("@ohif/extension-default.dataSourcesModule.dicomweb", (string)source["namespace"]!));
    }

    /// <summary>OHIF stores without a study in the address. All PACS then need a setting; a single PACS does not.</summary>
    [Theory]
    [InlineData("", false)]
    [InlineData("east", true)]
    public async Task OffersToStore_WhereABackendIsSet(string backend, bool isOffered)
    {
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address)) { ["Store:Backend"] = backend };

        var configurations = (await ReadSourcesAsync(proxy)).Select(source => source["configuration"]!).ToList();

        Assert.Equal([isOffered, true, true], configurations.Select(configuration => (bool)configuration["dicomUploadEnabled"]!));
        Assert.Equal([isOffered, true, true], configurations.Select(configuration => (bool)configuration["supportsStow"]!));
    }

    [Fact]
    public async Task OffersToStore_ToTheOnlyPacs()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));

        Assert.All(await ReadSourcesAsync(proxy), source => Assert.True((bool)source["configuration"]!["dicomUploadEnabled"]!));
    }

    private static async Task<IReadOnlyList<JsonNode>> ReadSourcesAsync(ProxyHost proxy)
    {
        var script = (await proxy.GetAsync("/ohif/app-config.js")).Text;
        // The script of the banner follows.
        var config = JsonNode.Parse(script["window.config = ".Length..(script.IndexOf("};", StringComparison.Ordinal) + 1)])!;
        return [.. config["dataSources"]!.AsArray().Select(source => source!)];
    }
}
