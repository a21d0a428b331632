using Xunit;

namespace Proxy.Integration;

/// <summary>End to end: two real archives, the proxy, the released viewer in a real browser, and its screenshots.</summary>
public sealed class OhifTests(Lab lab) : IAsyncLifetime
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

    /// <summary>
    /// One session of one reader, because a viewer takes long to start: the list, a document, and pictures. After a restart of the proxy
    /// another reader sees the same pictures, which are still cached; the archive alone gives the same ones, too.
    /// </summary>
    [Fact]
    public async Task ShowsTheListTheDocumentAndThePictures_AndAsksNoArchiveForThemAfterARestart()
    {
        using var scratch = new Scratch("ohif-disk");
        var disk = $"Cache:Disk:Path={Path.Combine(scratch.Folder, "cache")}";
        ViewerPicture? first = null;
        await using (var proxy = await lab.StartProxyAsync(Cancel, disk))
        {
            await using var site = await OhifSite.ForProxyAsync(proxy, Cancel);
            var dataset = Assert.Single((await proxy.Client.GetMetadataAsync(Archives.Letter, Cancel)).Datasets)!;
            var document = dataset.BulkDataUri(Tags.EncapsulatedDocument)!;
            await _chromium.SeeAsync(
                site,
                ("work-list", AssertListAsync),
                ("document", async viewer =>
                {
                    await viewer.OpenDocumentAsync(Archives.Report, document);
                    Assert.DoesNotContain(document, viewer.Errors, StringComparison.Ordinal);
                }
            ),
                ("first-open", async viewer =>
                {
                    first = await OpenAndScrollAsync(viewer);
                    // The patient's prior in the other archive appears in the panel beside the picture.
                    Assert.Contains("30-Sep-2019", await viewer.ReadAsync(), StringComparison.Ordinal);
                }
            ));
            await proxy.StopAsync();
        }

        await using var again = await lab.StartProxyAsync(Cancel, disk);
        await using var siteAgain = await OhifSite.ForProxyAsync(again, Cancel);
        var watch = lab.Watch();
        await _chromium.SeeAsync(
            siteAgain, "after-restart", async viewer => Assert.True(first!.ShowsTheSameAs(await OpenAndScrollAsync(viewer))));
        // The proxy may prefetch other studies meanwhile.
        Assert.DoesNotContain(
            watch.Asked.Where(target => target.Contains(Archives.Ct.Uid, StringComparison.Ordinal)),
            target => target.Contains("/frames/", StringComparison.Ordinal) || target.EndsWith("/metadata", StringComparison.Ordinal));

        await using var direct = await OhifSite.ForOrthancAsync(lab.East, Cancel);
        await _chromium.SeeAsync(direct, "direct", async viewer => Assert.True(first!.ShowsTheSameAs(await OpenAndScrollAsync(viewer))));
    }

    private static async Task AssertListAsync(Viewer viewer)
    {
        await viewer.OpenWorkListAsync("Adler, Berta");
        var list = await viewer.ReadAsync();
        foreach (var patient in new[] { Archives.Adler, Archives.Becker, Archives.Sahin, Archives.Yamada, Archives.Doe })
        {
            var name = patient.Name.Split('=')[0].Replace("^", ", ", StringComparison.Ordinal);
            Assert.Contains(name, list, StringComparison.Ordinal);
        }
    }

    private static async Task<ViewerPicture> OpenAndScrollAsync(Viewer viewer)
    {
        await viewer.OpenAsync(Archives.Axial);
        var picture = await viewer.CaptureAsync();
        Phantom.AssertIsShown(picture);
        var number = picture.Number!.Value;
        await viewer.ScrollToAsync(number + 5);
        var next = await viewer.CaptureAsync();
        Phantom.AssertIsShown(next);
        Assert.False(picture.ShowsTheSameAs(next));
        return next;
    }
}
