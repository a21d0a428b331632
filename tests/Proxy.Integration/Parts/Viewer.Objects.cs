using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace Proxy.Integration;

/// <summary>What a user does with objects other than images: segmentations, structures, videos and reports.</summary>
public sealed partial class Viewer
{
    /// <summary>Opens a series and waits until a share of the picture, 0 to 1, is red.</summary>
    public async Task OpenRedAsync(Series series, double from)
    {
        await GotoAsync(series);
        await _page.Locator(Picture).First.WaitForAsync(new() { Timeout = Patience });
        await AwaitRedAsync(from, 1);
    }

    /// <summary>Opens a document and waits until a page of white paper covers a fifth of the window.</summary>
    public async Task OpenPaperAsync(Series document)
    {
        await GotoAsync(document);
        await AwaitAsync("a page of the document", async () =>
            Screenshot.Read(await _page.ScreenshotAsync(new() { Timeout = Patience })).GetShare(255, 0) > 0.2);
    }

    /// <summary>Waits until the panel beside the picture shows a thumbnail.</summary>
    public Task AwaitThumbnailAsync() => AwaitAsync(
        "a thumbnail",
        () => _page.EvaluateAsync<bool>(
            "[...document.querySelectorAll(\"[data-cy='study-browser-thumbnail'] img\")].some(image => image.naturalWidth > 1)"));

    /// <summary>Opens a series from the panel beside the picture, and waits until a share of the picture is red.</summary>
    /// <param name="series">The series.</param>
    /// <param name="from">The smallest share, 0 to 1.</param>
    /// <param name="to">The largest share, 0 to 1.</param>
    public async Task OpenFromPanelAsync(Series series, double from, double to)
    {
        await OpenFromPanelAsync(series.Description);
        await AwaitRedAsync(from, to);
    }

    /// <summary>Measures a length on the picture and stores it as a report.</summary>
    /// <returns>The length as the viewer shows it.</returns>
    public async Task<string> StoreReportAsync(Series images, string title)
    {
        await OpenAsync(images);
        await _page.Locator("[data-cy='MeasurementTools-split-button-primary']").ClickAsync();
        var box = await _page.Locator(Picture).First.BoundingBoxAsync() ?? throw new InvalidOperationException("No viewport");
        var (x, y) = (box.X + (box.Width / 2), box.Y + (box.Height / 2));
        await _page.Mouse.MoveAsync(x - 80, y - 60);
        await _page.Mouse.DownAsync();
        await _page.Mouse.MoveAsync(x + 80, y + 60, new() { Steps = 8 });
        await _page.Mouse.UpAsync();
        await AwaitAsync("the measured length", async () => await FindLengthAsync() is not null);
        // The measurement is in the panel, and can be stored, after the user agrees to keep it.
        await AwaitAsync("the tracked measurement", async () =>
        {
            await PressAsync("Yes");
            return await _page.Locator("[data-cy='viewport-action-arrows']").First.IsVisibleAsync();
        });

        // Only now: the label follows the last movement of the mouse with a delay.
        var length = await FindLengthAsync() ?? throw new InvalidOperationException("The measurement is not shown");
        await _page.Locator("[data-cy='trackedMeasurements-btn']").ClickAsync();
        await _page.GetByText("Create SR").ClickAsync();
        await _page.Locator("[data-cy='dialog-input'], [data-cy='dialog-input'] input").Last.FillAsync(title);
        var stored = await _page.RunAndWaitForResponseAsync(
            () => _page.Locator("[data-cy='input-dialog-save-button']").ClickAsync(), answer => answer.Request.Method == "POST",
            new() { Timeout = Patience });
        return stored.Status == 200 ? length : throw new InvalidOperationException($"The report was answered with {stored.Status}");
    }

    /// <summary>Opens the images again, loads the report from the panel beside them, and waits for its measured length.</summary>
    public async Task OpenReportAsync(Series images, string title, string length)
    {
        await OpenAsync(images);
        await OpenFromPanelAsync(title);
        await AwaitAsync("the measured length " + length, async () =>
        {
            await PressAsync("Yes");
            return await FindLengthAsync() == length;
        });
    }

    private Task GotoAsync(Series series) => _page.GotoAsync(
        $"{_site}/viewer?StudyInstanceUIDs={series.Study.Uid}&initialSeriesInstanceUID={series.Uid}",
        new() { WaitUntil = WaitUntilState.Commit });

    private Task OpenFromPanelAsync(string description) =>
        _page.GetByText(description, new() { Exact = true }).First.DblClickAsync(new() { Timeout = Patience });

    private Task AwaitRedAsync(double from, double to) => AwaitAsync($"{from:P0} to {to:P0} of the picture in red", async () =>
    {
        try
        {
            return (await CaptureAsync()).Screen.GetRedShare() is var share && share >= from && share <= to;
        }
        catch (PlaywrightException e) when (e.Message.Contains("not attached", StringComparison.Ordinal))
        {
            // The viewer has just rebuilt its viewports.
            return false;
        }
    });

    /// <summary>Presses a button if the page shows it.</summary>
    private async Task PressAsync(string text)
    {
        var button = _page.GetByText(text, new() { Exact = true }).First;
        try
        {
            if (await button.IsVisibleAsync())
                await button.ClickAsync(new() { Timeout = 2_000 });
        }
        catch (Exception e) when (e is TimeoutException or PlaywrightException)
        {
            // The viewer has just removed the button or moved it; the caller looks again.
        }
    }

    /// <summary>The label of a length on the picture, or null.</summary>
    private async Task<string?> FindLengthAsync() =>
        (await _page.Locator("svg.svg-layer text").AllTextContentsAsync()).FirstOrDefault(label => Length().IsMatch(label));

    [GeneratedRegex(@"^\d+(\.\d+)? mm$")]
    private static partial Regex Length();
}
