using Xunit;

namespace Proxy.Integration;

/// <summary>
/// The viewer with objects other than images. They are in another archive than the images that they describe, so the viewer sees
/// each study as a whole only through the proxy.
/// <code>
///                east          objects
/// Adler   2021   CT, prior     SEG, RTSTRUCT, the stored SR
/// Doe     2020                 PDF
/// Doe     2022                 MP4
/// </code>
/// </summary>
public sealed class OhifObjectTests(Lab lab) : IAsyncLifetime
{
    private static readonly Series Square = new(
        Archives.PriorCt, "seg", 300, "Square", new Segmentation(Archives.OldAxial), 1);

    private static readonly Series Contours = new(
        Archives.PriorCt, "rt", 400, "Contours", new StructureSet(Archives.OldAxial), 1);

    private static readonly Series Clip = new(
        new("clip", Archives.Doe, "20220815", "Video of a wound"), "clip", 1, "Clip", new Video(), 1);

    private readonly List<IAsyncDisposable> _parts = [];
    private Chromium _chromium = null!;
    private ProxyProcess _proxy = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await Real.RequireViewerAsync(Cancel);
        await lab.StartAsync(Cancel);
        var objects = Keep(await OrthancServer.StartAsync("objects", null, Cancel));
        await objects.StoreAsync(new[] { Square, Contours, Clip, Archives.Letter }.SelectMany(series => series.Instances), Cancel);
        _proxy = Keep(await ProxyProcess.StartAsync(
            [.. ProxyProcess.Backend("east", lab.East.Address), .. ProxyProcess.Backend("objects", objects.Address),
            .. ProxyProcess.Lasting, "Store:Backend=objects"],
            Cancel));
        _chromium = await lab.GetChromiumAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var part in Enumerable.Reverse(_parts))
            await part.DisposeAsync();
    }

    [Fact]
    public async Task ShowsObjectsOfAnotherArchive_OnTheImages()
    {
        await using var site = await OhifSite.ForProxyAsync(_proxy, Cancel);
        await _chromium.SeeAsync(
            site,
            ("report", async viewer =>
            {
                var length = await viewer.StoreReportAsync(Archives.OldAxial, "Length of the phantom");
                await viewer.OpenReportAsync(Archives.OldAxial, "Length of the phantom", length);
            }
        ),
            // A segment is filled, a contour is a line.
            ("segmentation", viewer => viewer.OpenFromPanelAsync(Square, 0.04, 0.2)),
            ("contours", viewer => viewer.OpenFromPanelAsync(Contours, 0.001, 0.02)));
    }

    /// <summary>The browser shows what the proxy renders. The archive offers neither of these addresses.</summary>
    [Fact]
    public async Task ShowsVideosDocumentsAndThumbnails_ThatTheProxyRenders()
    {
        await using var site = await OhifSite.ForProxyAsync(
            _proxy, "thumbnailRendering: 'thumbnail', thumbnailRequestStrategy: 'fetch', singlepart: 'video,pdf'", Cancel);
        await _chromium.SeeAsync(
            site,
            ("video", async viewer =>
            {
                await viewer.OpenRedAsync(Clip, 0.4);
                Assert.Contains($"{_proxy.Dicomweb}/{Clip.Instances.Single().Path}/rendered", viewer.Answers.Select(answer => answer.Url));
            }
        ),
            ("document", async viewer =>
            {
                await viewer.OpenPaperAsync(Archives.Letter);
                var document = $"{_proxy.Dicomweb}/{Archives.Letter.Instances.Single().Path}/rendered";
                Assert.Contains(document, viewer.Answers.Select(answer => answer.Url));
            }
        ),
            ("thumbnails", async viewer =>
            {
                await viewer.OpenAsync(Archives.OldAxial);
                await viewer.AwaitThumbnailAsync();
                Assert.Contains(viewer.Answers, answer => answer.Url.Contains("/thumbnail?viewport=256", StringComparison.Ordinal));
            }
        ));
    }

    private T Keep<T>(T part) where T : IAsyncDisposable
    {
        _parts.Add(part);
        return part;
    }
}
