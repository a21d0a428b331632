using System.Text;
using Proxy.Tests.Pacs;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>One answer for a whole series: one owner, one request, the backend's pace, and bounds.</summary>
public sealed class SeriesTransferWalks : IAsyncDisposable
{
    private const string Path = "/dicomweb/studies/1.2.1/series/1.2.1.1";
    private const string Accept = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";
    private const string Head =
        "HTTP/1.1 200 OK\r\nContent-Type: multipart/related; type=\"application/dicom\"; boundary=b\r\nConnection: close\r\n\r\n";

    private static readonly HeldSeries Series = new("1.2.1.1", "CT", 8);

    private readonly RawPacs _east = new(new HeldStudy("1.2.1").With(Series));
    private readonly WireMockPacs _west = new(new HeldStudy("1.2.1").With(Series));
    private readonly ProxyHost _proxy;

    public SeriesTransferWalks()
    {
        _proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address));
        _proxy["Backends:east:Preference"] = "1";
        _proxy["Backends:west:Preference"] = "2";
        _proxy["Prefetch:SeriesReadAhead"] = "false";
        _proxy["Cache:Disk:Path"] = System.IO.Path.Combine(_proxy.Root, "cache");
        foreach (var instance in Series.InstanceUids)
            _west.On($"/instances/{instance}", _ => Archive.Multipart("application/dicom", File(instance, 0xBB, pixels: 64)));
        AnswerInstances(0xAA);
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
        _west.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task GivesNoInstanceOfAnotherHolder_WhenTheOwnerGaveThreeAndFails(bool endsCleanly)
    {
        FailInstances();
        Answer(async connection => await connection.SendAsync(Multipart(Series.InstanceUids.Take(3), endsCleanly)));
        await _proxy.GetAsync(Path + "/metadata");

        await Assert.ThrowsAsync<HttpRequestException>(GetAsync);
    }

    [Fact]
    public async Task AsksAnotherHolderForAll_WhenTheOwnerGivesNothing()
    {
        await _proxy.GetAsync(Path + "/metadata");
        FailInstances();
        Answer(_ => Task.CompletedTask, head: "");

        Assert.Equal(Files(0xBB), await GetAsync());
    }

    [Fact]
    public async Task SendsOneRequest_WhenManyClientsAskAtOnce()
    {
        var (asked, gate) = (0, new Gate());
        Answer(async connection =>
        {
            Interlocked.Increment(ref asked);
            await connection.SendAsync(Multipart(Series.InstanceUids.Take(2), isClosed: false));
            await gate.PassAsync();
            await connection.SendAsync(Multipart(Series.InstanceUids.Skip(2), isClosed: true));
        });
        await _proxy.GetAsync(Path + "/metadata");

        // An answer begins when its client has joined the transfer.
        var all = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => _proxy.OpenAsync(Path, ("Accept", Accept))));
        gate.Open();

        foreach (var reply in await Task.WhenAll(all.Select(Reply.ReadAsync)))
            Assert.Equal(Files(0xAA), Parts.Read(reply).Select(part => part.Body));
        Assert.Equal(1, asked);
        Assert.Equal(0, CountInstanceRequests());
    }

    [Fact]
    public async Task ReadsTheBackendAtItsOwnPace_WhenTheClientDoesNotRead()
    {
        var sent = new Gate();
        Answer(async connection =>
        {
            await connection.SendAsync(Multipart(Series.InstanceUids, isClosed: true, pixels: 4 << 20));
            sent.Open();
        });
        await _proxy.GetAsync(Path + "/metadata");

        using var slow = await _proxy.OpenAsync(Path, ("Accept", Accept));

        await Until.TrueAsync(() => sent.IsOpen, "the backend has sent the whole series");
    }

    [Fact]
    public async Task AsksForInstancesAlone_WhenTheSeriesAnswerWasCutOffBefore()
    {
        var asked = 0;
        Answer(async connection =>
        {
            Interlocked.Increment(ref asked);
            var answer = Multipart(Series.InstanceUids, isClosed: true, pixels: 100_000);
            await connection.SendAsync(answer[..250_000]);
        });
        await _proxy.GetAsync(Path + "/metadata");

        await Assert.ThrowsAsync<HttpRequestException>(GetAsync);

        Assert.Equal(8, (await GetAsync()).Count);
        Assert.Equal(1, asked);
    }

    [Fact]
    public async Task BreaksTheConnection_WhenAFileEndsInsideADataElement()
    {
        Answer(async connection => await connection.SendAsync(
            Multipart([File("1.2.1.1.1", 0xAA, pixels: 64), File("1.2.1.1.2", 0xAA, pixels: 100_000)[..^30]], isClosed: true)));
        await _proxy.GetAsync(Path + "/metadata");

        await Assert.ThrowsAsync<HttpRequestException>(GetAsync);

        Assert.Equal(Files(0xAA), await GetAsync());
        Assert.Equal(1, _east.Count("/instances/1.2.1.1.2"));
    }

    [Fact]
    public async Task EndsTheAnswer_WhenTheBackendGoesOnAfterTheLastInstance()
    {
        Answer(async connection =>
        {
            await connection.SendAsync(Multipart(Series.InstanceUids, isClosed: false));
            await SendUntilLeftAsync(connection, Multipart(Series.InstanceUids, isClosed: false));
        });
        await _proxy.GetAsync(Path + "/metadata");

        Assert.Equal(Files(0xAA), await GetAsync());
    }

    [Fact]
    public async Task AsksForInstancesAlone_WhenTheBackendSendsOthersWithoutEnd()
    {
        Answer(connection => SendUntilLeftAsync(
            connection, Multipart(Enumerable.Range(0, 100).Select(n => $"1.2.1.1.9{n}"), isClosed: false)));
        await _proxy.GetAsync(Path + "/metadata");

        Assert.Equal(Files(0xAA), await GetAsync());
        Assert.Equal(8, CountInstanceRequests());
    }

    [Fact]
    public async Task AsksForTheRestAlone_WhenTheStudyIsPurgedMeanwhile()
    {
        AnswerInstances(0xCC);
        var gate = new Gate();
        Answer(async connection =>
        {
            await connection.SendAsync(Multipart(Series.InstanceUids.Take(2), isClosed: false));
            await gate.PassAsync();
            await connection.SendAsync(Multipart(Series.InstanceUids.Skip(2), isClosed: true));
        });
        await _proxy.GetAsync(Path + "/metadata");

        var getting = GetAsync();
        await Until.TrueAsync(() => gate.Arrived == 1, "two instances were sent");
        Assert.Equal(204, (int)(await _proxy.SendAsync(HttpMethod.Delete, "/cache/studies/1.2.1", [])).Status);
        gate.Open();

        Assert.Equal(Files(0xCC).Skip(2), (await getting).Skip(2));
    }

    private int CountInstanceRequests() => Series.InstanceUids.Sum(i => _east.Count("/instances/" + i));

    /// <summary>Scripts the answer to the request for the whole series.</summary>
    private void Answer(Func<RawConnection, Task> script, string head = Head) => _east.On("series/1.2.1.1", async connection =>
    {
        await connection.SendAsync(head);
        await script(connection);
        connection.Close();
    });

    private void AnswerInstances(byte fill)
    {
        foreach (var instance in Series.InstanceUids)
            _east.On("/instances/" + instance, connection => connection.SendAsync(Single(File(instance, fill, pixels: 64))));
    }

    private void FailInstances()
    {
        foreach (var instance in Series.InstanceUids)
        {
            _east.On("/instances/" + instance, connection =>
            {
                connection.Close();
                return Task.CompletedTask;
            });
        }
    }

    private static async Task SendUntilLeftAsync(RawConnection connection, byte[] bytes)
    {
        try
        {
            while (true) await connection.SendAsync(bytes);
        }
        catch (Exception e) when (
            e is IOException or System.Net.Sockets.SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The proxy has left.
        }
    }

    private async Task<List<byte[]>> GetAsync() => [.. Parts.Read(await _proxy.GetAsync(Path, ("Accept", Accept))).Select(p => p.Body)];

    /// <summary>One instance as the backend answers when it is asked for alone.</summary>
    private static byte[] Single(byte[] file) =>
    [
        .. Encoding.ASCII.GetBytes(Head.Replace("Connection: close", $"Content-Length: {file.Length + 49}", StringComparison.Ordinal)),
        .. "--b\r\nContent-Type: application/dicom\r\n\r\n"u8, .. file, .. "\r\n--b--\r\n"u8,
    ];

    private static List<byte[]> Files(byte fill) => [.. Series.InstanceUids.Select(i => File(i, fill, pixels: 64))];

    private static byte[] Multipart(IEnumerable<string> instances, bool isClosed, int pixels = 64) =>
        Multipart(instances.Select(i => File(i, 0xAA, pixels)), isClosed);

    private static byte[] Multipart(IEnumerable<byte[]> files, bool isClosed)
    {
        var body = new List<byte>();
        foreach (var file in files)
        {
            body.AddRange(Encoding.ASCII.GetBytes($"--b\r\nContent-Type: application/dicom\r\nContent-Length: {file.Length}\r\n\r\n"));
            body.AddRange(file);
            body.AddRange("\r\n"u8);
        }
        if (isClosed) body.AddRange("--b--\r\n"u8);
        return [.. body];
    }

    private static byte[] File(string instance, byte fill, int pixels) => new Part10File()
        .SetRaw(0x00020003, Part10File.Element(0x00020003, "UI", Part10File.Even(instance, '\0')))
        .Set(0x00080018, "UI", Part10File.Even(instance, '\0'))
        .Set(0x0020000D, "UI", Part10File.Even("1.2.1", '\0'))
        .Set(0x0020000E, "UI", Part10File.Even(Series.Uid, '\0'))
        .Set(0x7FE00010, "OW", [.. Enumerable.Repeat(fill, pixels)]).ToArray();
}
