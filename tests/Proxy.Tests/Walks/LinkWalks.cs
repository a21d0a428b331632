using System.Text;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Every URL in an answer is the proxy's, as the client addressed it, and never a backend's.</summary>
public sealed class LinkWalks : IDisposable
{
    private static readonly string[] Paths =
    [
        "/studies", "/series", "/instances", "/studies/1.2.1/series", "/studies/1.2.1/instances", "/studies/1.2.1/metadata",
        "/studies/1.2.1/series/1.2.1.1/metadata",
        "/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/metadata", "/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1",
    ];

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    public void Dispose() => _east.Dispose();

    [Fact]
    public async Task NeverNamesTheBackendsAddress()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));

        var metadata = await proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata");
        string[] paths = [.. Paths, ((string)metadata.Rows[0]!["7FE00010"]!["BulkDataURI"]!)[(proxy.Address + "/dicomweb").Length..]];
        foreach (var path in paths)
        {
            var reply = await proxy.GetAsync("/dicomweb" + path);
            Assert.Equal(200, (int)reply.Status);
            AssertHidesTheBackend(reply);
        }
        _east.Fail(500);
        foreach (var path in paths) AssertHidesTheBackend(await proxy.GetAsync("/dicomweb" + path, ("Cache-Control", "no-cache")));
        _east.Dispose();
        foreach (var path in paths) AssertHidesTheBackend(await proxy.GetAsync("/dicomweb" + path, ("Cache-Control", "no-cache")));
        AssertHidesTheBackend(await proxy.GetAsync("/store/studies/1.2.1"));
        AssertHidesTheBackend(await proxy.GetAsync("/health/ready"));
        AssertHidesTheBackend(await proxy.GetAsync("/ohif/app-config.js"));
    }

    [Fact]
    public async Task BuildsLinks_ForTheHostThatTheClientUsed()
    {
        await using var proxy = new ProxyHost(("east", _east.Address)) { ["Security:AllowedHosts:0"] = "*.example" };

        await AssertLinksLeadToAsync(proxy, "http://pacs.example:8080", ("Host", "pacs.example:8080"));
        await AssertLinksLeadToAsync(proxy, "http://other.example", ("Host", "other.example"));
        await AssertLinksLeadToAsync(proxy, proxy.Address);
    }

    [Fact]
    public async Task BuildsLinksForTheForwardedAddress_WhenTheForwardingProxyIsKnown()
    {
        await using var proxy = new ProxyHost(("east", _east.Address))
        {
            ["Security:KnownProxies:0"] = "127.0.0.0/8",
            ["Security:AllowedHosts:0"] = "*.example",
        };

        await AssertLinksLeadToAsync(proxy, "https://pacs.example", ("X-Forwarded-Host", "pacs.example"), ("X-Forwarded-Proto", "https"));
        await AssertLinksLeadToAsync(
            proxy, "https://viewer.example:8443", ("Forwarded", "for=192.0.2.60;proto=https;host=\"viewer.example:8443\""));
        await AssertLinksLeadToAsync(
            proxy, "https://pacs.example/imaging", ("X-Forwarded-Host", "pacs.example"), ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Prefix", "/imaging"));
    }

    [Fact]
    public async Task IgnoresForwardedHeaders_WhenTheSenderIsUnknown()
    {
        await using var nobody = new ProxyHost(("east", _east.Address));
        await using var another = new ProxyHost(("east", _east.Address)) { ["Security:KnownProxies:0"] = "192.0.2.1" };

        foreach (var proxy in (ProxyHost[])[nobody, another])
        {
            await AssertLinksLeadToAsync(
                proxy, proxy.Address, ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Prefix", "/evil"));
            await AssertLinksLeadToAsync(proxy, proxy.Address, ("Forwarded", "proto=https;host=evil.example"));
        }
    }

    private static async Task AssertLinksLeadToAsync(ProxyHost proxy, string address, params (string, string)[] headers)
    {
        var instance = $"{address}/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1";
        foreach (var encoding in (string[])["identity", "gzip"])
        {
            var metadata = await proxy.GetAsync(
                "/dicomweb/studies/1.2.1/series/1.2.1.1/metadata", [.. headers, ("Accept-Encoding", encoding)]);
            var body = encoding == "gzip" ? metadata with { Body = metadata.Unpacked } : metadata;
            Assert.StartsWith($"{instance}/bulkdata/east/", (string)body.Rows[0]!["7FE00010"]!["BulkDataURI"]!);
        }
        var study = await proxy.GetAsync("/dicomweb/studies", headers);
        Assert.Equal($"{address}/dicomweb/studies/1.2.1", (string)study.Rows[0]!["00081190"]!["Value"]![0]!);
    }

    private void AssertHidesTheBackend(Reply reply)
    {
        var all = string.Join('\n', reply.Headers.SelectMany(h => h.Value)) + Encoding.Latin1.GetString(reply.Body);
        Assert.DoesNotContain(new Uri(_eastAddress ??= _east.Address).Authority, all);
        Assert.DoesNotContain("dicom-web", all);
    }

    private string? _eastAddress;
}
