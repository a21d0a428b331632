using Microsoft.Playwright;

namespace Proxy.Integration;

/// <summary>The installed Chromium, headless, with software rendering and without access to other machines.</summary>
public sealed class Chromium : IAsyncDisposable
{
    private readonly IPlaywright _playwright;
    private readonly IBrowser _browser;
    private readonly string _pictures = Path.Combine(AppContext.BaseDirectory, "TestResults");

    private Chromium(IPlaywright playwright, IBrowser browser) => (_playwright, _browser) = (playwright, browser);

    public static async Task<Chromium> StartAsync()
    {
        var playwright = await Playwright.CreateAsync();
        var browser = await playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = Real.Chromium,
            Headless = true,
            Args =
            [
                "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist",
                "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync",
                "--no-first-run", "--disable-extensions", "--disable-domain-reliability",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
            ],
        });
        return new Chromium(playwright, browser);
    }

    /// <summary>An empty page of a browser without state; it ends with the browser.</summary>
    public Task<IPage> OpenPageAsync(BrowserNewPageOptions? options = null) => _browser.NewPageAsync(options);

    public Task SeeAsync(OhifSite site, string name, Func<Viewer, Task> see) => SeeAsync(site, (name, see));

    /// <summary>
    /// A viewer without state performs the steps on a site, one after the other. Saves a screenshot of a failed step, or of each
    /// step if <c>KEEP_SCREENSHOTS=1</c>.
    /// </summary>
    public Task SeeAsync(OhifSite site, params IEnumerable<(string Name, Func<Viewer, Task> See)> steps) => SeeAsync(site.Root, steps);

    /// <summary>As above, at an address without a slash at its end.</summary>
    public async Task SeeAsync(string root, params IEnumerable<(string Name, Func<Viewer, Task> See)> steps)
    {
        await using var viewer = await Viewer.OpenAsync(_browser, root);
        foreach (var (name, see) in steps)
        {
            var isKept = true;
            try
            {
                await see(viewer);
                isKept = Environment.GetEnvironmentVariable("KEEP_SCREENSHOTS") == "1";
            }
            finally
            {
                if (isKept)
                    await viewer.SaveAsync(Path.Combine(_pictures, name + ".png"));
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
    }
}
