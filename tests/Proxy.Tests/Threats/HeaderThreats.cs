using System.Text.RegularExpressions;
using Proxy.Tests.Pacs;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Threats;

/// <summary>No header of a client changes what others get, and no header of a PACS reaches a client unless it is allowed.</summary>
public sealed class HeaderThreats
{
    private static readonly HeldStudy Study = new HeldStudy("1.2.1").With("1.2.1.1");

    private const string Series = "/dicomweb/studies/1.2.1/series/1.2.1.1";

    private static readonly string[] Paths =
    [
        "/dicomweb/studies", Series + "/metadata", Series + "/instances/1.2.1.1.1/frames/1", "/backends/east/dicomweb/workitems",
    ];

    private static readonly (string, string)[] Poison =
    [
        ("Forwarded", "for=1.2.3.4;host=evil.example;proto=https"), ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Prefix", "/evil"), ("X-Original-URL", "/evil"), ("X-Rewrite-URL", "/evil"), ("X-HTTP-Method-Override", "DELETE"),
        ("Accept-Language", "evil"), ("Accept-Charset", "evil"), ("Origin", "http://localhost:1"), ("Referer", "http://evil.example/"),
        ("User-Agent", "evil"), ("Cookie", "evil=1"), ("X-Forwarded-For", "1.2.3.4"),
    ];

    [Fact]
    public async Task T4_AClientsHeadersDoNotPoisonACachedAnswer()
    {
        using var east = new RawPacs(Study);
        await using var poisoned = new ProxyHost(("east", east.Address));
        await using var clean = new ProxyHost(("east", east.Address));

        foreach (var path in (string[])["/dicomweb/studies", Series + "/metadata", Series + "/instances/1.2.1.1.1/frames/1"])
        {
            await poisoned.GetAsync(path, Poison);
            var (served, expected) = (await poisoned.GetAsync(path), await clean.GetAsync(path));
            Assert.Equal(200, (int)served.Status);
            Assert.Equal(Normalize(expected, clean), Normalize(served, poisoned));
            Assert.DoesNotContain("evil", served.Text + string.Join(' ', served.Headers.SelectMany(h => h.Value)));
        }
        Assert.All(east.Requests, r => Assert.DoesNotContain("evil", r.Head));
    }

    /// <summary>Each proxy has an address and a key for the tokens of bulk data of its own.</summary>
    private static string Normalize(Reply reply, ProxyHost proxy) => Regex.Replace(
        reply.Comparable.Text.Replace(proxy.Address, "", StringComparison.Ordinal), "/bulkdata/east/[^\"]+", "");

    [Fact]
    public async Task T4_AnUnknownHostIsRefused()
    {
        using var east = new RawPacs(Study);
        await using var proxy = new ProxyHost(("east", east.Address));

        (await proxy.GetAsync("/dicomweb/studies", ("Host", "evil.example"))).IsProblem(421, "Host");
        Assert.Empty(east.Requests);
    }

    [Fact]
    public async Task T10_HeadersOfAPacsDoNotReachClients()
    {
        const string canary = "Set-Cookie: canary=1\r\nServer: canary\r\nX-Powered-By: canary\r\nX-Internal-Host: canary\r\n"
            + "WWW-Authenticate: Basic realm=\"canary\"\r\nLink: <http://canary/>\r\nVia: canary\r\nX-Frame-Options: canary\r\n"
            + "Strict-Transport-Security: canary\r\nAccess-Control-Allow-Origin: canary\r\nPublic-Key-Pins: canary\r\n"
            + "X-Accel-Redirect: /canary\r\n";
        using var east = new RawPacs(Study) { ExtraHeaders = canary };
        east.On("/workitems", c => c.SendAsync(
            $"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: 2\r\n{canary}\r\n[]"));
        await using var proxy = new ProxyHost(("east", east.Address)) { ["Backends:east:Forward"] = "true" };

        foreach (var path in Paths)
        {
            var reply = await proxy.GetAsync(path);
            Assert.Equal(200, (int)reply.Status);
            Assert.DoesNotContain("canary", string.Join(' ', reply.Headers.SelectMany(h => h.Value)));
            Assert.False(reply.Headers.ContainsKey("Set-Cookie"));
        }
        Assert.Equal(1, east.Count("/workitems"));
    }

    [Fact]
    public async Task T10_AHeaderOfAPacsIsNotSplit()
    {
        const string request = "GET /backends/east/dicomweb/workitems HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
        using var east = new RawPacs(Study);
        await using var proxy = new ProxyHost(("east", east.Address)) { ["Backends:east:Forward"] = "true" };
        string[] split =
        [
            "Content-Location: /a\r\n X-Canary: folded", "Content-Location: /a\nX-Canary: split",
            "Content-Location: /a\rX-Canary: split", "Warning: 299 - \"a\rX-Canary: split\"",
        ];

        foreach (var header in split)
        {
            east.On("/workitems", c => c.SendAsync(
                $"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: 2\r\n{header}\r\n\r\n[]"));
            var answer = await proxy.SendRawAsync(request);
            Assert.DoesNotContain(answer.Split("\r\n"), line => line.StartsWith("X-Canary", StringComparison.OrdinalIgnoreCase));
            Assert.DoesNotContain('\r', answer.Replace("\r\n", "", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task EveryAnswerHasTheRulesForBrowsers()
    {
        using var east = new RawPacs(Study);
        await using var proxy = new ProxyHost(("east", east.Address)) { ["Backends:east:Forward"] = "true" };

        foreach (var path in (string[])[.. Paths, "/", "/look", "/health/live", "/metrics", "/unknown"])
        {
            var reply = await proxy.GetAsync(path);
            Assert.Equal("nosniff", reply["X-Content-Type-Options"]);
            Assert.Equal("same-origin", reply["Referrer-Policy"]);
            Assert.Matches("frame-ancestors 'none'|^sandbox$", reply["Content-Security-Policy"]);
        }
    }
}
