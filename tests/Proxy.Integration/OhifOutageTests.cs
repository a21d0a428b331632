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
        _chromium = await lab.GetChromiumAsync();
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>An archive that refuses connections, which is noticed at once: <see cref="OhifOnProxyTests"/>.</summary>
    [Fact]
    public async Task ShowsTheOtherArchive_WhenOneHangs()
    {
        using var dead = new SilentPacs();
        await using var proxy = await ProxyProcess.StartAsync(
            [.. ProxyProcess.Backend("east", lab.East.Address), .. ProxyProcess.Backend("west", dead.Address), "Search:Deadline=00:00:02"],
            Cancel);
        Assert.Equal("west", (await proxy.Client.GetJsonAsync("studies", Cancel)).Headers["X-Failed-Backends"]);
        await using var site = await OhifSite.ForProxyAsync(proxy, Cancel);

        await _chromium.SeeAsync(site, ("silent-list", AssertListAsync), ("silent-open", AssertStudyAsync));
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
