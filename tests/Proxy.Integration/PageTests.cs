using System.Collections.Concurrent;
using System.Text.Json;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using Xunit;

namespace Proxy.Integration;

/// <summary>The operator's page in a browser: what it shows, what it does, and its requests to the proxy.</summary>
public sealed class PageTests(DemoSite site) : IClassFixture<DemoSite>, IAsyncDisposable
{
    private const string Progress = """
        {"job":{"id":"1","why":"asked","state":"running","studies":{"done":1,"total":2},"instances":{"done":0,"total":0},
        "series":{"done":0,"total":0},"frames":{"done":3,"total":4},"bytes":{"done":0,"total":0}}}
        """;

    private static readonly string[] Sections = ["overview", "traffic", "studies", "prefetch", "warnings", "cache", "settings"];

    private readonly ConcurrentQueue<string> _asked = [];
    private readonly ConcurrentQueue<string> _errors = [];
    private IPage? _page;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private int Jobs => _asked.Count(path => path == "/prefetch");

    public async ValueTask DisposeAsync()
    {
        if (_page is not null)
            await _page.CloseAsync();
    }

    [Fact]
    public async Task ShowsEverySectionWithoutAnError_AlsoIn320Pixels()
    {
        var page = await OpenAsync(null, new() { ViewportSize = new() { Width = 320, Height = 640 } });
        foreach (var section in Sections)
        {
            await page.GotoAsync($"{site.Proxy.Root}/#{section}");
            await page.Locator("h1", new() { HasTextString = section }).WaitForAsync();
            await Assertions.Expect(page.Locator(".waiting")).ToHaveCountAsync(0);
            Assert.Equal(320, await page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
            Assert.Equal(0, await page.Locator("[role=alert]").CountAsync());
        }

        Assert.Empty(_errors);
    }

    [Fact]
    public async Task ShowsBothPacs_AndTheStateInWords()
    {
        await site.Proxy.Http.GetStringAsync(new Uri(site.Proxy.Dicomweb + "/studies"), Cancel);

        var page = await OpenAsync("/");

        await page.Locator("#backends article").Nth(1).WaitForAsync();
        Assert.Equal(["east", "west"], await page.Locator("#backends h2").AllInnerTextsAsync());
        await page.GetByText("2 of 2 PACS answer.").WaitForAsync();
        Assert.Matches("Answering since [0-9][0-9]:[0-9][0-9]", await page.Locator("#backends article").First.InnerTextAsync());
    }

    [Fact]
    public async Task RequestsNoStudyListAndTheJobsOnceASecond()
    {
        var page = await OpenAsync(null);
        // The page's clock stands still while a hundred events arrive at once.
        var now = new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        await page.Clock.InstallAsync(new() { TimeDate = now });
        await page.Clock.PauseAtAsync(now.AddSeconds(1));
        var data = Progress.ReplaceLineEndings("");
        var events = string.Concat(Enumerable.Range(1, 100).Select(n => $"id: x-{n}\nevent: PREFETCH_PROGRESS\ndata: {data}\n\n"));
        await page.RouteAsync("**/events", route => route.FulfillAsync(new() { ContentType = "text/event-stream", Body = events }));

        await page.GotoAsync(site.Proxy.Root + "/", new() { WaitUntil = WaitUntilState.Commit });
        // The page draws and requests by the clock, too.
        var passed = 0;
        await Until.PassesAsync(
            async () =>
            {
                await page.Clock.RunForAsync(20);
                passed += 20;
                Assert.Equal(2, await page.Locator("#backends article").CountAsync());
                Assert.NotEqual(0, Jobs);
            }, Cancel);

        var before = Jobs;
        Assert.InRange(before, 1, 1 + passed / 1000);
        await page.Clock.RunForAsync(1000);
        await Until.PassesAsync(() => { Assert.Equal(before + 1, Jobs); return Task.CompletedTask; }, Cancel);
        Assert.DoesNotContain(_asked, path => path.Contains("/dicomweb/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AStudyAppearsLive_WhenAClientFindsIt()
    {
        var study = await FindStudyAsync("E25-0702");
        await site.Proxy.Http.DeleteAsync(new Uri($"{site.Proxy.Root}/cache/studies/{study}"), Cancel);
        var page = await OpenAsync(null);
        // The first list lacks the study, as if it had arrived in the PACS a moment later.
        var isFirst = true;
        await page.RouteAsync("**/dicomweb/studies?*", async route =>
        {
            if (!isFirst) { await route.FallbackAsync(); return; }
            isFirst = false;
            var answer = await route.FetchAsync();
            var rows = JsonDocument.Parse(await answer.BodyAsync()).RootElement.EnumerateArray()
                .Where(row => !row.GetRawText().Contains(study, StringComparison.Ordinal));
            await route.FulfillAsync(new() { Response = answer, Body = JsonSerializer.Serialize(rows) });
        });
        await page.GotoAsync(site.Proxy.Root + "/#studies");
        await page.Locator("#studies .study").First.WaitForAsync();
        var before = await page.Locator("#studies .study").CountAsync();

        await site.Proxy.Http.GetStringAsync(new Uri($"{site.Proxy.Dicomweb}/studies/{study}/series"), Cancel);

        await page.Locator("#studies .study", new() { HasText = "New" }).WaitForAsync();
        Assert.Equal(before + 1, await page.Locator("#studies .study").CountAsync());
    }

    [Fact]
    public async Task FindsAStudyByItsAccession_PrefetchesAndPurgesIt()
    {
        var study = await FindStudyAsync("E25-1001");
        var page = await OpenAsync("/#studies");
        await page.GetByRole(AriaRole.Searchbox).FillAsync("E25-1001");
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Locator("#studies .study")).ToHaveCountAsync(1);
        await page.Locator("#studies button.row").ClickAsync();

        await page.GetByRole(AriaRole.Button, new() { Name = "Prefetch" }).ClickAsync();
        await page.EvaluateAsync("""
            () => { window.seen = new Set(); new MutationObserver(() => {
              for (const bar of document.querySelectorAll('#jobs .bar')) window.seen.add(bar.getAttribute('aria-valuenow'));
            }).observe(document, { subtree: true, childList: true, attributes: true }); }
            """);
        await page.GetByRole(AriaRole.Link, new() { Name = "See the job" }).ClickAsync();
        var job = page.Locator("#jobs .job", new() { HasText = "Asked for" }).First;
        await job.GetByText("Done", new() { Exact = true }).WaitForAsync();
        Assert.Equal("100", await job.GetByRole(AriaRole.Progressbar).GetAttributeAsync("aria-valuenow"));
        Assert.True(await page.EvaluateAsync<int>("window.seen.size") > 0);

        await page.GotoAsync($"{site.Proxy.Root}/#studies?q={study}");
        await page.Locator("#studies .cached", new() { HasText = "%" }).WaitForAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Purge…" }).ClickAsync();
        var dialog = page.GetByRole(AriaRole.Dialog);
        Assert.Matches("Müller-Lüdenscheidt.*CT Chest.*entries in memory", (await dialog.InnerTextAsync()).ReplaceLineEndings(" "));
        await page.Keyboard.PressAsync("Escape");
        await dialog.WaitForAsync(new() { State = WaitForSelectorState.Hidden });
        Assert.Equal("Purge…", await page.EvaluateAsync<string>("document.activeElement.textContent"));
        Assert.Contains(study, await site.Proxy.Http.GetStringAsync(CacheOf(study), Cancel), StringComparison.Ordinal);

        await page.Keyboard.PressAsync("Enter");
        await page.GetByRole(AriaRole.Button, new() { Name = "Purge the study" }).ClickAsync();
        await page.GetByText("Purged from the cache.").WaitForAsync();
        Assert.DoesNotContain("\"entries\":6", await site.Proxy.Http.GetStringAsync(CacheOf(study), Cancel), StringComparison.Ordinal);
        Assert.Empty(_errors);
    }

    [Fact]
    public async Task AKilledPacsTurnsItsCard()
    {
        var relay = new CountingRelay(new Uri(site.Proxy.Root).Port);
        await using var front = await ProxyProcess.StartAsync(
            [.. ProxyProcess.Backend("east", site.Proxy.Root + "/backends/east/dicomweb"),
                .. ProxyProcess.Backend("west", $"http://127.0.0.1:{relay.Port}/backends/west/dicomweb")], Cancel);
        var page = await OpenAsync(null);
        await page.GotoAsync(front.Root + "/");
        var card = page.Locator("#backends article", new() { HasText = "west" });
        await card.GetByText("Answering", new() { Exact = true }).WaitForAsync();

        await relay.DisposeAsync();

        await card.GetByText("Not answering", new() { Exact = true }).WaitForAsync();
        Assert.Matches("Not answering since [0-9:]+: no connection", await card.InnerTextAsync());
        await page.GetByText("west is not answering.").WaitForAsync();
    }

    [Fact]
    public async Task CancelsAndRetriesAJob_WhoseBarMoves()
    {
        var (state, done) = ("running", 10);
        var page = await OpenAsync(null);
        await page.RouteAsync("**/prefetch", route =>
        {
            if (route.Request.Method == "POST") (state, done) = ("queued", 0);
            return route.FulfillAsync(new() { ContentType = "application/json", Body = $"[{Job(state, done)}]" });
        });
        await page.RouteAsync("**/prefetch/7", route =>
        {
            if (state == "running") state = "cancelled";
            return route.FulfillAsync(new() { Status = 204 });
        });

        await page.GotoAsync(site.Proxy.Root + "/#prefetch");
        var bar = page.Locator("#jobs").GetByRole(AriaRole.Progressbar);
        await Assertions.Expect(bar).ToHaveAttributeAsync("aria-valuenow", "10");
        await page.GetByText("10 of 100 frames").WaitForAsync();
        done = 60;
        await Assertions.Expect(bar).ToHaveAttributeAsync("aria-valuenow", "60", new() { Timeout = 10_000 });
        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();
        await page.Locator("#jobs").GetByText("Cancelled", new() { Exact = true }).WaitForAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Retry" }).ClickAsync();
        await page.Locator("#jobs").GetByText("Waiting", new() { Exact = true }).WaitForAsync();

        static string Job(string state, int done) => $$"""
            {"id":"7","why":"priors","state":"{{state}}","waiting":null,"reason":null,"studies":{"done":0,"total":1},
            "series":{"done":0,"total":2},"instances":{"done":{{done}},"total":100},"frames":{"done":{{done}},"total":100},
            "bytes":{"done":{{done}},"total":0},"cached":0,"bytesPerSecond":0,"root":"","StudyInstanceUIDs":["1.2.3"],
            "created":"2026-01-01T00:00:00Z","started":null,"ended":null,"errors":[]}
            """;
    }

    [Fact]
    public async Task ShowsAHostileNameAsText()
    {
        const string name = "<img src=x onerror=alert(1)>^</title><script>alert(2)</script>";
        var page = await OpenAsync(null);
        var row = new Dictionary<string, object>
        {
            ["0020000D"] = new { vr = "UI", Value = new[] { "1.2.3" } },
            ["00100010"] = new { vr = "PN", Value = new[] { new { Alphabetic = name } } },
            ["00081030"] = new { vr = "LO", Value = new[] { "<b>bold</b>" } },
        };
        await page.RouteAsync("**/dicomweb/studies?*", route => route.FulfillAsync(new()
        {
            ContentType = "application/dicom+json",
            Headers = new Dictionary<string, string> { ["Warning"] = "299 Proxy \"<i>west</i> did not answer\"" },
            Body = JsonSerializer.Serialize(new[] { row }),
        }));

        await page.GotoAsync(site.Proxy.Root + "/#studies");

        var shown = page.Locator("#studies button.row");
        await shown.ClickAsync();
        Assert.StartsWith("<img src=x onerror=alert(1)>, </title><script>", await shown.InnerTextAsync(), StringComparison.Ordinal);
        Assert.Contains("<i>west</i> did not answer", await page.Locator(".notice").First.InnerTextAsync(), StringComparison.Ordinal);
        await page.GetByRole(AriaRole.Button, new() { Name = "Purge…" }).ClickAsync();
        Assert.Equal(0, await page.Locator("main img, main script, main i.x, #studies .row b b, .notice i, dialog img").CountAsync());
    }

    [Theory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task AxeFindsNothingSerious(ColorScheme scheme)
    {
        var page = await OpenAsync(null, new() { BypassCSP = true, ColorScheme = scheme, ReducedMotion = ReducedMotion.Reduce });
        foreach (var section in Sections)
        {
            await page.GotoAsync($"{site.Proxy.Root}/#{section}");
            await page.Locator("h1", new() { HasTextString = section }).WaitForAsync();
            await Assertions.Expect(page.Locator(".waiting")).ToHaveCountAsync(0);
            if (section == "studies")
                await page.Locator("#studies button.row").First.ClickAsync();
            if (section == "cache")
                await page.GetByRole(AriaRole.Button, new() { Name = "Purge all…" }).ClickAsync();
            var found = await page.RunAxe();
            var serious = found.Violations.Where(violation => violation.Impact is "serious" or "critical");
            Assert.Empty(serious.Select(violation => $"{section}: {violation.Id}: {violation.Nodes[0].Html}"));
            if (section == "cache")
                await page.Keyboard.PressAsync("Escape");
        }
    }

    [Fact]
    public async Task IsUsedByKeysAlone()
    {
        var page = await OpenAsync("/");
        await page.Locator("#backends article").Nth(1).WaitForAsync();

        await page.Keyboard.PressAsync("Tab");
        Assert.Equal("Skip to the content", await FocusAsync());
        await page.Keyboard.PressAsync("Enter");
        Assert.Equal("Overview", await FocusAsync());
        await page.EvaluateAsync("document.querySelector('nav a').focus()");
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.PressAsync("Tab");
        Assert.Equal("Studies", await FocusAsync());
        Assert.NotEqual("none", await page.EvaluateAsync<string>("getComputedStyle(document.activeElement).outlineStyle"));
        await page.Keyboard.PressAsync("Enter");
        await page.Locator("#studies button.row").First.WaitForAsync();
        await page.GetByRole(AriaRole.Searchbox).FocusAsync();
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.PressAsync("Tab");
        Assert.Equal("Search", await FocusAsync());
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.PressAsync("Enter");
        await page.GetByRole(AriaRole.Link, new() { Name = "Quick look" }).WaitForAsync();
        Assert.Equal("true", await page.EvaluateAsync<string>("document.activeElement.getAttribute('aria-expanded')"));

        Task<string> FocusAsync() => page.EvaluateAsync<string>("document.activeElement.textContent.trim()");
    }

    [Fact]
    public async Task KeepsTheChosenTheme()
    {
        var page = await OpenAsync("/", new() { ColorScheme = ColorScheme.Light });
        var light = await GroundAsync();

        await page.Locator(".theme select").SelectOptionAsync("dark");

        var dark = await GroundAsync();
        Assert.NotEqual(light, dark);
        await page.ReloadAsync();
        Assert.Equal(dark, await GroundAsync());

        Task<string> GroundAsync() => page.EvaluateAsync<string>("getComputedStyle(document.body).backgroundColor");
    }

    private Uri CacheOf(string study) => new($"{site.Proxy.Root}/cache/studies?StudyInstanceUID={study}");

    private async Task<IPage> OpenAsync(string? path, BrowserNewPageOptions? options = null)
    {
        var page = _page = await site.Chromium.OpenPageAsync(options);
        page.Request += (_, request) => _asked.Enqueue(new Uri(request.Url).PathAndQuery);
        page.PageError += (_, error) => _errors.Enqueue(error);
        page.Console += (_, message) => { if (message.Type is "error" or "warning") _errors.Enqueue(message.Text); };
        if (path is not null)
            await page.GotoAsync(site.Proxy.Root + path);
        return page;
    }

    private async Task<string> FindStudyAsync(string accession)
    {
        var rows = await site.Proxy.Http.GetStringAsync(new Uri($"{site.Proxy.Dicomweb}/studies?AccessionNumber={accession}"), Cancel);
        return JsonDocument.Parse(rows).RootElement[0].GetProperty("0020000D").GetProperty("Value")[0].GetString()!;
    }
}
