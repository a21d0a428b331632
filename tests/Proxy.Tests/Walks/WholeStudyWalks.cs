using System.Text;
using Proxy.Tests.Pacs;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Whole studies and series: one request for each series.</summary>
public sealed class WholeStudyWalks : IDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";
    private const string Accept = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";

    private static readonly HeldSeries First = new("1.2.1.1", "CT", 8);
    private static readonly HeldSeries Second = new("1.2.1.2", "SR", 1);

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With(First).With(Second));

    public WholeStudyWalks()
    {
        Serve(_east, First);
        Serve(_east, Second);
    }

    public void Dispose() => _east.Dispose();

    [Fact]
    public async Task AsksForEachSeries_WhenTheStudyIsNotCached()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));

        var parts = Parts.Read(await GetAsync(proxy, Study));

        Assert.Equal([.. First.InstanceUids.Concat(Second.InstanceUids).Select(File)], parts.Select(p => p.Body));
        Assert.Equal(["studies/1.2.1/series/1.2.1.1", "studies/1.2.1/series/1.2.1.2"], Asked(_east));
        Assert.Contains($"Content-Location: {proxy.Address}{Study}/series/1.2.1.1/instances/1.2.1.1.1\r\n", parts[0].Head + "\r\n");
    }

    [Fact]
    public async Task CachesEachInstance()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));
        proxy["Cache:Disk:Path"] = Path.Combine(proxy.Root, "cache");
        await GetAsync(proxy, Study);
        await Until.TrueAsync(
            async () => (int)(await proxy.GetAsync("/cache")).Json["disk"]!["entries"]! == 9, "all instances are on disk");

        var again = await GetAsync(proxy, Study);
        var alone = await GetAsync(proxy, Study + "/series/1.2.1.1/instances/1.2.1.1.5");

        Assert.Equal(9, Parts.Read(again).Count);
        Assert.Equal("Proxy; hit", again.CacheStatus);
        Assert.Equal(File("1.2.1.1.5"), Assert.Single(Parts.Read(alone)).Body);
        Assert.Equal(2, Asked(_east).Count);
    }

    [Theory]
    [InlineData(404)]
    [InlineData(400)]
    [InlineData(406)]
    [InlineData(500)]
    public async Task AsksForEachInstance_WhenThePacsRefusesASeriesRequest(int status)
    {
        _east.Fail(status, "series/1.2.1.1");
        await using var proxy = new ProxyHost(("east", _east.Address));

        Assert.Equal(8, Parts.Read(await GetAsync(proxy, Study + "/series/1.2.1.1")).Count);
    }

    [Fact]
    public async Task CompletesTheAnswer_WhenItEndsBetweenTwoParts()
    {
        _east.On("series/1.2.1.1", _ => SeriesAnswer([.. First.InstanceUids.Take(5)]));
        await using var proxy = new ProxyHost(("east", _east.Address));

        var parts = Parts.Read(await GetAsync(proxy, Study + "/series/1.2.1.1"));

        Assert.Equal([.. First.InstanceUids.Select(File)], parts.Select(p => p.Body));
    }

    [Fact]
    public async Task DropsAnInstance_WhenItIsOfAnotherSeries()
    {
        _east.On("series/1.2.1.1", _ => SeriesAnswer(["1.2.9.9.9", .. First.InstanceUids]));
        await using var proxy = new ProxyHost(("east", _east.Address));

        Assert.Equal(
            [.. First.InstanceUids.Select(File)], Parts.Read(await GetAsync(proxy, Study + "/series/1.2.1.1")).Select(p => p.Body));
    }

    [Fact]
    public async Task AbortsTheAnswer_WhenAPartIsTruncated()
    {
        using var raw = new RawPacs(new HeldStudy("1.2.1").With(First));
        raw.On("series/1.2.1.1", async connection =>
        {
            await connection.SendAsync(
                "HTTP/1.1 200 OK\r\nContent-Type: multipart/related; type=\"application/dicom\"; boundary=b\r\n\r\n");
            await connection.SendAsync(Cut());
            connection.Close();
        });
        await using var proxy = new ProxyHost(("east", raw.Address));

        await Assert.ThrowsAsync<HttpRequestException>(() => GetAsync(proxy, Study + "/series/1.2.1.1"));
    }

    [Fact]
    public async Task CancelsTheRequestAndKeepsThePacsUp_WhenTheClientDisconnects()
    {
        using var raw = new RawPacs(new HeldStudy("1.2.1").With(First));
        var left = new Gate();
        raw.On("series/1.2.1.1", async connection =>
        {
            await connection.SendAsync(
                "HTTP/1.1 200 OK\r\nContent-Type: multipart/related; type=\"application/dicom\"; boundary=b\r\n\r\n");
            await connection.SendAsync(Cut());
            await connection.WaitForDisconnectAsync();
            left.Open();
        });
        await using var proxy = new ProxyHost(("east", raw.Address));

        (await proxy.OpenAsync(Study + "/series/1.2.1.1", ("Accept", Accept))).Dispose();

        await Until.TrueAsync(() => left.IsOpen, "the PACS is left");
        Assert.Equal(0, (int)(await proxy.GetAsync("/health/ready")).Json["backends"]!["east"]!["failed"]!);
    }

    [Fact]
    public async Task ServesTheWholeSeries_ToSeveralClientsAtOnce()
    {
        var gate = _east.Hang("series/1.2.1.1");
        await using var proxy = new ProxyHost(("east", _east.Address));

        var all = Enumerable.Range(0, 4).Select(_ => GetAsync(proxy, Study + "/series/1.2.1.1")).ToList();
        await Until.TrueAsync(() => gate.Arrived > 0, "the PACS is asked");
        gate.Open();

        foreach (var reply in await Task.WhenAll(all))
            Assert.Equal([.. First.InstanceUids.Select(File)], Parts.Read(reply).Select(p => p.Body));
    }

    /// <summary>One whole part and half of another.</summary>
    private static byte[] Cut() =>
        SeriesAnswer([File("1.2.1.1.1"), Described("1.2.1.1.2").Set(0x7FE00010, "OW", new byte[200_000]).ToArray()]).Body[..^100_000];

    private static byte[] File(string instance) => Described(instance).ToArray();

    private static Part10File Described(string instance) => new Part10File()
        .SetRaw(0x00020003, Part10File.Element(0x00020003, "UI", Part10File.Even(instance, '\0')))
            .Set(0x00080018, "UI", Part10File.Even(instance, '\0'))
        .Set(0x0020000D, "UI", Part10File.Even("1.2.1", '\0'))
            .Set(0x0020000E, "UI", Part10File.Even(instance[..instance.LastIndexOf('.')], '\0'));

    private static PacsAnswer SeriesAnswer(IReadOnlyList<string> instances) => SeriesAnswer(instances.Select(File));

    private static PacsAnswer SeriesAnswer(IEnumerable<byte[]> files)
    {
        var body = new List<byte>();
        foreach (var file in files)
            body.AddRange([
                .. Encoding.ASCII.GetBytes($"--b\r\nContent-Type: application/dicom\r\nContent-Length: {file.Length}\r\n\r\n"), .. file,
                .. "\r\n"u8]);
        body.AddRange("--b--\r\n"u8);
        return new(200, "multipart/related; type=\"application/dicom\"; boundary=b", [.. body]);
    }

    private static void Serve(WireMockPacs pacs, HeldSeries series)
    {
        pacs.On($"series/{series.Uid}", _ => SeriesAnswer([.. series.InstanceUids]));
        foreach (var instance in series.InstanceUids)
            pacs.On($"/instances/{instance}", _ => Archive.Multipart("application/dicom", File(instance)));
    }

    private static Task<Reply> GetAsync(ProxyHost proxy, string path) => proxy.GetAsync(path, ("Accept", Accept));

    /// <summary>The paths of the pixel requests to a PACS.</summary>
    private static List<string> Asked(WireMockPacs pacs) =>
        [.. pacs.Requests.Select(r => r.Path)
            .Where(p => p.Contains("/series/", StringComparison.Ordinal) && !p.EndsWith("/metadata", StringComparison.Ordinal))];
}
