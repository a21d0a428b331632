using Microsoft.Playwright;

namespace Proxy.Integration;

/// <summary>What the proxy adds to OHIF's page.</summary>
public sealed partial class Viewer
{
    /// <summary>Whether the page may use shared memory.</summary>
    public Task<bool> IsIsolatedAsync() => _page.EvaluateAsync<bool>("self.crossOriginIsolated && typeof SharedArrayBuffer === 'function'");

    /// <summary>Waits for the banner, and returns its text.</summary>
    public async Task<string> AwaitBannerAsync()
    {
        await Banner.WaitForAsync(new() { Timeout = Patience });
        return await Banner.GetByRole(AriaRole.Status).InnerTextAsync();
    }

    /// <summary>Waits until the page has no banner and shows <paramref name="text"/>.</summary>
    public async Task AwaitNoBannerAsync(string text)
    {
        await Banner.WaitForAsync(new() { State = WaitForSelectorState.Detached, Timeout = Patience });
        await _page.GetByText(text).First.WaitForAsync(new() { Timeout = Patience });
    }

    /// <summary>The lowest point of the banner, and the highest point of OHIF, in pixels from the top of the window.</summary>
    public async Task<(float Banner, float Ohif)> MeasureBannerAsync()
    {
        var (banner, ohif) = (await Banner.BoundingBoxAsync(), await _page.Locator("#root").BoundingBoxAsync());
        return (banner!.Y + banner.Height, ohif!.Y);
    }

    private ILocator Banner => _page.Locator("#proxy-banner.proxy-banner-shown");
}
