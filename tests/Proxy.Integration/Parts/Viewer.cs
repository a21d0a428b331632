using System.Collections.Concurrent;
using Microsoft.Playwright;

namespace Proxy.Integration;

/// <summary>A user with OHIF: a browser without state, and its requests.</summary>
public sealed partial class Viewer : IAsyncDisposable
{
    private const string Picture = ".cornerstone-canvas";
    private const float Patience = 90_000;
    private readonly IBrowserContext _context;
    private readonly IPage _page;
    private readonly string _site;
    private readonly ConcurrentQueue<IRequest> _finished = [];
    private readonly ConcurrentQueue<string> _errors = [];
    private readonly ConcurrentQueue<(string Url, string CacheStatus)> _answers = [];

    private Viewer(IBrowserContext context, IPage page, string site)
    {
        (_context, _page, _site) = (context, page, site);
        _page.RequestFinished += (_, request) => _finished.Enqueue(request);
        _page.RequestFailed += (_, request) => _errors.Enqueue($"{request.Failure} {request.Url}");
        _page.Response += (_, answer) =>
        {
            _answers.Enqueue((answer.Url, answer.Headers.GetValueOrDefault("cache-status", "")));
            if (answer.Status >= 400)
                _errors.Enqueue($"{answer.Status} {answer.Url}");
        };
        _page.Console += (_, message) =>
        {
            if (message.Type == "error")
                _errors.Enqueue(message.Text);
        };
    }

    /// <summary>Errors in the browser, for the message of a failed test.</summary>
    public string Errors => string.Join('\n', _errors);

    /// <summary>The DICOMweb addresses with a complete answer.</summary>
    public IEnumerable<string> Asked =>
        _finished.Select(request => request.Url).Where(url => url.Contains("/studies", StringComparison.Ordinal));

    /// <summary>Every answer with its Cache-Status.</summary>
    public IEnumerable<(string Url, string CacheStatus)> Answers => _answers;

    public static async Task<Viewer> OpenAsync(IBrowser browser, string root)
    {
        var context = await browser.NewContextAsync(new() { ViewportSize = new() { Width = 1400, Height = 900 } });
        // The tour of the first visit covers the picture and captures the wheel.
        await context.AddInitScriptAsync("localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour']))");
        return new Viewer(context, await context.NewPageAsync(), root);
    }

    /// <summary>Opens the work list and waits until it shows <paramref name="patient"/>.</summary>
    public async Task OpenWorkListAsync(string patient)
    {
        await _page.GotoAsync(_site + "/", new() { WaitUntil = WaitUntilState.Commit });
        await _page.GetByText(patient).First.WaitForAsync(new() { Timeout = Patience });
    }

    /// <summary>Opens a series, and waits for its picture and for each of its frames.</summary>
    /// <returns>The time to the picture, accurate to a few tenths of a second.</returns>
    public async Task<TimeSpan> OpenAsync(Series series)
    {
        var started = TimeProvider.System.GetTimestamp();
        await GotoAsync(series);
        await AwaitAsync("a picture", ShowsAPictureAsync);
        var elapsed = TimeProvider.System.GetElapsedTime(started);
        await AwaitAsync($"{series.Count} frames", () => Task.FromResult(GetFrames(series) >= series.Count));
        return elapsed;
    }

    /// <summary>Opens a document study, and waits until <paramref name="url"/> is loaded.</summary>
    public async Task OpenDocumentAsync(Study study, string url)
    {
        await _page.GotoAsync($"{_site}/viewer?StudyInstanceUIDs={study.Uid}", new() { WaitUntil = WaitUntilState.Commit });
        await AwaitAsync($"the document {url}", () => Task.FromResult(Asked.Contains(url)));
    }

    /// <summary>The text of the page.</summary>
    public Task<string> ReadAsync() => _page.Locator("body").InnerTextAsync();

    /// <summary>Turns the wheel over the picture until it shows <paramref name="number"/>.</summary>
    public async Task ScrollToAsync(int number)
    {
        var box = await _page.Locator(Picture).First.BoundingBoxAsync() ?? throw new InvalidOperationException("No viewport");
        await _page.Mouse.MoveAsync(box.X + (box.Width / 2), box.Y + (box.Height / 2));
        await AwaitAsync($"picture {number}", async () =>
        {
            var now = (await CaptureAsync()).Number;
            if (now < number)
                await _page.Mouse.WheelAsync(0, 100);
            return now == number;
        });
    }

    public async Task<ViewerPicture> CaptureAsync() =>
        new(Screenshot.Read(await _page.Locator(Picture).First.ScreenshotAsync(new() { Timeout = Patience })));

    public Task SaveAsync(string path) => _page.ScreenshotAsync(new() { Path = path });

    public async ValueTask DisposeAsync() => await _context.DisposeAsync();

    private async Task<bool> ShowsAPictureAsync()
    {
        // OHIF covers the picture with a notice of investigational use until the user confirms it.
        await PressAsync("Confirm and hide");
        try
        {
            return (await CaptureAsync()).Number is not null;
        }
        catch (PlaywrightException e) when (e.Message.Contains("not attached", StringComparison.Ordinal))
        {
            // The viewer has just rebuilt its viewports.
            return false;
        }
    }

    private int GetFrames(Series series) =>
        Asked.Where(url => url.Contains(
            $"{series.Path}/instances/", StringComparison.Ordinal) && url.Contains("/frames/", StringComparison.Ordinal))
            .Distinct().Count();

    private async Task AwaitAsync(string what, Func<Task<bool>> isThere)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(Patience));
        while (!await isThere())
        {
            if (patience.IsCancellationRequested)
                throw new TimeoutException(
                    $"Timed out waiting for {what}. Errors:\n{Errors}\nRequests:\n{string.Join('\n', Asked)}");
            await _page.WaitForTimeoutAsync(100);
        }
    }
}
