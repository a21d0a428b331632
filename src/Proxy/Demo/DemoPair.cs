namespace Proxy.Demo;

/// <summary>The two PACS of <c>--demo</c>, and the settings that put the proxy in front of them.</summary>
public sealed class DemoPair : IAsyncDisposable
{
    private readonly DemoPacs _east;
    private readonly DemoPacs _west;

    private DemoPair(DemoPacs east, DemoPacs west) => (_east, _west) = (east, west);

    /// <summary>Starts both on free loopback ports and names them in the settings, over whatever else is there.</summary>
    public static async Task<DemoPair> StartAsync(IConfigurationBuilder settings)
    {
        var pair = new DemoPair(await DemoPacs.StartAsync(DemoArchive.East), await DemoPacs.StartAsync(DemoArchive.West));
        settings.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Backends:east:Address"] = pair._east.Address.ToString(),
            ["Backends:west:Address"] = pair._west.Address.ToString(),
        });
        return pair;
    }

    public async ValueTask DisposeAsync()
    {
        await _east.DisposeAsync();
        await _west.DisposeAsync();
    }
}
