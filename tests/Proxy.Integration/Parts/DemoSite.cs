using Xunit;

namespace Proxy.Integration;

/// <summary>One demo for all tests of a class; each test has a page of its own.</summary>
public sealed class DemoSite(Lab lab) : IAsyncLifetime
{
    public Chromium Chromium { get; private set; } = null!;

    public ProxyProcess Proxy { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Chromium = await lab.GetChromiumAsync();
        Proxy = await ProxyProcess.StartAsync(["demo"], CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        if (Proxy is not null)
            await Proxy.DisposeAsync();
    }
}
