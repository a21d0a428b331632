using System.Security.Cryptography;
using System.Text;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Bodies that are too large for memory: through a file to whoever waits, and kept.</summary>
public sealed class LargeBodyWalks : IDisposable
{
    private const string Frame = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1";

    private static readonly (string, string) AsStored = ("Accept", "application/octet-stream; transfer-syntax=*");

    private static readonly byte[] Whole = Pixels.In(HeldSeries.StoredTransferSyntax, "large", 48 << 20);

    private static readonly byte[] Hash = SHA256.HashData(Whole);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxy-large-");

    private readonly RawPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    private readonly Gate _most = new();

    private readonly ProxyHost _proxy;

    public LargeBodyWalks() => _proxy = new(("east", _east.Address)) { ["Cache:Disk:Path"] = Path.Join(_folder.FullName, "cache") };

    private IEnumerable<string> Files =>
        Directory.EnumerateFiles(Path.Join(_folder.FullName, "cache", "entries"), "*", SearchOption.AllDirectories);

    private IEnumerable<string> Temporary => Directory.EnumerateFiles(Path.Join(_folder.FullName, "cache", "tmp"));

    public void Dispose()
    {
        _most.Open();
        _proxy.Dispose();
        _east.Dispose();
        Until.DeletedAsync(_folder.FullName).GetAwaiter().GetResult();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task WhoComesLateGetsItFromItsBeginning_AndThePacsIsAskedOnce(bool saysItsLength)
    {
        Send(Whole.Length - 1000, saysItsLength);
        var early = HashAsync(await _proxy.OpenAsync(Frame, AsStored));
        await Until.TrueAsync(() => _most.Arrived == 1);
        var late = Enumerable.Range(0, 8).Select(async _ => await HashAsync(await _proxy.OpenAsync(Frame, AsStored))).ToList();
        // One that does not read at all holds nobody up.
        using var asleep = await _proxy.OpenAsync(Frame, AsStored);
        await Until.TrueAsync(() => _proxy.Arrived == 10);
        _most.Open();

        Assert.Equal(Hash, await early);
        Assert.All(await Task.WhenAll(late), hash => Assert.Equal(Hash, hash));
        Assert.Equal(1, _east.Count("/frames/1"));

        await Until.TrueAsync(() => Files.Any());
        Assert.Equal(Hash, await HashAsync(await _proxy.OpenAsync(Frame, AsStored)));
        Assert.Equal(Hash, await HashAsync(asleep));
        Assert.Equal(1, _east.Count("/frames/1"));
        await Until.TrueAsync(() => !Temporary.Any());
    }

    [Fact]
    public async Task OneThatIsCutIsNotKept_AndLeavesNothing()
    {
        _east.On("/frames/1", async connection =>
        {
            await connection.SendAsync(GetHead(Whole.Length));
            await connection.SendAsync(Whole[..(40 << 20)]);
            await _most.PassAsync();
            connection.Close();
        });
        var frame = HashAsync(await _proxy.OpenAsync(Frame, AsStored));
        await Until.TrueAsync(() => _most.Arrived == 1 && Temporary.Any());
        _most.Open();
        await Assert.ThrowsAnyAsync<Exception>(() => frame);
        await Until.TrueAsync(() => !Temporary.Any());
        Assert.Empty(Files);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ABodyThatIsLargerThanOneMayBeIsNotKept(bool saysItsLength)
    {
        _proxy["Cache:MaxBodyBytes"] = "33554432";
        Send(Whole.Length - 1000, saysItsLength);
        _most.Open();
        using var response = await _proxy.OpenAsync(Frame, AsStored);
        if (saysItsLength) Assert.Equal(502, (int)response.StatusCode);
        else await Assert.ThrowsAnyAsync<Exception>(() => HashAsync(response));
        await Until.TrueAsync(() => !Temporary.Any());
        Assert.Empty(Files);
    }

    /// <summary>Half of the disk's budget is less than the body, which does not say how long it is.</summary>
    [Fact]
    public async Task WhatIsSpooledIsWithinTheBudgetOfTheDisk_AndShown()
    {
        _proxy["Cache:Disk:MaxBytes"] = "67108864";
        Send(Whole.Length - 1000, saysItsLength: false);
        var frame = HashAsync(await _proxy.OpenAsync(Frame, AsStored));
        await Until.TrueAsync(() => _most.Arrived == 1);
        var (spooled, shown) = (
            Temporary.Sum(f => new FileInfo(f).Length), (long)(await _proxy.GetAsync("/cache")).Json["disk"]!["bytes"]!);
        Assert.InRange(spooled, 1, 16 << 20);
        Assert.InRange(shown, spooled, 16 << 20);
        _most.Open();
        Assert.Equal(Hash, await frame);
        await Until.TrueAsync(() => !Temporary.Any());
        Assert.Equal(0, (long)(await _proxy.GetAsync("/cache")).Json["disk"]!["bytes"]!);
    }

    [Fact]
    public async Task WhenAllLeaveItsFileGoes()
    {
        var letGo = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _east.On("/frames/1", async connection =>
        {
            await connection.SendAsync(GetHead(Whole.Length));
            await connection.SendAsync(Whole[..(40 << 20)]);
            _ = _most.PassAsync();
            await connection.WaitForLeaveAsync();
            letGo.SetResult();
        });
        var first = await _proxy.OpenAsync(Frame, AsStored);
        var second = await _proxy.OpenAsync(Frame, AsStored);
        await Until.TrueAsync(() => _most.Arrived == 1 && Temporary.Any());
        first.Dispose();
        Assert.False(letGo.Task.IsCompleted);
        second.Dispose();
        await letGo.Task.WaitAsync(Until.Patience, TimeProvider.System, TestContext.Current.CancellationToken);
        await Until.TrueAsync(() => !Temporary.Any());
    }

    [Fact]
    public async Task WhenTheDiskFailsMeanwhile_ItPassesThrough()
    {
        Send(30 << 20, saysItsLength: true);
        var frame = HashAsync(await _proxy.OpenAsync(Frame, AsStored));
        await Until.TrueAsync(() => _most.Arrived == 1 && Temporary.Any());
        await Until.DeletedAsync(Path.Join(_folder.FullName, "cache"));
        _most.Open();
        Assert.Equal(Hash, await frame);
    }

    private static async Task<byte[]> HashAsync(HttpResponseMessage response)
    {
        using (response) return await SHA256.HashDataAsync(await response.Content.ReadAsStreamAsync());
    }

    private static string GetHead(int? length) => $"""
        HTTP/1.1 200 OK
        Content-Type: multipart/related; type="application/octet-stream"; boundary=b
        Connection: close

        --b
        Content-Type: application/octet-stream; transfer-syntax={HeldSeries.StoredTransferSyntax}{(length is null ? "" : $"\nContent-Length: {length}")}


        """.ReplaceLineEndings("\r\n");

    private void Send(int firstBytes, bool saysItsLength) => _east.On("/frames/1", async connection =>
    {
        await connection.SendAsync(
            [.. Encoding.ASCII.GetBytes(GetHead(saysItsLength ? Whole.Length : null)), .. Whole.AsSpan(0, firstBytes)]);
        await _most.PassAsync();
        await connection.SendAsync(Whole[firstBytes..]);
        await connection.SendAsync("\r\n--b--\r\n");
        connection.Close();
    });
}
