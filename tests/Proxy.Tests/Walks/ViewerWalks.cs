using System.Net;
using Proxy.Tests.Pacs;
using Proxy.Tests.Viewing;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The viewer at <c>/viewer/</c>, from a folder that the proxy does not change.</summary>
/// <param name="shared">The proxies of all tests.</param>
public sealed class ViewerWalks(ViewerWalks.Proxies shared) : IClassFixture<ViewerWalks.Proxies>
{
    private readonly ProxyHost _proxy = shared.Proxy;

    /// <summary>A proxy with the viewer, and one without.</summary>
    public sealed class Proxies : IDisposable
    {
        private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

        public Proxies()
        {
            Proxy = Start(Build.Folder);
            Bare = new(("east", _east.Address));
        }

        public ViewerBuild Build { get; } = new();

        public ProxyHost Proxy { get; }

        public ProxyHost Bare { get; }

        public ProxyHost Start(string folder) =>
            new(("east", _east.Address)) { ["Viewer:Path"] = folder, ["Security:KnownProxies:0"] = "127.0.0.1" };

        public void Dispose()
        {
            Proxy.Dispose();
            Bare.Dispose();
            _east.Dispose();
            Build.Dispose();
        }
    }

    [Theory]
    [InlineData("/viewer/")]
    [InlineData("/viewer/index.html")]
    [InlineData("/viewer/viewer?StudyInstanceUIDs=1.2.1")]
    [InlineData("/viewer/viewer/proxy?StudyInstanceUIDs=1.2.1")]
    [InlineData("/viewer/segmentation/pacs.east?StudyInstanceUIDs=1.2.1&StudyInstanceUIDs=1.2.2")]
    public async Task AnswersThePage_ForEveryAddressOfTheViewer(string path)
    {
        var page = await _proxy.GetAsync(path);

        Assert.Equal(HttpStatusCode.OK, page.Status);
        Assert.Equal("text/html; charset=utf-8", page["Content-Type"]);
        Assert.Contains($"src=\"/viewer/{ViewerBuild.App}?edits=", page.Text, StringComparison.Ordinal);
        Assert.Equal("no-cache", page["Cache-Control"]);
        Assert.Equal(HttpStatusCode.NotModified, (await _proxy.GetAsync(path, ("If-None-Match", page["ETag"]))).Status);
    }

    [Fact]
    public async Task LinksBelowThePrefixOfAReverseProxy()
    {
        var page = await _proxy.GetAsync("/viewer/", ("X-Forwarded-Prefix", "/pacs"));
        var script = await _proxy.GetAsync("/viewer/app-config.js", ("X-Forwarded-Prefix", "/pacs"));

        Assert.Contains("href=\"/pacs/viewer/manifest.json\"", page.Text, StringComparison.Ordinal);
        Assert.Contains("\"routerBasename\": \"/pacs/viewer/\"", script.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AddsTheSlash_ThatRelativeAddressesNeed()
    {
        using var answer = await _proxy.OpenAsync("/viewer?customization=a");

        Assert.Equal(HttpStatusCode.Found, answer.StatusCode);
        Assert.Equal("/viewer/?customization=a", answer.Headers.Location!.OriginalString);
    }

    [Fact]
    public async Task ConfiguresTheViewerForThisProxy_InPlaceOfTheFile()
    {
        var script = await _proxy.GetAsync("/viewer/app-config.js");

        Assert.StartsWith("window.config = {", script.Text, StringComparison.Ordinal);
        Assert.Contains("\"routerBasename\": \"/viewer/\"", script.Text, StringComparison.Ordinal);
        Assert.Contains($"\"qidoRoot\": \"{_proxy.Address}/dicomweb\"", script.Text, StringComparison.Ordinal);
        Assert.Equal("no-store", script["Cache-Control"]);
        Assert.StartsWith("text/javascript", script["Content-Type"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ViewerBuild.Chunk, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable")]
    [InlineData(ViewerBuild.App + "?edits=1", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable")]
    [InlineData(ViewerBuild.App, "text/javascript; charset=utf-8", "no-cache")]
    [InlineData("0ddf166f7a343eda.wasm", "application/wasm", "public, max-age=31536000, immutable")]
    [InlineData("a34f9d1faa5f3315.woff2", "font/woff2", "public, max-age=31536000, immutable")]
    [InlineData("module.mjs", "text/javascript; charset=utf-8", "no-cache")]
    [InlineData("app.bundle.css", "text/css; charset=utf-8", "no-cache")]
    [InlineData("assets/favicon.ico", "image/x-icon", "no-cache")]
    public async Task SendsEachFileWithItsTypeAndLifetime(string name, string type, string lifetime)
    {
        var file = await _proxy.GetAsync("/viewer/" + name);
        var head = await _proxy.SendAsync(HttpMethod.Head, "/viewer/" + name, []);
        var again = await _proxy.GetAsync("/viewer/" + name, ("If-None-Match", file["ETag"]));

        Assert.Equal((HttpStatusCode.OK, type, lifetime), (file.Status, file["Content-Type"], file["Cache-Control"]));
        Assert.Equal(HttpStatusCode.NotModified, again.Status);
        Assert.Empty(head.Body);
        foreach (var header in (string[])["Content-Type", "Content-Length", "Cache-Control", "ETag"])
            Assert.Equal(file[header], head[header]);
    }

    [Fact]
    public async Task IsolatesEveryAnswer()
    {
        foreach (var path in (string[])["", ViewerBuild.Chunk, ViewerBuild.App, "app-config.js", "assets/favicon.ico", "none.js"])
        {
            var answer = await _proxy.GetAsync("/viewer/" + path);

            Assert.Equal("same-origin", answer["Cross-Origin-Opener-Policy"]);
            Assert.Equal("require-corp", answer["Cross-Origin-Embedder-Policy"]);
            Assert.Equal("same-origin", answer["Cross-Origin-Resource-Policy"]);
            Assert.Equal("nosniff", answer["X-Content-Type-Options"]);
            Assert.Contains("default-src 'none'", answer["Content-Security-Policy"], StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("br")]
    [InlineData("gzip")]
    [InlineData("")]
    public async Task SendsTheSameContent_InEachCoding(string coding)
    {
        foreach (var name in (string[])[ViewerBuild.Chunk, ViewerBuild.App])
        {
            var plain = await _proxy.GetAsync("/viewer/" + name);
            var file = await _proxy.GetAsync("/viewer/" + name, ("Accept-Encoding", coding));

            Assert.Equal(coding, file["Content-Encoding"]);
            Assert.Equal("Accept-Encoding", file["Vary"]);
            Assert.Equal(plain.Body, file.Unpacked);
            Assert.Equal(coding == "", plain["ETag"] == file["ETag"]);
        }
    }

    [Fact]
    public async Task SendsARange_OfAFileThatIsNotCompressed()
    {
        var part = await _proxy.GetAsync("/viewer/" + ViewerBuild.Chunk, ("Range", "bytes=6-8"));

        Assert.Equal((HttpStatusCode.PartialContent, "a0 "), (part.Status, part.Text));
    }

    [Theory]
    [InlineData(".env")]
    [InlineData(".git/config.json")]
    [InlineData("program.exe")]
    [InlineData("link.js")]
    [InlineData("up/outside.js")]
    [InlineData("up/dist/app-config.js")]
    [InlineData("../outside.js")]
    [InlineData("..%2foutside.js")]
    [InlineData("%2e%2e/outside.js")]
    [InlineData("..%5coutside.js")]
    [InlineData("assets%2ffavicon.ico")]
    [InlineData("assets//favicon.ico")]
    [InlineData("/etc/passwd")]
    [InlineData("%00.js")]
    [InlineData("none.js")]
    [InlineData("APP-CONFIG.css")]
    public async Task SendsNothingElse(string name)
    {
        var raw = await _proxy.SendRawAsync(
            $"GET /viewer/{name} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");

        Assert.DoesNotContain("secret", raw, StringComparison.Ordinal);
        Assert.DoesNotContain("root:", raw, StringComparison.Ordinal);
        Assert.DoesNotContain(shared.Build.Folder, raw, StringComparison.Ordinal);
        // A path without the name of a file is an address of the viewer.
        if (name is not "program.exe") Assert.Matches("^HTTP/1.1 40[04] ", raw);
    }

    /// <summary>The folder is listed when the page is requested, with which a client begins.</summary>
    [Fact]
    public async Task FollowsTheFolder_AfterAnUpgradeInPlace()
    {
        using var build = new ViewerBuild();
        await using var proxy = shared.Start(build.Folder);
        await proxy.GetAsync("/viewer/");
        build.Write("app.bundle.1111222233334444.js", "let b;");
        Assert.Equal(HttpStatusCode.NotFound, (await proxy.GetAsync("/viewer/app.bundle.1111222233334444.js")).Status);

        build.Write("index.html", ViewerBuild.Html + "<!-- 2 -->");
        Assert.EndsWith("<!-- 2 -->", (await proxy.GetAsync("/viewer/")).Text, StringComparison.Ordinal);
        Assert.Equal("let b;", (await proxy.GetAsync("/viewer/app.bundle.1111222233334444.js")).Text);

        Directory.Move(build.Folder, build.Folder + "-away");
        var gone = await proxy.GetAsync("/viewer/");
        Assert.Equal(HttpStatusCode.NotFound, gone.Status);
        Assert.Contains("Viewer:Path", (string)gone.Json["detail"]!, StringComparison.Ordinal);
        Assert.DoesNotContain(build.Folder, gone.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TellsThePage_WhereTheViewerIs()
    {
        Assert.Equal("/viewer/", (string)(await _proxy.GetAsync("/health/ready")).Json["viewer"]!);
        Assert.Null((await shared.Bare.GetAsync("/health/ready")).Json["viewer"]);
    }

    [Theory]
    [InlineData("/viewer")]
    [InlineData("/viewer/")]
    [InlineData("/viewer/app-config.js")]
    [InlineData("/viewer/viewer?StudyInstanceUIDs=1.2.1")]
    public async Task SaysHowToInstall_WithoutTheSetting(string path)
    {
        var answer = await shared.Bare.GetAsync(path);

        Assert.Equal(HttpStatusCode.NotFound, answer.Status);
        Assert.Contains("viewer install", (string)answer.Json["detail"]!, StringComparison.Ordinal);
        Assert.Contains("Viewer:Path", (string)answer.Json["detail"]!, StringComparison.Ordinal);
    }

    /// <summary>OHIF's <c>dicomwebproxy</c> data source, which read it, sends a user's token to any address (CVE-2026-12473).</summary>
    [Fact]
    public async Task HasNoConfigurationForTheUnsafeDataSource() =>
        Assert.Equal(HttpStatusCode.NotFound, (await _proxy.GetAsync("/ohif/dicomweb.json")).Status);
}
