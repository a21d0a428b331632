using System.Text.Json.Nodes;
using Proxy.Tests.Dimse;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>An instance above 16 MiB goes to disk while it arrives by DIMSE.</summary>
public sealed class LargeDimseWalks : IAsyncDisposable
{
    private const string Series = $"/dicomweb/studies/{DimsePacs.Study}/series/{DimsePacs.Series}";
    private const int FrameBytes = 512 * 512 * 2;

    /// <summary>17 MiB.</summary>
    private static readonly byte[] Large = DimsePacs.GetDataset($"{DimsePacs.Series}.1", Part10File.Native(512, 512, frames: 34, bits: 16));

    private readonly DimsePacs _pacs = new(instances: 1) { Dataset = _ => Large };
    private readonly ProxyHost _proxy = [];

    public LargeDimseWalks()
    {
        foreach (var (key, value) in _pacs.Settings()) _proxy[key] = value;
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        await _pacs.DisposeAsync();
    }

    [Fact]
    public async Task StoresALargeInstanceOnDisk_WhileItArrives()
    {
        _proxy["Cache:Disk:Path"] = Path.Join(_proxy.Root, "cache");

        var metadata = await _proxy.GetAsync(Series + "/metadata");
        var frame = await _proxy.GetAsync(
            $"{Series}/instances/{_pacs.Instances[0]}/frames/34", ("Accept", "application/octet-stream; transfer-syntax=*"));

        Assert.Equal("34", (string?)metadata.Rows[0]!["00280008"]!["Value"]![0]!.ToString());
        Assert.Equal(Large[^FrameBytes..], frame.Body);
        Assert.Single(_pacs.Stored);
        var cache = JsonNode.Parse((await _proxy.GetAsync("/cache")).Text)!;
        Assert.InRange((long)cache["memory"]!["bytes"]!, 0, 2 * FrameBytes);
        Assert.InRange((long)cache["disk"]!["bytes"]!, Large.Length, 2 * Large.Length);
    }

    [Fact]
    public async Task SaysThatTheCacheHasNoRoom()
    {
        _proxy["Cache:Memory:MaxBytes"] = "16777216";

        var reply = await _proxy.GetAsync(Series + "/metadata");

        reply.IsProblem(503);
        Assert.Contains("no room for the instance (Cache:Disk:Path", reply.Text);
        // An instance that is not kept is not accepted, and not requested twice.
        Assert.Empty(_pacs.Stored);
        Assert.Equal(1, _pacs.Gets);
    }
}
