using System.Text;
using Proxy.Backends.PassThrough;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Forwarded answers name no host of the PACS, run nothing in a browser, and keep refusals.</summary>
public sealed class ForwardedAnswerWalks : IAsyncDisposable
{
    private const string Workitems = "/backends/east/dicomweb/workitems";

    private readonly RawPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    private readonly ProxyHost _proxy;

    public ForwardedAnswerWalks() => _proxy = new(("east", _east.Address))
    {
        ["Backends:east:Forward"] = "true",
        ["Backends:east:MaxForwardedBytes"] = $"{40 << 20}",
    };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    private string Authority => $"127.0.0.1:{_east.Port}";

    [Theory]
    [InlineData(
        "application/dicom+json",
        """[{"00081190":{"Value":["{pacs}/workitems/1"]}}]""",
        """[{"00081190":{"Value":["{root}/workitems/1"]}}]""")]
    [InlineData("application/dicom+xml", "<Value>{pacs}/workitems/1.2.3</Value>", "<Value>{root}/workitems/1.2.3</Value>")]
    [InlineData("text/plain", "{pacs} does not know it, says {host}", "{root} does not know it, says {proxy}")]
    [InlineData("application/json", """{"message":"no \u00e4 at {pacs}"}""", """{"message":"no \u00e4 at {root}"}""")]
    public async Task RewritesThePacsAddress_InTextAndHeaders(string type, string written, string expected)
    {
        Respond(
            200, type, Expand(written),
            $"Location: {_east.Address}/workitems/1.2.3\r\nContent-Location: {_east.Address}\r\n" +
            $"Warning: 299 {Authority} \"x\"\r\nContent-MD5: x\r\n");

        var reply = await _proxy.GetAsync(Workitems);

        Assert.Equal(type, reply["Content-Type"]);
        Assert.Equal(Expand(expected), reply.Text);
        Assert.Equal($"{_proxy.Address}{Workitems}/1.2.3", reply["Location"]);
        Assert.Equal($"{_proxy.Address}/backends/east/dicomweb", reply["Content-Location"]);
        Assert.Equal("", reply["Content-MD5"]);
        AssertHidesThePacs(reply);
    }

    [Fact]
    public async Task ForwardsPixelsAndFilesUnchanged()
    {
        var body = Encoding.Latin1.GetBytes($"{_east.Address}\0\u00ff");
        string[] types = [
            "application/octet-stream", "application/dicom", "image/jpeg", "multipart/related; type=\"application/dicom\"; boundary=b"];
        foreach (var type in types)
        {
            _east.On("/workitems", c => c.SendAsync([.. Head(200, type, body.Length), .. body]));
            var reply = await _proxy.GetAsync(Workitems);
            Assert.Equal(type, reply["Content-Type"]);
            Assert.Equal(body, reply.Body);
        }
    }

    [Theory]
    [InlineData("text/html")]
    [InlineData("application/xhtml+xml")]
    [InlineData("image/svg+xml")]
    [InlineData("text/javascript")]
    public async Task NeutralizesActiveContent(string type)
    {
        Respond(
            200, type, "<script>alert(1)</script>",
            "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\nContent-Security-Policy: default-src *\r\n" +
            "Content-Disposition: inline\r\nClear-Site-Data: \"*\"\r\nService-Worker-Allowed: /\r\n" +
            "Refresh: 0; url=http://evil.example/\r\nX-Content-Type-Options: no\r\nSet-Cookie: a=b\r\nServer: pacs\r\n");

        var reply = await _proxy.GetAsync(Workitems, ("Origin", "https://evil.example"));

        Assert.Equal("application/octet-stream", reply["Content-Type"]);
        Assert.Equal("sandbox", reply["Content-Security-Policy"]);
        Assert.Equal("attachment", reply["Content-Disposition"]);
        Assert.Equal("nosniff", reply["X-Content-Type-Options"]);
        Assert.Equal("cross-origin", reply["Cross-Origin-Resource-Policy"]);
        string[] gone =
        [
            "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Clear-Site-Data", "Service-Worker-Allowed", "Refresh",
            "Set-Cookie", "Server",
        ];
        foreach (var header in gone) Assert.Equal("", reply[header]);
    }

    [Theory]
    [InlineData(404, "application/json", "{\"HttpError\":\"Not Found\",\"Uri\":\"/dicom-web/workitems\"}")]
    [InlineData(400, "application/problem+json", "{\"instance\":\"/dicom-web/workitems\"}")]
    [InlineData(500, "text/html", "<html><body>Apache at inner-pacs, /srv/dicom-web/workitems</body></html>")]
    [InlineData(503, "application/octet-stream", "/dicom-web/workitems")]
    [InlineData(409, null, "at /dicom-web/workitems")]
    public async Task ReplacesTheTextOfAnError_AndForwardsItsStatus(int status, string? type, string body)
    {
        Respond(status, type ?? "", body, "Warning: 299 - \"The UPS is already COMPLETED\"\r\nETag: \"1\"\r\nContent-Language: en\r\n");

        var reply = await _proxy.GetAsync(Workitems);

        reply.IsProblem(status, names: "east");
        Assert.DoesNotContain("dicom-web", reply.Text);
        Assert.DoesNotContain("inner", reply.Text);
        Assert.Contains("COMPLETED", Assert.Single(reply.Warnings));
        Assert.Equal(("", "", ""), (reply["ETag"], reply["Content-Language"], reply["Content-Disposition"]));
        AssertHidesThePacs(reply);
        Assert.Equal(status, (int)(await _proxy.SendAsync(HttpMethod.Head, Workitems, [])).Status);
    }

    [Theory]
    [InlineData("Retry-After: 120\r\n", "120")]
    [InlineData("", "")]
    public async Task ForwardsRetryAfterOfAnError_AsThePacsSentIt(string headers, string retryAfter)
    {
        Respond(503, "text/plain", "busy", headers);

        var reply = await _proxy.GetAsync(Workitems);

        reply.IsProblem(503, names: "east");
        Assert.Equal(retryAfter, reply["Retry-After"]);
    }

    [Theory]
    [InlineData("application/dicom+json", "{\"00081198\":{\"vr\":\"SQ\"},\"00081190\":{\"Value\":[\"{pacs}/x\"]}}")]
    [InlineData("application/dicom+xml", "<NativeDicomModel>{pacs}</NativeDicomModel>")]
    public async Task ForwardsTheDatasetOfAnError(string type, string body)
    {
        Respond(409, type, Expand(body));

        var reply = await _proxy.GetAsync(Workitems);

        Assert.Equal((409, Expand(body.Replace("{pacs}", "{root}", StringComparison.Ordinal))), ((int)reply.Status, reply.Text));
        AssertHidesThePacs(reply);
    }

    [Theory]
    [InlineData("application/json", "Content-Encoding: gzip\r\n", "{}")]
    [InlineData(
        "multipart/related; type=\"application/dicom+xml\"; boundary=b", "", "--b\r\nContent-Length: 40\r\n\r\n{pacs}\r\n--b--\r\n")]
    public async Task Returns502_WhenTheBodyCannotBeRewritten(string type, string headers, string body)
    {
        Respond(200, type, Expand(body), headers);

        var reply = await _proxy.GetAsync(Workitems);

        reply.IsProblem(502, names: "cannot be forwarded");
        Assert.Equal("nosniff", reply["X-Content-Type-Options"]);
        AssertHidesThePacs(reply);
    }

    [Fact]
    public async Task Returns502_WhenTextIsTooLong()
    {
        var piece = new byte[1 << 20];
        Array.Fill(piece, (byte)' ');
        _east.On("/workitems", async c =>
        {
            await c.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
            for (var i = 0; i < ForwardedAnswers.MaxTextBytes / piece.Length + 2; i++)
            {
                await c.SendAsync($"{piece.Length:x}\r\n");
                await c.SendAsync(piece);
                await c.SendAsync("\r\n");
            }
            await c.SendAsync("0\r\n\r\n");
        });

        (await _proxy.GetAsync(Workitems)).IsProblem(502, names: $"{ForwardedAnswers.MaxTextBytes} bytes");
    }

    [Theory]
    [InlineData(413)]
    [InlineData(415)]
    [InlineData(501)]
    public async Task ForwardsARefusalWithoutSendingTheBody_WhenThePacsRefusesALargeBody(int status)
    {
        _east.On("/workitems", async c =>
        {
            await c.SendAsync($"HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            c.Close();
            await c.WaitForDisconnectAsync();
        });

        var reply = await _proxy.SendAsync(HttpMethod.Post, Workitems, [("Content-Type", "application/dicom")], new string('x', 4 << 20));

        Assert.Equal(status, (int)reply.Status);
        var request = Assert.Single(_east.Requests, r => r.Target.EndsWith("/workitems", StringComparison.Ordinal));
        Assert.Contains("Expect: 100-continue", request.Head);
    }

    [Fact]
    public async Task ForwardsABodyOf35Megabytes()
    {
        const int Length = 35 << 20;
        var got = 0L;
        _east.On("/workitems", async c =>
        {
            await c.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
            got = await c.ReadBodyAsync(Length);
            await c.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: 2\r\n\r\n{}");
        });

        var reply = await _proxy.SendAsync(HttpMethod.Post, Workitems, [("Content-Type", "application/dicom")], new string('x', Length));

        Assert.Equal(200, (int)reply.Status);
        Assert.Equal(Length, got);
    }

    [Fact]
    public async Task Returns413WithoutAskingThePacs_WhenTheBodyExceedsTheLimit()
    {
        // The client sends no body: the proxy refuses the request by its header alone.
        var answer = await _proxy.SendRawAsync(
            $"POST {Workitems} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/dicom\r\n" +
            $"Content-Length: {(40 << 20) + 1}\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 413 ", answer);
        Assert.Contains("application/problem+json", answer);
        Assert.Empty(_east.Requests);
    }

    [Fact]
    public async Task Returns413_WhenABodyOfUnknownLengthReachesTheLimit()
    {
        await using var small = new ProxyHost(("east", _east.Address))
        {
            ["Backends:east:Forward"] = "true",
            ["Backends:east:MaxForwardedBytes"] = "1000",
        };
        _east.On("/workitems", async c =>
        {
            await c.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
            await c.WaitForDisconnectAsync();
        });

        var answer = await small.SendRawAsync(
            $"POST {Workitems} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/dicom\r\n" +
            "Transfer-Encoding: chunked\r\n\r\n" +
            $"7d0\r\n{new string('x', 2000)}\r\n0\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 413 ", answer);
        Assert.Contains("application/problem+json", answer);
    }

    private string Expand(string text) => text
        .Replace("{pacs}", _east.Address, StringComparison.Ordinal)
        .Replace("{host}", Authority, StringComparison.Ordinal)
        .Replace("{root}", $"{_proxy.Address}/backends/east/dicomweb", StringComparison.Ordinal)
        .Replace("{proxy}", new Uri(_proxy.Address).Authority, StringComparison.Ordinal);

    private void Respond(int status, string type, string body, string headers = "") =>
        _east.On("/workitems", c => c.SendAsync([.. Head(status, type, body.Length, headers), .. Encoding.Latin1.GetBytes(body)]));

    private static byte[] Head(int status, string type, int length, string headers = "") =>
        Encoding.Latin1.GetBytes($"HTTP/1.1 {status} Status\r\nContent-Type: {type}\r\nContent-Length: {length}\r\n{headers}\r\n");

    private void AssertHidesThePacs(Reply reply)
    {
        var all = string.Join('\n', reply.Headers.SelectMany(h => h.Value)) + Encoding.Latin1.GetString(reply.Body);
        Assert.DoesNotContain(Authority, all);
        Assert.DoesNotContain("dicom-web", all);
    }
}
