using System.Diagnostics;
using System.Text;
using Proxy.Tests.Pacs;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Threats;

/// <summary>T5, T6, T8 and T14: requests that are made to confuse the cache, the file system or the processor.</summary>
public sealed class InputThreats : IDisposable
{
    private const string Frame = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxy-input-");
    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    private string Cache => Path.Join(_folder.FullName, "cache");

    public void Dispose()
    {
        _east.Dispose();
        Until.DeletedAsync(_folder.FullName).GetAwaiter().GetResult();
    }

    /// <summary>In any order, each of these requests gets the answer that it gets from an empty cache.</summary>
    [Fact]
    public async Task T05_ACachedAnswerDependsOnNothingOutsideOfItsKey()
    {
        (string Path, (string, string)[] Headers)[] requests =
        [
            .. from accept in (string[])[
                "application/octet-stream; transfer-syntax=*", "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*",
                "multipart/related; type=application/octet-stream", "image/jls", "*/*", "image/jls;q=0.5, application/octet-stream",
                "application/json"]
            from path in (string[])[Frame, Frame + "?accept=text/html", Frame.Replace("/frames/1", "", StringComparison.Ordinal)]
            select (path, new[] { ("Accept", accept), ("X-Forwarded-Host", "evil.example"), ("Accept-Language", "fr") }),
            .. from query in (string[])[
                "", "?includefield=00081030&includefield=00080020", "?includefield=00080020,00081030", "?limit=1", "?offset=1",
                "?fuzzymatching=true"]
            from accept in (string[])["application/dicom+json", "application/json", "multipart/related; type=\"application/dicom+xml\""]
            select ("/dicomweb/studies" + query, new[] { ("Accept", accept), ("Accept-Charset", "utf-8") }),
        ];
        var alone = new List<string>();
        await using var empty = new ProxyHost(("east", _east.Address));
        foreach (var (path, headers) in requests)
        {
            await empty.SendAsync(HttpMethod.Delete, "/cache", []);
            alone.Add(await DescribeAsync(empty, path, headers));
            // A hit of the same request is compared too: it must not differ from the miss.
            if (alone.Count % 7 == 0) Assert.Equal(alone[^1], await DescribeAsync(empty, path, headers));
        }
        await using var shared = new ProxyHost(("east", _east.Address)) { ["Cache:Disk:Path"] = Cache };
        var random = new Random(5);
        foreach (var at in Enumerable.Range(0, requests.Length).Concat(Enumerable.Range(0, requests.Length)).OrderBy(_ => random.Next()))
        {
            var (path, headers) = requests[at];
            Assert.Equal(alone[at], await DescribeAsync(shared, path, headers));
        }
    }

    [Fact]
    public async Task T06_ADeceptivePathIsNoResource()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));
        var asked = _east.Requests.Count;
        string[] bases = ["/dicomweb/studies/1.2.1/series", "/dicomweb/studies/1.2.1/metadata", Frame, "/settings", "/cache"];
        string[] endings =
            ["/x.css", "%2fx.css", ";x.css", ".css", "/..;/x.js", "%00.png", "%3fx.css", "/%2e%2e/x.css", "%5cx.css", "//x.css", "%0a.css"];
        foreach (var path in from start in bases from ending in endings select start + ending)
        {
            var reply = await proxy.GetAsync(path);
            Assert.True((int)reply.Status is >= 400 and < 500, $"{path}: {reply.Status}");
            Assert.DoesNotContain("public", reply["Cache-Control"], StringComparison.Ordinal);
            Assert.DoesNotContain("max-age", reply["Cache-Control"], StringComparison.Ordinal);
        }
        Assert.Equal(asked, _east.Requests.Count);
    }

    [Fact]
    public async Task T08_NoFileIsOutsideOfTheCacheFolder()
    {
        await using var proxy = new ProxyHost(("east", _east.Address)) { ["Cache:Disk:Path"] = Cache };
        string[] uids = ["..", "../..", "..%2f..", "%2e%2e", "1/../..", "/etc/passwd", "C:%5cx", "1.2.1%00", "~", "1.2.1;x", "."];
        foreach (var uid in uids)
        {
            await proxy.GetAsync($"/dicomweb/studies/{uid}/series");
            await proxy.GetAsync($"/dicomweb/studies/1.2.1/series/{uid}/metadata");
            await proxy.GetAsync($"/dicomweb/studies/1.2.1/series/1.2.1.1/instances/{uid}/frames/1");
            await proxy.GetAsync($"/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/bulkdata/east/{uid}");
            await proxy.SendAsync(HttpMethod.Delete, $"/cache/studies/{uid}", []);
            await proxy.SendAsync(HttpMethod.Delete, $"/cache/patients/{uid}", []);
        }
        // A PACS may name its objects like paths, too.
        _east.Respond(PacsAnswer.Json("""[{"0020000D":{"vr":"UI","Value":["../../x"]},"00080018":{"vr":"UI","Value":["..\\..\\x"]}}]"""));
        await proxy.GetAsync("/dicomweb/studies?PatientID=7");
        await proxy.GetAsync("/dicomweb/studies/1.2.9/series/1.2.9.1/metadata");
        _east.Recover();
        await proxy.GetAsync(Frame, ("Accept", "application/octet-stream; transfer-syntax=*"));

        Assert.Equal(["cache"], Directory.EnumerateFileSystemEntries(_folder.FullName).Select(Path.GetFileName));
        Assert.Equal(200, (int)(await proxy.GetAsync("/health/ready")).Status);
    }

    [Fact]
    public async Task T14_AWildcardOrALongListCostsLittle()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));
        await proxy.GetAsync("/health/live");
        var stars = string.Concat(Enumerable.Repeat("*a", 60));
        var since = Stopwatch.GetTimestamp();
        foreach (var query in (string[])[
            $"PatientName={stars}", $"StudyDescription={new string('*', 120)}b", $"PatientName={new string('?', 120)}",
            string.Join('&', Enumerable.Range(0, 500).Select(_ => "includefield=00080020")),
            "StudyInstanceUID=" + string.Join(',', Enumerable.Range(1, 600).Select(i => $"1.2.{i}"))])
        {
            var reply = await proxy.GetAsync("/dicomweb/studies?" + query);
            Assert.True((int)reply.Status is 200 or 400 or 414, $"{reply.Status}");
        }
        Assert.True(Stopwatch.GetElapsedTime(since) < TimeSpan.FromSeconds(30));
    }

    /// <summary>What a client would notice, without random boundaries and the port of the proxy.</summary>
    private static async Task<string> DescribeAsync(ProxyHost proxy, string path, (string, string)[] headers)
    {
        var plain = (await proxy.GetAsync(path, headers)).Comparable;
        var body = Encoding.Latin1.GetString(plain.Body).Replace(proxy.Address, "http://proxy", StringComparison.Ordinal);
        return $"{(int)plain.Status} {plain["Content-Type"]} {body}";
    }
}
