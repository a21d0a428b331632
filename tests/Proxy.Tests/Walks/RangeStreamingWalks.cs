using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Ranges of a body that is arriving, or that is stored on disk.</summary>
public sealed class RangeStreamingWalks : IDisposable
{
    private const string Frame = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1";

    private const int HalfBytes = 200_000;

    private static readonly (string, string) AsStored = ("Accept", "application/octet-stream; transfer-syntax=*");

    private readonly RawPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    private readonly Gate _half = new();

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxy-range-");

    public void Dispose()
    {
        _half.Open();
        _east.Dispose();
        Until.DeletedAsync(_folder.FullName).GetAwaiter().GetResult();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ServesARangeBeforeTheRestArrives_AndStoresTheWholeBody(bool hasDisk)
    {
        var whole = Send(2 * HalfBytes, HalfBytes);
        await using var proxy = Start(hasDisk);

        var early = await proxy.GetAsync(Frame, AsStored, ("Range", "bytes=100000-100099"));
        var late = proxy.GetAsync(Frame, AsStored, ("Range", "bytes=-100"));
        Assert.False(_half.IsOpen);
        await Until.TrueAsync(() => proxy.Arrived == 2);
        _half.Open();

        Assert.Equal(whole[100_000..100_100], early.Body);
        Assert.Equal(whole[^100..], (await late).Body);
        await Until.TrueAsync(async () => (await proxy.GetAsync(Frame, AsStored)).CacheStatus == "Proxy; hit");
        Assert.Equal(whole, (await proxy.GetAsync(Frame, AsStored)).Body);
        Assert.Equal(1, _east.Count("/frames/1"));
    }

    [Fact]
    public async Task StoresTheWholeBody_WhenItsOnlyClientWantedItsStart()
    {
        var whole = Send(2 * HalfBytes, HalfBytes);
        await using var proxy = Start(hasDisk: false);

        Assert.Equal(whole[..10], (await proxy.GetAsync(Frame, AsStored, ("Range", "bytes=0-9"))).Body);
        _half.Open();

        await Until.TrueAsync(async () => (await proxy.GetAsync(Frame, AsStored, ("Range", "bytes=-5"))).CacheStatus == "Proxy; hit");
        Assert.Equal(1, _east.Count("/frames/1"));
    }

    [Theory]
    [InlineData(20 << 20)]
    [InlineData(3 << 20)]
    public async Task ServesARange_OfABodyThatPassesThroughAFileOrAWindow(int length)
    {
        var whole = Send(length, 0);
        _half.Open();
        foreach (var memory in (string[])["1073741824", "8388608"])
        {
            await using var proxy = Start(hasDisk: memory == "1073741824", memory);

            var reply = await proxy.GetAsync(Frame, AsStored, ("Range", $"bytes={length - 2_000_000}-{length - 1_900_001}"));

            Assert.Equal(206, (int)reply.Status);
            Assert.Equal(whole[^2_000_000..^1_900_000], reply.Body);
            var several = await proxy.GetAsync(Frame, AsStored, ("Range", "bytes=0-9, 2000000-2000009"));
            Assert.Contains("bytes 2000000-2000009", several.Text);
        }
    }

    [Fact]
    public async Task ClosesTheConnection_WhenTheBackendFailsBeforeTheRange()
    {
        Send(2 * HalfBytes, HalfBytes, isCut: true);
        _half.Open();
        await using var proxy = Start(hasDisk: false);

        await Assert.ThrowsAnyAsync<Exception>(() => proxy.GetAsync(Frame, AsStored, ("Range", "bytes=-100")));
        await Assert.ThrowsAnyAsync<Exception>(
            () => proxy.GetAsync(Frame, AsStored, ("Range", $"bytes={HalfBytes - 100}-{HalfBytes + 100}")));
    }

    [Fact]
    public async Task ServesRangesFromDisk_AfterARestart()
    {
        var whole = Send(3 << 20, 0);
        _half.Open();
        await using (var first = Start(hasDisk: true))
        {
            await first.GetAsync(Frame, AsStored);
            var entries = Path.Join(_folder.FullName, "cache", "entries");
            await Until.TrueAsync(() => Directory.EnumerateFiles(entries, "*", SearchOption.AllDirectories).Any());
        }
        await using var second = Start(hasDisk: true);

        var one = await second.GetAsync(Frame, AsStored, ("Range", "bytes=1000000-1999999"));
        var several = await second.GetAsync(Frame, AsStored, ("Range", "bytes=0-9, 3000000-3000009"));

        Assert.Equal((206, "Proxy; hit"), ((int)one.Status, one.CacheStatus));
        Assert.Equal(whole[1_000_000..2_000_000], one.Body);
        Assert.Contains("bytes 3000000-3000009", several.Text);
        Assert.Equal(1, _east.Count("/frames/1"));
    }

    private ProxyHost Start(bool hasDisk, string memory = "1073741824")
    {
        var proxy = new ProxyHost(("east", _east.Address)) { ["Cache:Memory:MaxBytes"] = memory };
        if (hasDisk) proxy["Cache:Disk:Path"] = Path.Join(_folder.FullName, "cache");
        return proxy;
    }

    /// <summary>The PACS sends the first bytes, waits at the gate, and sends the rest.</summary>
    private byte[] Send(int length, int firstBytes, bool isCut = false)
    {
        var whole = Pixels.In(HeldSeries.StoredTransferSyntax, "ranges", length);
        _east.On("/frames/1", async connection =>
        {
            await connection.SendAsync(
                $"HTTP/1.1 200 OK\r\nContent-Type: image/jls; transfer-syntax={HeldSeries.StoredTransferSyntax}\r\n"
                + $"Content-Length: {length}\r\n\r\n");
            await connection.SendAsync(whole[..firstBytes]);
            await _half.PassAsync();
            if (isCut) connection.Close();
            else await connection.SendAsync(whole[firstBytes..]);
        });
        return whole;
    }
}
