using System.Security.Cryptography;
using System.Text;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Bodies that are too large for memory: spooled to a file, streamed to every waiting client, and cached.</summary>
public sealed class LargeBodyWalks : IDisposable
{
    private const string Frame = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1";

    private static readonly (string, string) AsStored = ("Accept", "application/octet-stream; transfer-syntax=*");

    private static readonly byte[] Whole = Pixels.In(HeldSeries.StoredTransferSyntax, "large", 48 << 20);

    private static readonly byte[] Hash = SHA256.HashData(Whole);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxy-large-");

    private readonly RawPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    private readonly Gate _gate = new();

    private readonly ProxyHost _proxy;

    public LargeBodyWalks() => _proxy = new(("east", _east.Address)) { ["Cache:Disk:Path"] = Path.Join(_folder.FullName, "cache") };

    private IEnumerable<string> Files =>
        Directory.EnumerateFiles(Path.Join(_folder.FullName, "cache", "entries"), "*", SearchOption.AllDirectories);

    private IEnumerable<string> Temporary => Directory.EnumerateFiles(Path.Join(_folder.FullName, "cache", "tmp"));

    public void Dispose()
    {
        _gate.Open();
        _proxy.Dispose();
        _east.Dispose();
        Until.DeletedAsync(_folder.FullName).GetAwaiter().GetResult();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ServesLateClientsFromTheBeginning_WithOneRequestToThePacs(bool hasLength)
    {
        Send(Whole.Length - 1000, hasLength);
        var early = HashAsync(await _proxy.OpenAsync(Frame, AsStored));
        await Until.TrueAsync(() => _gate.Arrived == 1);
        var late = Enumerable.Range(0, 8).Select(async _ => await HashAsync(await _proxy.OpenAsync(Frame, AsStored))).ToList();
        // A client that does not read must not delay the others.
        using var asleep = await _proxy.OpenAsync(Frame, AsStored);
        await Until.TrueAsync(() => _proxy.Arrived == 10);
        _gate.Open();

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
    public async Task AsksThePacsOnce_ForClientsThatAcceptSeveralForms()
    {
        const string Frames = Frame + "?accept=image/jls,application/octet-stream%3Bq%3D0.5";
        Send(Whole.Length - 1000, hasLength: true);
        var early = HashAsync(await _proxy.OpenAsync(Frames));
        var late = await _proxy.OpenAsync(Frames);
        _gate.Open();

        Assert.Equal(Hash, await early);
        Assert.Equal("Proxy; hit; collapsed", late.Headers.GetValues("Cache-Status").Single());
        Assert.Equal(Hash, await HashAsync(late));
        // Also after the last byte, when it may not be on disk yet.
        Assert.Equal(Hash, await HashAsync(await _proxy.OpenAsync(Frames)));
        Assert.Equal(1, _east.Count("/frames/1"));
    }

    [Fact]
    public async Task CachesNothingAndLeavesNoFile_WhenTheBodyIsTruncated()
    {
        _east.On("/frames/1", async connection =>
        {
            await connection.SendAsync(GetHead(Whole.Length));
            await connection.SendAsync(Whole[..(40 << 20)]);
            await _gate.PassAsync();
            connection.Close();
        });
        var frame = HashAsync(await _proxy.OpenAsync(Frame, AsStored));
        await Until.TrueAsync(() => _gate.Arrived == 1 && Temporary.Any());
        _gate.Open();
        await Assert.ThrowsAnyAsync<Exception>(() => frame);
        await Until.TrueAsync(() => !Temporary.Any());
        Assert.Empty(Files);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task DoesNotCacheABody_WhenItExceedsTheMaximumSize(bool hasLength)
    {
        _proxy["Cache:MaxBodyBytes"] = "33554432";
        Send(Whole.Length - 1000, hasLength);
        _gate.Open();
        using var response = await _proxy.OpenAsync(Frame, AsStored);
        if (hasLength) Assert.Equal(502, (int)response.StatusCode);
        else await Assert.ThrowsAnyAsync<Exception>(() => HashAsync(response));
        await Until.TrueAsync(() => !Temporary.Any());
        Assert.Empty(Files);
    }

    /// <summary>Half of the disk budget is smaller than the body, whose length is unknown.</summary>
    [Fact]
    public async Task CountsSpooledBytes_InTheDiskBudget()
    {
        _proxy["Cache:Disk:MaxBytes"] = "67108864";
        Send(Whole.Length - 1000, hasLength: false);
        var frame = HashAsync(await _proxy.OpenAsync(Frame, AsStored));
        await Until.TrueAsync(() => _gate.Arrived == 1);
        var (spooled, shown) = (
            Temporary.Sum(f => new FileInfo(f).Length), (long)(await _proxy.GetAsync("/cache")).Json["disk"]!["bytes"]!);
        Assert.InRange(spooled, 1, 16 << 20);
        Assert.InRange(shown, spooled, 16 << 20);
        _gate.Open();
        Assert.Equal(Hash, await frame);
        // The file is deleted first, and its bytes are returned to the budget after that.
        await Until.TrueAsync(
            async () => !Temporary.Any() && (long)(await _proxy.GetAsync("/cache")).Json["disk"]!["bytes"]! == 0);
    }

    [Fact]
    public async Task RemovesTheFile_WhenAllClientsDisconnect()
    {
        var disconnected = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _east.On("/frames/1", async connection =>
        {
            await connection.SendAsync(GetHead(Whole.Length));
            await connection.SendAsync(Whole[..(40 << 20)]);
            _ = _gate.PassAsync();
            await connection.WaitForDisconnectAsync();
            disconnected.SetResult();
        });
        var first = await _proxy.OpenAsync(Frame, AsStored);
        var second = await _proxy.OpenAsync(Frame, AsStored);
        await Until.TrueAsync(() => _gate.Arrived == 1 && Temporary.Any());
        first.Dispose();
        Assert.False(disconnected.Task.IsCompleted);
        second.Dispose();
        await disconnected.Task.WaitAsync(Until.Patience, TimeProvider.System, TestContext.Current.CancellationToken);
        await Until.TrueAsync(() => !Temporary.Any());
    }

    [Fact]
    public async Task StreamsTheBody_WhenTheDiskFailsDuringTheFetch()
    {
        Send(30 << 20, hasLength: true);
        var frame = HashAsync(await _proxy.OpenAsync(Frame, AsStored));
        await Until.TrueAsync(() => _gate.Arrived == 1 && Temporary.Any());
        await Until.DeletedAsync(Path.Join(_folder.FullName, "cache"));
        _gate.Open();
        Assert.Equal(Hash, await frame);
    }

    private static async Task<byte[]> HashAsync(HttpResponseMessage response)
    {
        using (response) return await SHA256.HashDataAsync(await response.Content.ReadAsStreamAsync());
    }

    private static string GetLengthHeader(int? length) => length is null ? "" : $"\nContent-Length: {length}";

    private static string GetHead(int? length) => $"""
        HTTP/1.1 200 OK
        Content-Type: multipart/related; type="application/octet-stream"; boundary=b
        Connection: close

        --b
        Content-Type: application/octet-stream; transfer-syntax={HeldSeries.StoredTransferSyntax}{GetLengthHeader(length)}


        """.ReplaceLineEndings("\r\n");

    private void Send(int firstBytes, bool hasLength) => _east.On("/frames/1", async connection =>
    {
        await connection.SendAsync(
            [.. Encoding.ASCII.GetBytes(GetHead(hasLength ? Whole.Length : null)), .. Whole.AsSpan(0, firstBytes)]);
        await _gate.PassAsync();
        await connection.SendAsync(Whole[firstBytes..]);
        await connection.SendAsync("\r\n--b--\r\n");
        connection.Close();
    });
}
