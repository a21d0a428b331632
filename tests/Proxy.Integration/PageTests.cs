using System.Collections.Concurrent;
using Microsoft.Playwright;
using Xunit;

namespace Proxy.Integration;

/// <summary>The operator's page in a browser: its content and its requests to the proxy.</summary>
public sealed class PageTests : IAsyncLifetime
{
    private const string Progress =
        """{"job":{"id":"1","why":"asked","state":"running","studies":{"done":1,"total":2},"frames":{"done":3,"total":4}}}""";

    private readonly ConcurrentQueue<string> _asked = [];
    private Chromium _chromium = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Real.RequireChromium();
        _chromium = await Chromium.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_chromium is not null)
            await _chromium.DisposeAsync();
    }

    [Fact]
    public async Task RequestsNoStudyListAndTheJobsOnceASecond()
    {
        await using var proxy = await ProxyProcess.StartAsync(["demo"], Cancel);
        var page = await _chromium.OpenPageAsync();
        // The page's clock stands still while a hundred events arrive at once.
        var now = new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        await page.Clock.InstallAsync(new() { TimeDate = now });
        await page.Clock.PauseAtAsync(now.AddSeconds(1));
        var events = string.Concat(Enumerable.Range(1, 100).Select(n => $"id: x-{n}\nevent: PREFETCH_PROGRESS\ndata: {Progress}\n\n"));
        await page.RouteAsync("**/events", route => route.FulfillAsync(new() { ContentType = "text/event-stream", Body = events }));
        page.Request += (_, request) => _asked.Enqueue(new Uri(request.Url).PathAndQuery);

        await page.GotoAsync(proxy.Root + "/", new() { WaitUntil = WaitUntilState.Commit });
        await page.Locator("#backends tr").Nth(1).WaitForAsync();
        await page.Locator("#events tr").Nth(19).WaitForAsync();

        Assert.Equal(1, Jobs);
        await page.Clock.RunForAsync(1000);
        await Until.PassesAsync(() => { Assert.Equal(2, Jobs); return Task.CompletedTask; }, Cancel);
        Assert.DoesNotContain(_asked, path => path.StartsWith("/backends/", StringComparison.Ordinal));
        var numbers = await page.Locator("#backends tr td:nth-child(4)").AllInnerTextsAsync();
        Assert.All(numbers, number => Assert.InRange(int.Parse(number, null), 1, 10));
        Assert.Contains(
            "asked running: 1 of 2 studies, 3 of 4 frames", await page.Locator("#events").InnerTextAsync(), StringComparison.Ordinal);
    }

    private int Jobs => _asked.Count(path => path == "/prefetch");
}
