namespace Proxy.Demo;

/// <summary>
/// The two PACS of <c>--demo</c>, a folder for what is kept of them, and the settings that put the proxy in front of them.
/// </summary>
public sealed class DemoPair : IAsyncDisposable
{
    private readonly DemoPacs _east;
    private readonly DemoPacs _west;
    private readonly DirectoryInfo _cache = Directory.CreateTempSubdirectory("proxy-demo-");

    private DemoPair(DemoPacs east, DemoPacs west) => (_east, _west) = (east, west);

    /// <summary>
    /// Starts both on free loopback ports and names them in the settings, and a cache folder that goes with them, over whatever else is
    /// there.
    /// </summary>
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

    public async ValueTask DisposeAsync()
    {
        await _east.DisposeAsync();
        await _west.DisposeAsync();
        _cache.Delete(recursive: true);
    }
}
