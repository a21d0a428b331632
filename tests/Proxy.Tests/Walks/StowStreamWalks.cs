using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>STOW-RS on the wire: the body passes as it arrives, and lost connections are told as what they are.</summary>
public sealed class StowStreamWalks : IAsyncDisposable
{
    private const string Studies = "/backends/east/dicomweb/studies";

    private const string Ok =
        "HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: 2\r\n\r\n{}";

    private readonly RawPacs _east = new();

    private readonly ProxyHost _proxy;

    public StowStreamWalks()
    {
        _proxy = new(("east", _east.Address)) { ["Store:MaxBytes"] = $"{512 << 20}" };
        // The study is looked up while its instances are stored.
        _east.On("/series", c => c.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: 2\r\n\r\n[]"));
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Fact]
    public async Task ReadsNoMoreOfTheBodyThanTheBackendTakes()
    {
        const int Length = 200 << 20;
        var gate = new Gate();
        var received = 0L;
        _east.On("/studies", async c =>
        {
            await c.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
            await gate.PassAsync();
            received = await c.ReadBodyAsync(Length);
            await c.SendAsync(Ok);
        });
        var sent = new CountedStream(StowMessage.Join(StowMessage.File("1.2.9", "1.2.9.1", "1.2.9.1.1", 1 << 20)), Length);

        var storing = _proxy.PostAsync(Studies, StowMessage.WithType(new StreamContent(sent) { Headers = { ContentLength = Length } }));

        await Until.TrueAsync(() => gate.Arrived == 1 && sent.IsHeldUp);
        Assert.InRange(sent.Count, 1, 64 << 20);
        gate.Open();
        Assert.Equal(HttpStatusCode.OK, (await storing).Status);
        Assert.Equal(Length, received);
    }

    [Fact]
    public async Task LeavesHalfOfTheRequestsToOthers_WhileClientsStore()
    {
        await using var proxy = new ProxyHost(("east", _east.Address)) { ["Backends:east:MaxConcurrentRequests"] = "2" };
        var body = StowMessage.Join(StowMessage.File("1.2.9", "1.2.9.1", "1.2.9.1.1"));
        var gate = new Gate();
        _east.On("/studies/1.2.9", async c =>
        {
            await c.ReadBodyAsync(body.Length);
            await gate.PassAsync();
            await c.SendAsync(Ok);
        });

        var first = proxy.PostAsync(Studies + "/1.2.9", StowMessage.WithType(new ByteArrayContent(body)));
        await Until.TrueAsync(() => gate.Arrived == 1);
        var second = proxy.PostAsync(Studies + "/1.2.9", StowMessage.WithType(new ByteArrayContent(body)));

        Assert.Empty((await proxy.GetAsync("/dicomweb/studies?PatientID=1")).Warnings);
        Assert.Equal(1, gate.Arrived);
        gate.Open();
        Assert.Equal(HttpStatusCode.OK, (await first).Status);
        Assert.Equal(HttpStatusCode.OK, (await second).Status);
    }

    [Fact]
    public async Task SendsABodyOfUnknownLengthInChunks_AndExpects100Continue()
    {
        var body = StowMessage.Join(StowMessage.File("1.2.9", "1.2.9.1", "1.2.9.1.1"));
        var text = "";
        _east.On("/studies", async c =>
        {
            await c.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
            // A search for studies has no body.
            var read = await c.ReadChunksAsync();
            if (read.Length > 0) text = read;
            await c.SendAsync(Ok);
        });

        var reply = await _proxy.PostAsync(Studies, StowMessage.WithType(new StreamContent(new CountedStream(body, body.Length))));

        Assert.Equal(HttpStatusCode.OK, reply.Status);
        Assert.Equal(Encoding.Latin1.GetString(body), text);
        var request = Assert.Single(_east.Requests, r => r.Head.StartsWith("POST", StringComparison.Ordinal));
        Assert.Contains("Expect: 100-continue", request.Head);
        Assert.Contains("Transfer-Encoding: chunked", request.Head);
    }

    [Fact]
    public async Task ExpectsNo100Continue_FromABackendThatSentNone()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var proxy = new ProxyHost(("east", _east.Address)) { Time = time };
        var body = StowMessage.Join(StowMessage.File("1.2.9", "1.2.9.1", "1.2.9.1.1", 2 << 20));
        _east.On("/studies", async c =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await c.ReadBodyAsync(body.Length);
            await c.SendAsync(Ok);
        });

        for (var i = 0; i < 2; i++)
            Assert.Equal(HttpStatusCode.OK, (await proxy.PostAsync(Studies, StowMessage.WithType(new ByteArrayContent(body)))).Status);

        Assert.Equal(
            [true, false],
            _east.Requests.Where(r => r.Head.StartsWith("POST", StringComparison.Ordinal))
                .Select(r => r.Head.Contains("Expect: 100-continue", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task AsksTheClientForItsBody_WhenTheClientExpects100Continue()
    {
        var body = Encoding.Latin1.GetString(StowMessage.Join(StowMessage.File("1.2.9", "1.2.9.1", "1.2.9.1.1")));
        _east.On("/studies", async c =>
        {
            await c.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
            await c.ReadBodyAsync(body.Length);
            await c.SendAsync(Ok);
        });

        var cancellation = TestContext.Current.CancellationToken;
        using var client = new TcpClient(AddressFamily.InterNetwork);
        await client.ConnectAsync(IPAddress.Loopback, new Uri(_proxy.Address).Port, cancellation);
        using var answer = new StreamReader(client.GetStream(), Encoding.Latin1);
        await client.GetStream().WriteAsync(
            Encoding.Latin1.GetBytes(
                $"POST {Studies} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\n" +
                $"Content-Type: {StowMessage.ContentType}\r\nContent-Length: {body.Length}\r\n\r\n"), cancellation);
        Assert.Equal("HTTP/1.1 100 Continue", await answer.ReadLineAsync(cancellation));
        await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(body), cancellation);

        Assert.StartsWith("\r\nHTTP/1.1 200 OK", await answer.ReadToEndAsync(cancellation));
    }

    [Fact]
    public async Task Returns413_WhenABodyOfUnknownLengthReachesTheLimit()
    {
        await using var small = new ProxyHost(("east", _east.Address)) { ["Store:MaxBytes"] = "1000" };
        _east.On("/studies", async c =>
        {
            await c.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
            await c.WaitForDisconnectAsync();
        });
        var body = StowMessage.Join(StowMessage.File("1.2.9", "1.2.9.1", "1.2.9.1.1"));

        var reply = await small.PostAsync(Studies, StowMessage.WithType(new StreamContent(new CountedStream(body, body.Length))));

        reply.IsProblem(413, names: "Store:MaxBytes");
        Assert.Equal(0, (int?)(await small.GetAsync("/health/ready")).Json["backends"]!["east"]!["failed"] ?? 0);
    }

    [Theory]
    [InlineData(413)]
    [InlineData(415)]
    public async Task PassesARefusalByTheHead_WithoutReadingTheBody(int status)
    {
        _east.On("/studies", async c =>
        {
            await c.SendAsync($"HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            c.Close();
            await c.WaitForDisconnectAsync();
        });
        var sent = new CountedStream(StowMessage.Join(StowMessage.File("1.2.9", "1.2.9.1", "1.2.9.1.1")), 1 << 20);

        var body = StowMessage.WithType(new StreamContent(sent) { Headers = { ContentLength = 1 << 20 } });
        var reply = await _proxy.PostAsync(Studies, body);

        reply.IsProblem(status);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ReportsAnUnknownResultAndDoesNotRepeat_WhenTheConnectionIsLostAfterTheBody(bool isReset)
    {
        var body = StowMessage.Join(StowMessage.File("1.2.9", "1.2.9.1", "1.2.9.1.1"));
        _east.On("/studies", async c =>
        {
            await c.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
            await c.ReadBodyAsync(body.Length);
            if (isReset) c.Reset();
            else c.Close();
        });

        var reply = await _proxy.PostAsync(Studies, StowMessage.WithType(new ByteArrayContent(body)));

        reply.IsProblem(502, names: "unknown");
        Assert.Single(_east.Requests, r => r.Head.StartsWith("POST", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ReportsAnUnknownResult_WhenTheConnectionIsLostWithinTheBody()
    {
        const int Length = 64 << 20;
        _east.On("/studies", async c =>
        {
            await c.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
            await c.ReadBodyAsync(1 << 20);
            c.Reset();
        });
        var sent = new CountedStream(StowMessage.Join(StowMessage.File("1.2.9", "1.2.9.1", "1.2.9.1.1")), Length);

        var reply = await TryPostAsync(StowMessage.WithType(new StreamContent(sent) { Headers = { ContentLength = Length } }));

        reply?.IsProblem(502, names: "unknown");
        Assert.Single(_east.Requests, r => r.Head.StartsWith("POST", StringComparison.Ordinal));
    }

    /// <summary>Null when the client cannot read the answer, because the proxy closed the connection to end the sending.</summary>
    private async Task<Reply?> TryPostAsync(HttpContent body)
    {
        try
        {
            return await _proxy.PostAsync(Studies, body);
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>A stream that begins with these bytes, goes on with zeros, and counts what was read.</summary>
    private sealed class CountedStream(byte[] start, long length) : Stream
    {
        /// <summary>The length of the closing delimiter and its line ends.</summary>
        private const int Closing = 14;

        private long _position;
        private long _lastSeen = -1;

        public long Count => Interlocked.Read(ref _position);

        /// <summary>True when nothing was read since the last question.</summary>
        public bool IsHeldUp
        {
            get
            {
                var now = Count;
                var isHeldUp = now > 0 && now == _lastSeen;
                _lastSeen = now;
                return isHeldUp;
            }
        }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => Count; set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            var at = Count;
            count = (int)Math.Min(count, length - at);
            buffer.AsSpan(offset, count).Clear();
            for (var i = 0; i < count && at + i < start.Length; i++) buffer[offset + i] = GetByte(at + i);
            for (var i = Math.Max(0, length - Closing - at); i < count; i++) buffer[offset + i] = GetByte(at + i);
            Interlocked.Add(ref _position, count);
            return count;
        }

        public override void Flush() { }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        /// <summary>The start without its closing delimiter, zeros, then that delimiter.</summary>
        private byte GetByte(long at)
        {
            if (length == start.Length) return start[at];
            if (at < start.Length - Closing) return start[at];
            var left = length - at;
            return left <= Closing ? start[^(int)left] : (byte)0;
        }
    }
}
