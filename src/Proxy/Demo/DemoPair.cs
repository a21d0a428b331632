namespace Proxy.Demo;

/// <summary>
/// The two PACS of <c>--demo</c>, a temporary cache folder, and the settings that configure the proxy for them.
/// </summary>
public sealed class DemoPair : IAsyncDisposable
{
    private readonly DemoPacs _east;
    private readonly DemoPacs _west;
    private readonly DirectoryInfo _cache = Directory.CreateTempSubdirectory("proxy-demo-");

    private DemoPair(DemoPacs east, DemoPacs west) => (_east, _west) = (east, west);

    /// <summary>Starts both PACS on free loopback ports and overrides the settings of backends and cache folder.</summary>
    public static async Task<DemoPair> StartAsync(IConfigurationBuilder settings)
    {
        var pair = new DemoPair(await DemoPacs.StartAsync(DemoArchive.East), await DemoPacs.StartAsync(DemoArchive.West));
        settings.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Backends:east:Address"] = pair._east.Address.ToString(),
            ["Backends:west:Address"] = pair._west.Address.ToString(),
            ["Cache:Disk:Path"] = pair._cache.FullName,
        });
        return pair;
    }

    /// <summary>Stops both PACS and deletes the cache folder.</summary>
    public async ValueTask DisposeAsync()
    {
        await _east.DisposeAsync();
        await _west.DisposeAsync();
        _cache.Delete(recursive: true);
    }
}
