using Microsoft.Extensions.DependencyInjection;
using Proxy.Cache;
using Proxy.Cache.OnDisk;
using Proxy.Dicom;
using Proxy.Tests.Pacs;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A file whose study or series is not the requested one is refused, not cached, and gives no frames.</summary>
public sealed class FileIdentityWalks : IDisposable
{
    private const string Instance = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1";

    private static readonly (string, string) Dicom = ("Accept", "multipart/related; type=\"application/dicom\"; transfer-syntax=*");

    private static readonly (string, string) AsStored = ("Accept", "application/octet-stream; transfer-syntax=*");

    private static readonly HeldStudy Study = new HeldStudy("1.2.1").With("1.2.1.1");

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxy-identity-");

    private readonly WireMockPacs _east = new(Study);

    private string Cache => Path.Join(_folder.FullName, "cache");

    private IEnumerable<string> Files => Directory.EnumerateFiles(Path.Join(Cache, "entries"), "*", SearchOption.AllDirectories);

    public void Dispose()
    {
        _east.Dispose();
        Until.DeletedAsync(_folder.FullName).GetAwaiter().GetResult();
    }

    [Theory]
    [InlineData("1.2.9", "1.2.1.1")]
    [InlineData("1.2.1", "1.2.1.9")]
    [InlineData("1.2.9", null)]
    [InlineData(null, "1.2.1.9")]
    public async Task RefusesAFileOfAnotherStudyOrSeries_AndCachesNothing(string? study, string? series)
    {
        await using var proxy = new ProxyHost(("east", _east.Address));
        _east.Respond(Archive.Multipart("application/dicom", File(study, series)), "/instances/1.2.1.1.1");

        (await proxy.GetAsync(Instance, Dicom)).IsProblem(502, names: "east");
        var frame = await proxy.GetAsync(Instance + "/frames/1", AsStored);
        Assert.Equal("Proxy; fwd=miss; stored", frame.CacheStatus);
        Assert.Equal(Study.Series[0].GetFrame("1.2.1.1.1", 1), frame.Body);

        _east.Recover();
        Assert.Equal("Proxy; fwd=miss; stored", (await proxy.GetAsync(Instance, Dicom)).CacheStatus);
    }

    [Theory]
    [InlineData("1.2.1", "1.2.1.1")]
    [InlineData("1.2.1 ", "1.2.1.1")]
    [InlineData(null, null)]
    public async Task AcceptsAFileOfTheRequestedSeries_OrOneThatDoesNotName(string? study, string? series)
    {
        await using var proxy = new ProxyHost(("east", _east.Address));
        var file = File(study, series);
        _east.Respond(Archive.Multipart("application/dicom", file), "/instances/1.2.1.1.1");

        Assert.Equal(file, Assert.Single(Parts.Read(await proxy.GetAsync(Instance, Dicom))).Body);
        Assert.Equal("Proxy; hit", (await proxy.GetAsync(Instance, Dicom)).CacheStatus);
    }

    [Fact]
    public async Task AsksTheNextHolder_WhenTheFirstSendsAFileOfAnotherSeries()
    {
        using var west = new WireMockPacs(Study);
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", west.Address));
        _east.Respond(Archive.Multipart("application/dicom", File("1.2.1", "1.2.1.9")), "/instances/1.2.1.1.1");

        Assert.Equal(Archive.GetFile("1.2.1.1.1"), Assert.Single(Parts.Read(await proxy.GetAsync(Instance, Dicom))).Body);
    }

    [Fact]
    public async Task DropsACachedFileOfAnotherStudy_WhenItIsFoundOnDisk()
    {
        var file = File("1.2.9", "1.2.1.1");
        var key = new EntryKey("east", Instance["/dicomweb/".Length..], new BodyFormat(BodyFormat.Dicom, "*"));
        await using (var first = Start())
        {
            await first.GetAsync(Instance + "/metadata");
            var head = new EntryHead(BodyFormat.Dicom, Part10File.Explicit, file.Length);
            var entry = new Entry(head, [file], file.Length, DateTimeOffset.UnixEpoch);
            await first.Services.GetRequiredService<DiskTier>().AddAsync(key, entry);
            await Until.TrueAsync(() => Files.Count() == 1);
        }

        await using var second = Start();
        var frame = await second.GetAsync(Instance + "/frames/1", AsStored);
        Assert.Equal("Proxy; fwd=miss; stored", frame.CacheStatus);
        Assert.Equal(Study.Series[0].GetFrame("1.2.1.1.1", 1), frame.Body);
        Assert.Equal("Proxy; fwd=miss; stored", (await second.GetAsync(Instance, Dicom)).CacheStatus);
        Assert.Equal(1, (int)(await second.GetAsync("/cache")).Json["disk"]!["damaged"]!);
    }

    private static byte[] File(string? study, string? series)
    {
        var file = Part10File.Native(16, 16).Set(0x00080018, "UI", Part10File.Even("1.2.1.1.1", '\0'));
        if (study is not null) file.Set(0x0020000D, "UI", Part10File.Even(study, '\0'));
        if (series is not null) file.Set(0x0020000E, "UI", Part10File.Even(series, '\0'));
        return file.ToArray();
    }

    private ProxyHost Start() => new(("east", _east.Address)) { ["Cache:Disk:Path"] = Cache };
}
