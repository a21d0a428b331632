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
            // For what a viewer saves: both PACS store.
            ["Store:Backend"] = "east",
            ["Cache:Disk:Path"] = pair._cache.FullName,
        });
        return pair;
    }

    /// <summary>What runs and where to look, for the person who started the demo.</summary>
    /// <param name="addresses">The addresses on which the proxy listens.</param>
    public static string Welcome(IEnumerable<string> addresses)
    {
        // An address of all interfaces cannot be opened in a browser.
        var root = addresses.First()
            .Replace("[::]", "localhost", StringComparison.Ordinal).Replace("0.0.0.0", "localhost", StringComparison.Ordinal);
        return $"""

            Two demo PACS with generated studies run in this process, and the proxy in front of them.

              Page         {root}/
              Quick look   {root}/look?study={DemoUid.Create("chest-ct")}&series={DemoUid.Create("chest-ct", "axial")}
              DICOMweb     {root}/dicomweb

            Press Ctrl+C to stop. The temporary cache folder is deleted then; nothing else is stored.

            """;
    }

    /// <summary>Stops both PACS and deletes the cache folder.</summary>
    public async ValueTask DisposeAsync()
    {
        await _east.DisposeAsync();
        await _west.DisposeAsync();
        _cache.Delete(recursive: true);
    }
}
