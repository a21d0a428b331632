using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Playwright;
using Xunit;

namespace Proxy.Integration;

/// <summary>The quick look at pictures in a browser, on the studies of the demo. The test answers each picture with a bitmap.</summary>
public sealed class QuickLookTests(DemoSite site) : IClassFixture<DemoSite>, IAsyncDisposable
{
    private const byte Stored = 90, Windowed = 180;

    private readonly ConcurrentQueue<string> _asked = [];
    private readonly ConcurrentQueue<string> _errors = [];
    private IPage? _page;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        if (_page is not null)
            await _page.CloseAsync();
    }

    [Fact]
    public async Task OpensFromThePage_AndScrollsThroughAStack()
    {
        var page = await OpenAsync("/#studies");
        await page.Locator("#studies button", new() { HasText = "2025-09-18" }).ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Quick look" }).ClickAsync();
        await SeeAsync(page, "1 / 1");
        Assert.Equal(2, await page.Locator("#series button").CountAsync());
        await page.WaitForFunctionAsync(
            "[...document.querySelectorAll('.thumb img')].filter(image => image.naturalWidth > 0).length === 2");
        Assert.Contains("Müller-Lüdenscheidt, Jürgen", await page.Locator("#title").InnerTextAsync(), StringComparison.Ordinal);
        Assert.Equal(Stored, await ReadGreyAsync(page));

        foreach (var (key, number) in new[]
        {
            ("]", "1 / 60"), ("ArrowDown", "2 / 60"), ("PageDown", "12 / 60"), ("ArrowLeft", "11 / 60"), ("End", "60 / 60"),
            ("ArrowRight", "60 / 60"), ("PageUp", "50 / 60"), ("Home", "1 / 60"),
        })
        {
            await page.Keyboard.PressAsync(key);
            await SeeAsync(page, number);
        }

        await page.Locator("#stage").HoverAsync();
        await page.Mouse.WheelAsync(0, 100);
        await SeeAsync(page, "2 / 60");
        await page.Locator("#slider").FillAsync("30");
        await SeeAsync(page, "30 / 60");
        Assert.Equal("30 of 60", await page.Locator("#slider").GetAttributeAsync("aria-valuetext"));
        await SeeAsync(page, "from east", "#o-backend");
        Assert.Empty(_errors);
    }

    [Fact]
    public async Task ShowsThePicturesThatTheProxyRenders()
    {
        var page = await OpenAsync(null);
        await page.UnrouteAllAsync();

        await page.GotoAsync($"{site.Proxy.Root}/look?study={await FindStudyAsync("E25-1001")}");
        await page.Locator("#canvas").WaitForAsync();
        await page.Locator(".thumb img").First.WaitForAsync();

        Assert.Equal("512 true", await page.EvaluateAsync<string>("""
            () => { const canvas = document.getElementById('canvas');
              const grey = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.filter((_, n) => n % 4 === 0);
              return `${canvas.width} ${grey.some(value => value > 200) && grey.some(value => value < 50)}`; }
            """));
        Assert.Empty(_errors);
    }

    [Fact]
    public async Task ChangesTheWindow_ByADragAndByKeys()
    {
        var page = await OpenAsync("/look?study=" + await FindStudyAsync("E25-1001"));
        await SeeAsync(page, "1 / 1");
        var window = page.Locator("#o-window");
        Assert.Equal("W 2600 C 650", await window.TextContentAsync());
        Assert.DoesNotContain(_asked, path => path.Contains("window=", StringComparison.Ordinal));

        await page.Keyboard.PressAsync("2");
        await SeeAsync(page, "W 1500 C -600", "#o-window");
        Assert.Contains(_asked, path => path.Contains("window=-600,1500,linear", StringComparison.Ordinal));
        Assert.Equal(Windowed, await ReadGreyAsync(page));
        await page.Keyboard.PressAsync("r");
        await SeeAsync(page, "W 2600 C 650", "#o-window");

        var box = (await page.Locator("#stage").BoundingBoxAsync())!;
        var (x, y) = (box.X + (box.Width / 2), box.Y + (box.Height / 2));
        await page.Mouse.MoveAsync(x, y);
        await page.Mouse.DownAsync();
        await page.Mouse.MoveAsync(x + 256, y, new() { Steps = 4 });
        await page.Mouse.MoveAsync(x + 256, y - 64, new() { Steps = 4 });
        await page.Mouse.UpAsync();
        await SeeAsync(page, "W 5200 C 0", "#o-window");
        Assert.Equal("By hand", await page.Locator("#preset option:checked").TextContentAsync());
        Assert.Contains(_asked, path => path.Contains("window=0,5200,linear", StringComparison.Ordinal));

        await page.Keyboard.PressAsync("i");
        Assert.Contains("invert", await page.Locator("#canvas").GetAttributeAsync("style"), StringComparison.Ordinal);
        Assert.Equal("true", await page.Locator("#invert").GetAttributeAsync("aria-pressed"));
        Assert.Empty(_errors);
    }

    [Fact]
    public async Task PlaysTheFramesOfACine_WithoutAWindow()
    {
        var page = await OpenAsync("/look?study=" + await FindStudyAsync("E23-0415"));
        await SeeAsync(page, "1 / ", isStart: true);
        Assert.Equal("30", await page.Locator("#rate").InputValueAsync());
        Assert.True(await page.Locator("#preset").IsDisabledAsync());

        await page.Keyboard.PressAsync("Space");

        await SeeAsync(page, "4 / ", isStart: true);
        await page.Keyboard.PressAsync("Space");
        Assert.Equal("Play", await page.Locator("#play").TextContentAsync());
        Assert.Contains(_asked, path => path.Contains("/frames/4/rendered", StringComparison.Ordinal));
        Assert.Empty(_errors);
    }

    [Fact]
    public async Task ShowsAHostileNameAsText()
    {
        const string name = "<img src=x onerror=alert(1)>^</title><script>alert(2)</script>";
        var study = await FindStudyAsync("E25-1001");
        var page = await OpenAsync(null);
        var row = new Dictionary<string, object>
        {
            ["0020000D"] = new { vr = "UI", Value = new[] { study } },
            ["00100010"] = new { vr = "PN", Value = new[] { new { Alphabetic = name } } },
            ["00081030"] = new { vr = "LO", Value = new[] { "<b>bold</b>" } },
        };
        await page.RouteAsync("**/dicomweb/studies?*", route =>
            route.FulfillAsync(new() { ContentType = "application/dicom+json", Body = JsonSerializer.Serialize(new[] { row }) }));

        await page.GotoAsync($"{site.Proxy.Root}/look?study={study}");

        await SeeAsync(page, "1 / 1");
        var title = await page.Locator("#title").InnerTextAsync();
        Assert.StartsWith("<img src=x onerror=alert(1)>, </title><script>", title, StringComparison.Ordinal);
        Assert.Equal(0, await page.Locator("header img, header b, #stage img, #stage script").CountAsync());
        Assert.Empty(_errors);
    }

    [Fact]
    public async Task SaysWhyAPictureIsMissing_AndTriesAgain()
    {
        var page = await OpenAsync(null);
        var isDown = true;
        const string problem = """{"detail":"east is down <b>now</b>."}""";
        await page.RouteAsync("**/rendered?*", route => isDown
            ? route.FulfillAsync(new() { Status = 503, ContentType = "application/problem+json", Body = problem })
            : route.FallbackAsync());

        await page.GotoAsync($"{site.Proxy.Root}/look?study={await FindStudyAsync("E25-1001")}");
        await SeeAsync(page, "Picture 1 cannot be shown", "#message-title");
        Assert.Equal("east is down <b>now</b>.", await page.Locator("#message-detail").TextContentAsync());
        isDown = false;
        await page.Locator("#retry").ClickAsync();

        await page.Locator("#canvas").WaitForAsync();
        Assert.Equal(Stored, await ReadGreyAsync(page));
        Assert.True(await page.Locator("#message").IsHiddenAsync());
    }

    [Theory]
    [InlineData("", "No study is named")]
    [InlineData("?study=../../cache", "No study is named")]
    [InlineData("?study=1.2.3", "No such study")]
    public async Task SaysThatThereIsNoStudy(string query, string title)
    {
        var page = await OpenAsync("/look" + query);

        await SeeAsync(page, title, "#message-title");
        Assert.True(await page.Locator("#tools").IsHiddenAsync());
    }

    [Fact]
    public async Task FitsANarrowWindow_AndIsUsedByKeysAlone()
    {
        var page = await OpenAsync(null);
        await page.SetViewportSizeAsync(320, 568);
        await page.GotoAsync($"{site.Proxy.Root}/look?study={await FindStudyAsync("E25-0702")}");
        await SeeAsync(page, "1 / 20");

        Assert.Equal(320, await page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
        Assert.Equal(568, await page.EvaluateAsync<int>("document.documentElement.scrollHeight"));
        Assert.InRange((await page.Locator("#stage").BoundingBoxAsync())!.Height, 200, 400);
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.PressAsync("Enter");
        await page.Locator("#series button[aria-current=true] .name", new() { HasText = "T2 axial" }).WaitForAsync();
    }

    [Fact]
    public async Task OrdersAndCalculates()
    {
        var page = await OpenAsync("/look");

        Assert.Equal("a1 a2 b c d", await page.EvaluateAsync<string>("""
            async () => {
              const { order } = await import('/look/any/model.js');
              const instance = (uid, number, z) => ({ '00080018': { Value: [uid] }, '00200013': { Value: number === null ? [] : [number] },
                '00200032': { Value: [0, 0, z] }, '00200037': { Value: [1, 0, 0, 0, 1, 0] } });
              const a = [instance('a2', 1, 20), instance('c', 10, 0), instance('a1', 1, 10)];
              return order([instance('d', null, 2), instance('b', 2, 0), ...a]).map(one => one['00080018'].Value[0]).join(' ');
            }
            """));
        Assert.Equal("40/800 140/400 1.5/2", await page.EvaluateAsync<string>("""
            async () => {
              const { dragWindow } = await import('/look/any/window.js');
              const start = { center: 40, width: 400 };
              return [dragWindow(start, 256, 0), dragWindow(start, 0, 64), dragWindow({ center: 1, width: 2 }, 0, 64)]
                .map(window => `${window.center}/${window.width}`).join(' ');
            }
            """));
        Assert.Equal("5 6 7 4 | 2 1 0 3 | 1 2 0", await page.EvaluateAsync<string>("""
            async () => {
              const { readAhead } = await import('/look/any/window.js');
              return [readAhead(5, 1, 99, { ahead: 2, behind: 1 }), readAhead(2, -1, 4, { ahead: 9, behind: 9 }),
                readAhead(1, 1, 3, { ahead: 2, behind: 0, isLoop: true })].map(order => order.join(' ')).join(' | ');
            }
            """));
        Assert.Equal("1 -1 0 1", await page.EvaluateAsync<string>("""
            async () => {
              const { wheelSteps } = await import('/look/any/window.js');
              const pad = wheelSteps(0, { deltaMode: 0, deltaY: 20 });
              return [wheelSteps(0, { deltaMode: 0, deltaY: 100 }).steps, wheelSteps(0, { deltaMode: 1, deltaY: -3 }).steps, pad.steps,
                wheelSteps(pad.rest, { deltaMode: 0, deltaY: 20 }).steps].join(' ');
            }
            """));
    }

    [Fact]
    public async Task LoadsAFewPicturesAtOnce_AndCancelsWhatNobodyWants()
    {
        var page = await OpenAsync("/look");

        var log = await page.EvaluateAsync<string>("""
            async () => {
              const { PictureLoader } = await import('/look/any/loader.js');
              const log = [], open = new Map();
              const read = (address, signal) => new Promise((done, fail) => {
                log.push('+' + address);
                open.set(address, done);
                signal.onabort = () => { log.push('-' + address); fail(new Error('aborted')); };
              });
              const settled = [];
              const loader = new PictureLoader({ read, done: address => settled.push(address), maxRequests: 2, maxBytes: 8 });
              const picture = name => ({ width: 1, height: 1, close: () => log.push('closed ' + name) });
              const finish = async name => { open.get(name)(picture(name)); await new Promise(go => setTimeout(go)); };
              loader.want(['a', 'b', 'c']);
              await finish('a');
              loader.want(['c', 'd']);
              await finish('c');
              await finish('d');
              await finish('b');
              return [...log, 'settled', ...settled, loader.find('a') ? 'a is kept' : 'a is gone', loader.isDone('d')].join(', ');
            }
            """);

        Assert.Equal("+a, +b, +c, -b, +d, closed a, settled, a, c, d, a is gone, true", log);
    }

    /// <summary>Waits until an element says this.</summary>
    private static Task SeeAsync(IPage page, string text, string selector = "#o-number", bool isStart = false) =>
        page.WaitForFunctionAsync(
            "([selector, text, isStart]) => isStart ? document.querySelector(selector)?.textContent.startsWith(text)"
            + " : document.querySelector(selector)?.textContent === text",
            new object[] { selector, text, isStart });

    /// <summary>The grey in the middle of the picture that is drawn.</summary>
    private static Task<int> ReadGreyAsync(IPage page) => page.EvaluateAsync<int>("""
        () => { const canvas = document.getElementById('canvas');
          return canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data[0]; }
        """);

    /// <summary>A 24-bit bitmap of one grey, 4 by 4.</summary>
    private static byte[] Bitmap(byte grey) =>
    [
        .. "BM"u8, 102, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1, 0, 24, 0, .. new byte[24],
        .. Enumerable.Repeat(grey, 48),
    ];

    private async Task<IPage> OpenAsync(string? path)
    {
        var page = _page = await site.Chromium.OpenPageAsync();
        page.Request += (_, request) => _asked.Enqueue(new Uri(request.Url).PathAndQuery);
        page.PageError += (_, error) => _errors.Enqueue(error);
        page.Console += (_, message) => { if (message.Type is "error" or "warning") _errors.Enqueue(message.Text); };
        await page.RouteAsync("**/rendered*", AnswerPictureAsync);
        await page.RouteAsync("**/thumbnail*", AnswerPictureAsync);
        if (path is not null)
            await page.GotoAsync(site.Proxy.Root + path);
        return page;
    }

    private static Task AnswerPictureAsync(IRoute route) => route.FulfillAsync(new()
    {
        ContentType = "image/bmp",
        BodyBytes = Bitmap(route.Request.Url.Contains("window=", StringComparison.Ordinal) ? Windowed : Stored),
    });

    private async Task<string> FindStudyAsync(string accession)
    {
        var rows = await site.Proxy.Http.GetStringAsync(new Uri($"{site.Proxy.Dicomweb}/studies?AccessionNumber={accession}"), Cancel);
        return JsonDocument.Parse(rows).RootElement[0].GetProperty("0020000D").GetProperty("Value")[0].GetString()!;
    }
}
