using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Playwright;
using Xunit;

namespace Proxy.Integration;

/// <summary>Users sign in at a real OpenID provider in a real browser: the page, a work list, and the viewer.</summary>
public sealed class SignInTests(Lab lab) : IAsyncLifetime
{
    private const string Secret = "a-secret-of-the-test";

    private readonly ConcurrentQueue<string> _errors = [];
    private readonly List<IPage> _pages = [];
    private Chromium _chromium = null!;
    private OidcProvider _provider = null!;
    private ProxyProcess _proxy = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await Real.RequireProviderAsync(Cancel);
        _chromium = await lab.GetChromiumAsync();
        var root = $"http://127.0.0.1:{Readiness.FreePort()}";
        _provider = await OidcProvider.StartAsync(root, Cancel);
        List<string> settings =
        [
            "demo", "Security:Authentication=Oidc", $"Security:Oidc:Authority={_provider.Address}", "Security:Oidc:ClientId=proxy",
            $"Security:Oidc:ClientSecret={Secret}", $"Security:Jwt:Authority={_provider.Address}", "Security:Jwt:Audience=dicom-proxy",
        ];
        if (await OhifPackage.FindAsync(Cancel) is { } viewer) settings.Add($"Viewer:Path={viewer}");
        _proxy = await ProxyProcess.StartAsync(settings, root, Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var page in _pages)
            await page.CloseAsync();
        foreach (var part in new IAsyncDisposable?[] { _proxy, _provider })
        {
            if (part is not null)
                await part.DisposeAsync();
        }
    }

    /// <summary>One session of two users, because a browser and a viewer take long to start.</summary>
    [Fact]
    public async Task ShowsEachUserWhatTheirRolesAllow()
    {
        using var anonymous = await _proxy.Http.GetAsync(new Uri(_proxy.Dicomweb + "/studies"), Cancel);
        Assert.Equal(401, (int)anonymous.StatusCode);

        // A viewer: no operator's section, and none of their buttons.
        var page = await SignInAsync("anna", "/#studies", ColorScheme.Light);
        await page.Locator("#studies .study").First.WaitForAsync();
        Assert.Equal(["Studies", "Prefetch"], await ReadSectionsAsync(page));
        Assert.Contains("User anna", await page.Locator(".user").InnerTextAsync(), StringComparison.Ordinal);
        await page.Locator("#studies button.row").First.ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Quick look" }).WaitForAsync();
        Assert.Equal(0, await page.GetByRole(AriaRole.Button, new() { Name = "Prefetch" }).CountAsync());
        Assert.Equal(0, await page.GetByRole(AriaRole.Button, new() { Name = "Purge…" }).CountAsync());
        await SaveAsync(page, "signed-in-viewer-light");
        Assert.Equal(403, await page.EvaluateAsync<int>("fetch('/cache').then(answer => answer.status)"));
        Assert.Equal(200, await page.EvaluateAsync<int>("fetch('/dicomweb/studies').then(answer => answer.status)"));

        // The bundled viewer has the cookie of the same origin.
        if (await OhifPackage.FindAsync(Cancel) is not null)
        {
            await page.GotoAsync(_proxy.Root + "/viewer/");
            await page.GetByText("Study List").First.WaitForAsync(new() { Timeout = 60_000 });
            await page.Locator("tr", new() { HasText = "CT" }).First.WaitForAsync(new() { Timeout = 60_000 });
        }

        // An operator sees everything.
        var other = await SignInAsync("olga-operator-prefetcher-emergency", "/", ColorScheme.Dark);
        await other.Locator("#backends article").Nth(1).WaitForAsync();
        Assert.Equal(["Overview", "Traffic", "Studies", "Prefetch", "Warnings", "Cache", "Settings"], await ReadSectionsAsync(other));
        await SaveAsync(other, "signed-in-operator-dark");

        // A user with the role opens studies in an emergency; a viewer has no such button.
        Assert.Equal(0, await page.GetByRole(AriaRole.Button, new() { Name = "Emergency access…" }).CountAsync());
        await other.GotoAsync(_proxy.Root + "/#studies");
        await other.GetByRole(AriaRole.Button, new() { Name = "Emergency access…" }).ClickAsync();
        await other.GetByLabel("Study UID or patient ID").FillAsync("E1");
        Assert.True(await other.GetByRole(AriaRole.Button, new() { Name = "Open the studies" }).IsDisabledAsync());
        await other.GetByLabel("Reason, at least 5 characters").FillAsync("Trauma room");
        await other.GetByRole(AriaRole.Button, new() { Name = "Open the studies" }).ClickAsync();
        await other.GetByText("Emergency access to E1 until").WaitForAsync();
        Assert.Empty(_errors);

        // The end of the session.
        await page.GotoAsync(_proxy.Root + "/#studies");
        await page.GetByRole(AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();
        await page.WaitForURLAsync(_provider.Address + "/**");
        await page.GotoAsync(_proxy.Root + "/health/live");
        Assert.Equal(401, await page.EvaluateAsync<int>("fetch('/dicomweb/studies').then(answer => answer.status)"));
    }

    /// <summary>Opens a page of the proxy, which leads to the provider; the user signs in there, agrees, and comes back.</summary>
    private async Task<IPage> SignInAsync(string user, string path, ColorScheme scheme)
    {
        var page = await _chromium.OpenPageAsync(new() { ColorScheme = scheme });
        _pages.Add(page);
        page.PageError += (_, error) => _errors.Enqueue(error);
        await page.GotoAsync(_proxy.Root + path);
        await page.WaitForURLAsync(_provider.Address + "/**");
        await page.Locator("input[name=login]").FillAsync(user);
        await page.Locator("input[name=password]").FillAsync("any");
        await page.Locator("button[type=submit]").ClickAsync();
        // The consent.
        await page.GetByText("Continue").ClickAsync();
        await page.WaitForURLAsync(_proxy.Root + "/**");
        var cookie = Assert.Single(await page.Context.CookiesAsync(), c => c.Name == "proxy-session");
        Assert.Equal((true, true, SameSiteAttribute.Lax), (cookie.HttpOnly, cookie.Secure, cookie.SameSite));
        var caller = await page.EvaluateAsync<JsonElement>("fetch('/caller').then(answer => answer.json())");
        Assert.Equal($"User {user}", caller.GetProperty("name").GetString());
        return page;
    }

    private static async Task<IEnumerable<string>> ReadSectionsAsync(IPage page) =>
        (await page.Locator("nav a").AllInnerTextsAsync()).Select(text => text.Split('\n')[0].Trim());

    private static Task SaveAsync(IPage page, string name) => Environment.GetEnvironmentVariable("KEEP_SCREENSHOTS") == "1"
        ? page.ScreenshotAsync(new() { Path = Path.Combine(AppContext.BaseDirectory, "TestResults", name + ".png") })
        : Task.CompletedTask;
}
