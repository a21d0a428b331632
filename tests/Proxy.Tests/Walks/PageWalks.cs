using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The files of the pages, and the reports that only the page reads.</summary>
public sealed partial class PageWalks : IAsyncDisposable
{
    private const string Frame = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.3/frames/1";

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(56));
    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 4), new HeldStudy("1.2.3").With("1.2.3.1"));
    private readonly WireMockPacs _west = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 2));
    private readonly ProxyHost _proxy;

    public PageWalks() => _proxy = new(("east", _east.Address), ("west", _west.Address)) { Time = _time };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
        _west.Dispose();
    }

    [Theory]
    [InlineData("/", "page")]
    [InlineData("/look", "look")]
    public async Task FilesAreKeptForEver_AndTheirAddressChangesWithTheirContent(string path, string folder)
    {
        var document = await _proxy.GetAsync(path);

        Assert.Equal("no-cache", document["Cache-Control"]);
        Assert.Equal(304, (int)(await _proxy.GetAsync(path, ("If-None-Match", document["ETag"]))).Status);
        var names = FileNames().Matches(document.Text).Select(match => match.Groups[1].Value).ToList();
        Assert.Contains(names, name => name.StartsWith(folder + "/", StringComparison.Ordinal));
        foreach (var name in names)
        {
            var file = await _proxy.GetAsync("/" + name);
            Assert.Equal("public, max-age=31536000, immutable", file["Cache-Control"]);
            Assert.Equal("nosniff", file["X-Content-Type-Options"]);
            Assert.Matches("^text/(javascript|css); charset=utf-8$", file["Content-Type"]);
        }
        var version = names[0].Split('/')[1];
        Assert.Equal("no-cache", (await _proxy.GetAsync("/" + names[0].Replace(version, "older")))["Cache-Control"]);
        (await _proxy.GetAsync($"/{folder}/{version}/none.js")).IsProblem(404);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/look")]
    public async Task DocumentsHaveNothingInline(string path)
    {
        var document = await _proxy.GetAsync(path);

        Assert.StartsWith("default-src 'none'; script-src 'self'; style-src 'self'; ", document["Content-Security-Policy"]);
        Assert.DoesNotContain("unsafe", document["Content-Security-Policy"]);
        Assert.DoesNotMatch("<style|<script>|<script [^>]*>[^<]| style=| on[a-z]+=|https?://", document.Text);
    }

    [Fact]
    public async Task CompressesFiles()
    {
        var path = FileNames().Match((await _proxy.GetAsync("/")).Text).Groups[1].Value;
        var plain = await _proxy.GetAsync("/" + path);

        var packed = await _proxy.GetAsync("/" + path, ("Accept-Encoding", "gzip"));

        Assert.Equal("gzip", packed["Content-Encoding"]);
        Assert.Equal("Accept-Encoding", packed["Vary"]);
        Assert.NotEqual(plain["ETag"], packed["ETag"]);
        using var unpacked = new GZipStream(new MemoryStream(packed.Body), CompressionMode.Decompress);
        using var text = new StreamReader(unpacked);
        Assert.Equal(plain.Text, await text.ReadToEndAsync(TestContext.Current.CancellationToken));
    }

    /// <summary>The hashes of the files in the packages of npm; NOTICE names the packages.</summary>
    [Theory]
    [InlineData("preact.js", "72284e8e9079c87817145df1110f74e8a2aa040b2fc384922e18dfcb46fc1fd7")]
    [InlineData("uplot.js", "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f")]
    [InlineData("uplot.css", "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04")]
    public async Task FilesOfOthersAreUnchanged(string name, string hash)
    {
        var file = await _proxy.GetAsync("/page/any/vendor/" + name);
        var notice = await _proxy.GetAsync("/page/any/vendor/NOTICE");

        Assert.Equal(hash, Convert.ToHexStringLower(SHA256.HashData(file.Body)));
        Assert.Contains(hash, notice.Text);
    }

    [Fact]
    public async Task TellsWhoHoldsAStudyAndWhatIsCached()
    {
        await _proxy.GetAsync("/dicomweb/studies/1.2.1/series");
        var frame = await _proxy.GetAsync(Frame, ("Accept", "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*"));
        Assert.Equal(200, (int)frame.Status);

        var studies = (await _proxy.GetAsync("/cache/studies?StudyInstanceUID=1.2.1,1.2.9")).Json.AsArray();

        var held = Assert.Single(studies)!;
        Assert.Equal("1.2.1", (string?)held["StudyInstanceUID"]);
        var (east, west) = (held["backends"]!["east"]!, held["backends"]!["west"]!);
        Assert.Equal((1, 4, 1L), ((int)east["series"]!, (int)east["instances"]!, (long)east["memory"]!["entries"]!));
        Assert.Equal((0.25, 0.0), ((double)east["cachedShare"]!, (double)west["cachedShare"]!));
        Assert.Equal(2, (int)west["instances"]!);
        Assert.Equal(_time.GetUtcNow(), (DateTimeOffset)east["checked"]!);

        await _proxy.SendAsync(HttpMethod.Delete, "/cache/studies/1.2.1", []);
        Assert.Empty((await _proxy.GetAsync("/cache/studies?StudyInstanceUID=1.2.1")).Json.AsArray());
    }

    [Fact]
    public async Task RefusesAListOfStudiesThatIsNone()
    {
        (await _proxy.GetAsync("/cache/studies?StudyInstanceUID=1.2,x")).IsProblem(400, "StudyInstanceUID");
        (await _proxy.GetAsync("/cache/studies?StudyInstanceUID=" + string.Join(',', Enumerable.Range(1, 51).Select(n => $"1.{n}"))))
            .IsProblem(400, "StudyInstanceUID");
        Assert.Empty((await _proxy.GetAsync("/cache/studies")).Json.AsArray());
    }

    [Fact]
    public async Task ProbesIdleBackends_WhileSomebodyLooks()
    {
        await _proxy.GetAsync("/health/live");
        await AdvanceAsync(20);
        Assert.Empty(_west.Requests);

        await _proxy.GetAsync("/health/ready?watch=true");
        await AdvanceUntilAsync("up");
        Assert.NotEmpty(_west.Requests);

        _west.Fail(503);
        await AdvanceUntilAsync("down");
    }

    private Task AdvanceUntilAsync(string state) => Until.TrueAsync(
        async () =>
        {
            await AdvanceAsync(1);
            await _proxy.GetAsync("/health/ready?watch=true");
            return await StateAsync() == state;
        },
        "west is " + state);

    private async Task<string?> StateAsync() => (string?)(await _proxy.GetAsync("/health/ready")).Json["backends"]!["west"]!["state"];

    private async Task AdvanceAsync(int halfSeconds)
    {
        for (var n = 0; n < halfSeconds; n++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(500));
            await Task.Yield();
        }
    }

    [GeneratedRegex("(?:href|src)=\"((?:page|look)/[^\"]+)\"")]
    private static partial Regex FileNames();
}
