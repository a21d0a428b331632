using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>One setting gives the listeners a certificate; renewed files take effect while the proxy serves.</summary>
public sealed class TlsWalks : IDisposable
{
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());
    private readonly TestAuthority _authority = new();
    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    public void Dispose()
    {
        _authority.Dispose();
        _east.Dispose();
    }

    [Fact]
    public async Task ServesOverTls_AndTellsBrowsersToStayThere()
    {
        await using var proxy = Start();

        var reply = await proxy.GetAsync("/dicomweb/studies");

        Assert.StartsWith("https://", proxy.Address);
        Assert.Single(reply.Rows);
        Assert.Equal("max-age=31536000", reply["Strict-Transport-Security"]);
        // The path names the client's own scheme.
        Assert.StartsWith("https://", (string)reply.Rows[0]!["00081190"]!["Value"]![0]!);
        Assert.Equal("CN=first", await ReadSubjectAsync(proxy));
    }

    [Fact]
    public async Task UsesRenewedFiles_AndKeepsTheCertificateWhileTheyAreNoPair()
    {
        await using var proxy = Start();
        Assert.Equal("CN=first", await ReadSubjectAsync(proxy));

        Write(proxy, _authority.Issue("CN=second"));
        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal("CN=second", await ReadSubjectAsync(proxy));

        await File.WriteAllTextAsync(
            Path.Combine(proxy.Root, "server.key"), _authority.Issue("CN=x").Key, TestContext.Current.CancellationToken);
        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal("CN=second", await ReadSubjectAsync(proxy));
        Assert.Contains(proxy.Log.All, l => l.Contains("The listeners keep their certificate", StringComparison.Ordinal));
        Assert.DoesNotContain(proxy.Log.All, l => l.Contains("PRIVATE KEY", StringComparison.Ordinal));
    }

    [Fact]
    public async Task SendsNoHsts_WithoutTls()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));

        Assert.Equal("", (await proxy.GetAsync("/dicomweb/studies"))["Strict-Transport-Security"]);
    }

    [Theory]
    [InlineData("missing.pem", "server.key", "https://127.0.0.1:1", "Security:Tls:Certificate = \"")]
    [InlineData("server.pem", "missing.key", "https://127.0.0.1:1", "Security:Tls:Key = \"")]
    [InlineData("server.pem", "other.key", "https://127.0.0.1:1", "no pair")]
    [InlineData("other.key", "server.key", "https://127.0.0.1:1", "no certificate in PEM")]
    [InlineData("server.pem", "server.key", "http://127.0.0.1:1", "no listener uses https")]
    [InlineData("server.pem", "server.key", "https://127.0.0.1:1", null)]
    [InlineData("server.pem", "server.key", null, null)]
    public void ASettingThatCannotWork_StopsTheStart(string certificate, string key, string? urls, string? error)
    {
        var folder = Directory.CreateTempSubdirectory("proxy-tls-").FullName;
        var (pem, privateKey) = _authority.Issue("CN=first");
        File.WriteAllText(Path.Combine(folder, "server.pem"), pem);
        File.WriteAllText(Path.Combine(folder, "server.key"), privateKey);
        File.WriteAllText(Path.Combine(folder, "other.key"), _authority.Issue("CN=x").Key);
        var settings = new Dictionary<string, string?>
        {
            ["Backends:east:Address"] = "http://127.0.0.1:1/",
            ["Security:Tls:Certificate"] = Path.Combine(folder, certificate),
            ["Security:Tls:Key"] = Path.Combine(folder, key),
            ["urls"] = urls,
        };

        Settings.Read(new ConfigurationBuilder().AddInMemoryCollection(settings).Build(), out var errors);

        Directory.Delete(folder, recursive: true);
        if (error is null) Assert.Empty(errors);
        else Assert.Contains(error, Assert.Single(errors));
    }

    private static async Task<string> ReadSubjectAsync(ProxyHost proxy)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, new Uri(proxy.Address).Port);
        await using var tls = new SslStream(
            client.GetStream(), leaveInnerStreamOpen: false, (_, certificate, _, _) => certificate is not null);
        await tls.AuthenticateAsClientAsync("127.0.0.1");
        return tls.RemoteCertificate!.Subject;
    }

    private ProxyHost Start()
    {
        var proxy = new ProxyHost(("east", _east.Address)) { Time = _time };
        Write(proxy, _authority.Issue("CN=first"));
        proxy["urls"] = "https://127.0.0.1:0";
        proxy["Security:Tls:Certificate"] = Path.Combine(proxy.Root, "server.pem");
        proxy["Security:Tls:Key"] = Path.Combine(proxy.Root, "server.key");
        return proxy;
    }

    private static void Write(ProxyHost proxy, (string Certificate, string Key) pair)
    {
        File.WriteAllText(Path.Combine(proxy.Root, "server.pem"), pair.Certificate);
        File.WriteAllText(Path.Combine(proxy.Root, "server.key"), pair.Key);
    }
}
