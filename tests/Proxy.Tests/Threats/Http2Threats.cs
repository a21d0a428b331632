using System.Buffers.Binary;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Proxy.Tests.Pacs;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Threats;

/// <summary>A request over HTTP/2 whose fields have no unambiguous form in HTTP/1.1 is refused (RFC 9113 §8.2, §8.3).</summary>
public sealed class Http2Threats(Http2Threats.Target target) : IClassFixture<Http2Threats.Target>
{
    /// <summary>The first byte of an answer with status 200 (RFC 7541, appendix A, index 8).</summary>
    private const byte Status200 = 0x88;

    private const byte Headers = 1, Reset = 3, Settings = 4, GoAway = 7;

    private static readonly (string, string)[] Valid =
        [(":method", "GET"), (":scheme", "https"), (":authority", "127.0.0.1"), (":path", "/dicomweb/studies")];

    public static TheoryData<string, (string, string)[]> Ambiguous => new()
    {
        { "transfer-encoding", [.. Valid, ("transfer-encoding", "chunked")] },
        { "connection", [.. Valid, ("connection", "close")] },
        { "length without a body", [.. Valid, ("content-length", "5")] },
        { "pseudo-header after a header", [Valid[0], Valid[1], ("x-a", "b"), Valid[2], Valid[3]] },
        { "two paths", [.. Valid, (":path", "/cache")] },
        { "unknown pseudo-header", [.. Valid, (":evil", "1")] },
        { "no path", [.. Valid[..3]] },
        { "upper case", [.. Valid, ("X-A", "b")] },
        { "line end in a value", [.. Valid, ("x-a", "b\r\ntransfer-encoding: chunked")] },
        { "line end in a name", [.. Valid, ("x-a\r\nb", "c")] },
        { "space in a name", [.. Valid, ("x a", "b")] },
        { "line end in the path", [.. Valid[..3], (":path", "/dicomweb/studies\r\nx: y")] },
        { "request line in the path", [.. Valid[..3], (":path", "/dicomweb/studies HTTP/1.1")] },
    };

    /// <summary>One proxy with TLS for all requests.</summary>
    public sealed class Target : IAsyncLifetime
    {
        public WireMockPacs East { get; } = new();

        public ProxyHost Proxy { get; private set; } = null!;

        public ValueTask InitializeAsync()
        {
            using var authority = new TestAuthority();
            Proxy = new ProxyHost(("east", East.Address)) { ["urls"] = "https://127.0.0.1:0" };
            var (certificate, key) = authority.Issue("CN=proxy");
            var file = Path.Combine(Proxy.Root, "server.pem");
            File.WriteAllText(file, certificate + "\n" + key);
            Proxy["Security:Tls:Certificate"] = file;
            return ValueTask.CompletedTask;
        }

        public async ValueTask DisposeAsync()
        {
            await Proxy.DisposeAsync();
            East.Dispose();
        }
    }

    [Theory]
    [MemberData(nameof(Ambiguous))]
    public async Task T9_AnAmbiguousRequestOverHttp2IsRefused(string name, (string, string)[] fields)
    {
        var before = target.East.Requests.Count;

        var (type, first) = await SendAsync(fields);

        Assert.True(type is Reset or GoAway || type == Headers && first != Status200, $"{name}: frame {type} begins with {first:x2}");
        Assert.Equal(before, target.East.Requests.Count);
    }

    [Fact]
    public async Task AValidRequestIsAnswered() => Assert.Equal((Headers, Status200), await SendAsync(Valid));

    /// <summary>Sends one request, and reads the type of the first frame that answers it, and the first byte of that frame.</summary>
    private async Task<(byte Type, byte First)> SendAsync((string Name, string Value)[] fields)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, new Uri(target.Proxy.Address).Port, TestContext.Current.CancellationToken);
        await using var tls = new SslStream(
            client.GetStream(), leaveInnerStreamOpen: false, (_, certificate, _, _) => certificate is not null);
        var options = new SslClientAuthenticationOptions
        {
            TargetHost = "127.0.0.1",
            ApplicationProtocols = [SslApplicationProtocol.Http2],
        };
        await tls.AuthenticateAsClientAsync(options, TestContext.Current.CancellationToken);
        Assert.Equal(SslApplicationProtocol.Http2, tls.NegotiatedApplicationProtocol);
        byte[] block = [.. fields.SelectMany(f => (byte[])[0, .. Encode(f.Name), .. Encode(f.Value)])];
        // END_STREAM and END_HEADERS.
        byte[] request = [.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, .. Frame(Settings, 0, 0, []), .. Frame(Headers, 5, 1, block)];
        await tls.WriteAsync(request, TestContext.Current.CancellationToken);
        var head = new byte[9];
        while (true)
        {
            await tls.ReadExactlyAsync(head, TestContext.Current.CancellationToken);
            var payload = new byte[(head[0] << 16) | (head[1] << 8) | head[2]];
            await tls.ReadExactlyAsync(payload, TestContext.Current.CancellationToken);
            if (head[3] is Headers or Reset or GoAway) return (head[3], payload.Length > 0 ? payload[0] : (byte)0);
        }
    }

    private static byte[] Encode(string text) => [(byte)text.Length, .. Encoding.Latin1.GetBytes(text)];

    private static byte[] Frame(byte type, byte flags, int stream, byte[] payload)
    {
        var frame = new byte[9 + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, payload.Length << 8);
        (frame[3], frame[4]) = (type, flags);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame, 9);
        return frame;
    }
}
