using Xunit;

namespace Proxy.Integration;

/// <summary>The released viewer, served by the proxy itself at <c>/viewer/</c>, in front of two archives.</summary>
public sealed class OhifOnProxyTests(Lab lab) : IAsyncLifetime
{
    private Chromium _chromium = null!;
    private ProxyProcess _proxy = null!;
    private CountingRelay _west = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await Real.RequireViewerAsync(Cancel);
        await lab.StartAsync(Cancel);
        _west = new(lab.West.Port);
        _chromium = await lab.GetChromiumAsync();
        _proxy = await ProxyProcess.StartAsync(
            [
                .. ProxyProcess.Backend("east", lab.East.Address), .. ProxyProcess.Backend("west", _west.Address),
                "Search:Freshness=00:00:00", $"Viewer:Path={await OhifPackage.FindAsync(Cancel)}",
            ],
            Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var part in new IAsyncDisposable?[] { _proxy, _west })
        {
            if (part is not null)
                await part.DisposeAsync();
        }
    }

    /// <summary>
    /// One session of one reader, because a viewer takes long to start: a study by its address, then the list, with one archive missing
    /// until it returns. The banner stands above the viewer and goes with a complete list; nothing causes an error in the console.
    /// </summary>
    [Fact]
    public async Task ServesTheViewerIsolated_AndTellsTheReaderWhichArchiveIsMissing() => await _chromium.SeeAsync(
        _proxy.Root + "/viewer",
        ("on-proxy-study", async viewer =>
        {
            await viewer.OpenAsync(Archives.OldAxial);
            Phantom.AssertIsShown(await viewer.CaptureAsync());
            Assert.True(await viewer.IsIsolatedAsync());
        }
    ),
        ("on-proxy-banner", async viewer =>
        {
            await _west.DisposeAsync();
            await viewer.OpenWorkListAsync("Adler, Berta");
            Assert.Equal("PACS west is not answering: the list is incomplete", await viewer.AwaitBannerAsync());
            var (banner, ohif) = await viewer.MeasureBannerAsync();
            Assert.InRange(banner, 20, ohif);
            Assert.DoesNotContain("Yamada", await viewer.ReadAsync(), StringComparison.Ordinal);
        }
    ),
        ("on-proxy-list", async viewer =>
        {
            _west = new(lab.West.Port, _west.Port);
            await viewer.AwaitNoBannerAsync("Yamada");
            Assert.Contains("Adler, Berta", await viewer.ReadAsync(), StringComparison.Ordinal);
            Assert.True(await viewer.IsIsolatedAsync());
            Assert.Equal("", viewer.Errors);
        }
    ));
}
