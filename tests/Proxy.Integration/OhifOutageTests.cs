using Xunit;

namespace Proxy.Integration;

/// <summary>The viewer while one of two archives is dead: it lists and shows the studies of the other as usual.</summary>
public sealed class OhifOutageTests(Lab lab) : IAsyncLifetime
{
    private Chromium _chromium = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await Real.RequireViewerAsync(Cancel);
        await lab.StartAsync(Cancel);
        _chromium = await Chromium.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_chromium is not null)
            await _chromium.DisposeAsync();
    }

    [Fact]
    public async Task ShowsTheOtherArchive_WhenOneRefusesConnections()
    {
        using var dead = DeadPacs.Refusing();
        await AssertTheOtherIsShownAsync(dead, "refused");
    }

    [Fact]
    public async Task ShowsTheOtherArchive_WhenOneHangs()
    {
        using var dead = DeadPacs.Silent();
        await AssertTheOtherIsShownAsync(dead, "silent");
    }

    private async Task AssertTheOtherIsShownAsync(DeadPacs dead, string name)
    {
        await using var proxy = await ProxyProcess.StartAsync(
            [.. ProxyProcess.Backend("east", lab.East.Address), .. ProxyProcess.Backend("west", dead.Address), "Search:Deadline=00:00:02"],
            Cancel);
        Assert.Equal("west", (await proxy.Client.GetJsonAsync("studies", Cancel)).Headers["X-Failed-Backends"]);
        await using var site = await OhifSite.ForProxyAsync(proxy, Cancel);

        await _chromium.SeeAsync(site, ($"{name}-list", AssertListAsync), ($"{name}-open", AssertStudyAsync));
    }

    private static async Task AssertListAsync(Viewer viewer)
    {
        await viewer.OpenWorkListAsync("Adler, Berta");
        var list = await viewer.ReadAsync();
        Assert.Contains("Becker, Carl", list, StringComparison.Ordinal);
        Assert.DoesNotContain("Yamada", list, StringComparison.Ordinal);
    }

    private static async Task AssertStudyAsync(Viewer viewer)
    {
        await viewer.OpenAsync(Archives.OldAxial);
        Phantom.AssertIsShown(await viewer.CaptureAsync());
    }
}
