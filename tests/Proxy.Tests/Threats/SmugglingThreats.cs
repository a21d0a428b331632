using System.Text.RegularExpressions;
using Proxy.Tests.Pacs;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Threats;

/// <summary>A message whose end is ambiguous is refused, and nothing behind it is read as a request (RFC 9112 §11.2).</summary>
public sealed partial class SmugglingThreats(SmugglingThreats.Target target) : IClassFixture<SmugglingThreats.Target>
{
    /// <summary>One proxy for all messages.</summary>
    public sealed class Target : IAsyncLifetime
    {
        public WireMockPacs East { get; } = new();

        public ProxyHost Proxy { get; private set; } = null!;

        public ValueTask InitializeAsync()
        {
            Proxy = new ProxyHost(("east", East.Address));
            return ValueTask.CompletedTask;
        }

        public async ValueTask DisposeAsync()
        {
            await Proxy.DisposeAsync();
            East.Dispose();
        }
    }

    private const string Head = "POST /prefetch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";

    private const string Smuggled = "GET /dicomweb/studies?PatientID=smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";

    public static TheoryData<string, string> Ambiguous => new()
    {
        { "CL.TE", Head + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
        { "TE.CL", Head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n2\r\n{}\r\n0\r\n\r\n" },
        { "CL.CL", Head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}" },
        { "CL, CL", Head + "Content-Length: 2, 2\r\n\r\n{}" },
        { "CL -", Head + "Content-Length: -2\r\n\r\n{}" },
        { "TE list", Head + "Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" },
        { "TE twice", Head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n" },
        { "TE obfuscated", Head + "Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" },
        { "TE, space before the colon", Head + "Transfer-Encoding : chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" },
        { "TE, HTTP/1.0", Head.Replace("1.1", "1.0", StringComparison.Ordinal) + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" },
        { "chunk extension with LF", Head + "Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\n{}\r\n0\r\n\r\n" },
        { "chunk extension with CR", Head + "Transfer-Encoding: chunked\r\n\r\n2;a\rb\r\n{}\r\n0\r\n\r\n" },
        { "chunk size with LF", Head + "Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n" },
        { "chunk size too large", Head + "Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n" },
        { "chunk size with sign", Head + "Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n" },
        { "chunk without end", Head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n" },
        { "folded header", Head + "X-A: b\r\n Content-Length: 2\r\n\r\n{}" },
        { "header with LF", Head + "X-A: b\nContent-Length: 2\r\n\r\n{}" },
        { "header with CR", Head + "X-A: b\rContent-Length: 2\r\n\r\n{}" },
        { "header with NUL", Head + "X-A: b\0c\r\nContent-Length: 2\r\n\r\n{}" },
        { "header without colon", Head + "Content-Length 2\r\n\r\n{}" },
        { "two hosts", "GET /dicomweb/studies HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n" },
        { "request line with LF", "GET /dicomweb/studies HTTP/1.1\nHost: 127.0.0.1\n\n" },
        { "space in target", "GET /dicomweb/studies HTTP/1.1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" },
    };

    [Theory]
    [MemberData(nameof(Ambiguous))]
    public async Task T9_AnAmbiguousMessageIsTheLastOfItsConnection(string name, string message)
    {
        var answer = await target.Proxy.SendRawAsync(message + Smuggled);

        var statuses = StatusLine().Matches(answer).Select(m => m.Groups["status"].Value).ToList();
        Assert.True(statuses.Count == 1 && statuses[0][0] is '4' or '5', $"{name}: {answer}");
        Assert.Empty(target.East.Requests);
    }

    [GeneratedRegex(@"HTTP/1\.\d (?<status>\d{3}) ")]
    private static partial Regex StatusLine();
}
