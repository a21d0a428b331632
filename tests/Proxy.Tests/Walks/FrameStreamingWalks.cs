using System.Text;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Streaming of a frame: first bytes, shared fetches, and clients that disconnect.</summary>
public sealed class FrameStreamingWalks : IDisposable
{
    private const string Frame = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1";

    private const int HalfBytes = 200_000;

    private static readonly (string, string) AsStored = ("Accept", "application/octet-stream; transfer-syntax=*");

    private static readonly byte[] Whole = Pixels.In(HeldSeries.StoredTransferSyntax, "streamed", 2 * HalfBytes);

    private readonly RawPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    private readonly Gate _half = new();

    private readonly ProxyHost _proxy;

    public FrameStreamingWalks() => _proxy = new(("east", _east.Address));

    public void Dispose()
    {
        _half.Open();
        _proxy.Dispose();
        _east.Dispose();
    }

    [Theory]
    [InlineData(HalfBytes)]
    [InlineData(1000)]
    public async Task SendsTheFirstBytes_BeforeThePacsSendsTheRest(int firstBytes)
    {
        SendInTwo(firstBytes);

        using var response = await _proxy.OpenAsync(Frame, AsStored);
        var body = await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
        var first = new byte[firstBytes - 200];
        await body.ReadExactlyAsync(first, TestContext.Current.CancellationToken);

        Assert.False(_half.IsOpen);
        Assert.Equal(Whole[..first.Length], first);
        _half.Open();
        var rest = new byte[Whole.Length - first.Length];
        await body.ReadExactlyAsync(rest, TestContext.Current.CancellationToken);
        Assert.Equal(Whole[first.Length..], rest);
        Assert.Equal(0, await body.ReadAsync(new byte[1], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task AsksThePacsOnce_WhenManyClientsMissAtOnce()
    {
        SendInTwo(HalfBytes);

        var frames = Enumerable.Range(0, 50).Select(_ => _proxy.GetAsync(Frame, AsStored)).ToArray();
        await Until.TrueAsync(() => _proxy.Arrived == 50 && _half.Arrived == 1, "all wait");
        var late = _proxy.GetAsync(Frame, AsStored);
        await Until.TrueAsync(() => _proxy.Arrived == 51, "one more client waits");
        _half.Open();
        var replies = await Task.WhenAll([.. frames, late]);

        Assert.Equal(1, _east.Count("/frames/1"));
        Assert.All(replies, r => Assert.Equal(Whole, r.Body));
        Assert.Single(replies, r => r.CacheStatus == "Proxy; fwd=miss; stored");
        Assert.Contains(replies, r => r.CacheStatus == "Proxy; hit; collapsed");
        await AssertCachedAsync();
    }

    [Fact]
    public async Task ServesTheOthers_WhenTheFirstClientDisconnects()
    {
        SendInTwo(HalfBytes);

        var first = await _proxy.OpenAsync(Frame, AsStored);
        var second = _proxy.GetAsync(Frame, AsStored);
        await Until.TrueAsync(() => _proxy.Arrived == 2, "both wait");
        using var third = await _proxy.OpenAsync(Frame, AsStored);
        first.Dispose();
        _half.Open();

        Assert.Equal(Whole, (await second).Body);
        Assert.Equal(Whole, (await Reply.ReadAsync(third)).Body);
        Assert.Equal(1, _east.Count("/frames/1"));
        await AssertCachedAsync();
    }

    [Fact]
    public async Task CancelsTheFetch_WhenAllClientsDisconnect()
    {
        var disconnected = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _east.On("/frames/1", async connection =>
        {
            await connection.SendAsync(GetHead(Whole));
            await connection.SendAsync(Whole[..HalfBytes]);
            await connection.WaitForDisconnectAsync();
            disconnected.SetResult();
        });

        var first = await _proxy.OpenAsync(Frame, AsStored);
        var second = await _proxy.OpenAsync(Frame, AsStored);
        first.Dispose();
        second.Dispose();

        await disconnected.Task.WaitAsync(Until.Patience, TimeProvider.System, TestContext.Current.CancellationToken);
        _east.Recover();
        // The client connection closes before the fetch ends.
        await Until.TrueAsync(
            async () => (await _proxy.GetAsync(Frame, AsStored)).CacheStatus == "Proxy; hit", "it is fetched again and cached");
        Assert.Equal(2, _east.Count("/frames/1"));
    }

    [Fact]
    public async Task CancelsTheFetch_WhenTheClientDisconnectsBeforeThePacsAnswers()
    {
        var disconnected = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _east.On("/frames/1", async connection =>
        {
            _ = _half.PassAsync();
            await connection.WaitForDisconnectAsync();
            disconnected.SetResult();
        });
        using var disconnect = new CancellationTokenSource();

        var frame = _proxy.GetAsync(Frame, disconnect.Token);
        await Until.TrueAsync(() => _half.Arrived == 1, "the PACS is asked");
        await disconnect.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => frame);
        await disconnected.Task.WaitAsync(Until.Patience, TimeProvider.System, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task ServesAFrameThatIsTooLargeToCache()
    {
        var large = Pixels.In(HeldSeries.StoredTransferSyntax, "large", 6 << 20);
        await using var proxy = new ProxyHost(("east", _east.Address)) { ["Cache:Memory:MaxBytes"] = $"{8 << 20}" };
        _east.On("/frames/1", async connection =>
        {
            await connection.SendAsync(GetHead(large));
            await connection.SendAsync(large);
            await connection.SendAsync("\r\n--b--\r\n");
            connection.Close();
        });

        Assert.Equal(large, (await proxy.GetAsync(Frame, AsStored)).Body);
        Assert.Equal(large, (await proxy.GetAsync(Frame, AsStored)).Body);
        Assert.Equal(2, _east.Count("/frames/1"));
    }

    /// <summary>
    /// A client has the last byte of a frame before the end of the backend's answer proves it, so the proxy caches it a moment later.
    /// </summary>
    private async Task AssertCachedAsync()
    {
        await Until.TrueAsync(async () => (await _proxy.GetAsync(Frame, AsStored)).CacheStatus == "Proxy; hit", "the frame is cached");
        Assert.Equal(1, _east.Count("/frames/1"));
    }

    /// <summary>A multipart body that the connection ends, as Orthanc sends frames; the part has no length.</summary>
    private static string GetHead(byte[] body) => $"""
        HTTP/1.1 200 OK
        Content-Type: multipart/related; type="application/octet-stream"; boundary=b
        Connection: close

        --b
        Content-Type: application/octet-stream; transfer-syntax={HeldSeries.StoredTransferSyntax}
        Content-Length: {body.Length}


        """.ReplaceLineEndings("\r\n");

    private void SendInTwo(int firstBytes) => _east.On("/frames/1", async connection =>
    {
        await connection.SendAsync([.. Encoding.ASCII.GetBytes(GetHead(Whole)), .. Whole.AsSpan(0, firstBytes)]);
        await _half.PassAsync();
        await connection.SendAsync(Whole[firstBytes..]);
        await connection.SendAsync("\r\n--b--\r\n");
        connection.Close();
    });
}
