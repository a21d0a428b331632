using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Proxy.Tests.Dimse;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>DIMSE over TLS: the PACS authenticates by the authority of the hospital, the proxy by its client certificate.</summary>
public sealed class DimseTlsWalks : IAsyncDisposable
{
    private readonly TestAuthority _authority = new();
    private readonly DimsePacs _pacs = new();
    private readonly ProxyHost _proxy = [];
    private readonly X509Certificate2 _server;
    private string? _client;

    public DimseTlsWalks()
    {
        foreach (var (key, value) in _pacs.Settings()) _proxy[key] = value;
        var (certificate, certificateKey) = _authority.Issue("CN=pacs");
        _server = X509Certificate2.CreateFromPem(certificate, certificateKey);
        _pacs.Secure = SecureAsync;
        var (own, ownKey) = _authority.Issue("CN=proxy");
        _proxy["Backends:east:Tls:Certificate"] = Write("proxy.pem", own);
        _proxy["Backends:east:Tls:Key"] = Write("proxy.key", ownKey);
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        await _pacs.DisposeAsync();
        _server.Dispose();
        _authority.Dispose();
    }

    [Fact]
    public async Task SearchesAndRetrieves_WithAClientCertificate()
    {
        _proxy["Backends:east:Tls:CaFile"] = Write("ca.pem", _authority.Pem);

        var studies = await _proxy.GetAsync("/dicomweb/studies");
        var metadata = await _proxy.GetAsync($"/dicomweb/studies/{DimsePacs.Study}/series/{DimsePacs.Series}/metadata");

        Assert.Equal([DimsePacs.Study], studies.Values("0020000D"));
        Assert.Equal(_pacs.Instances, metadata.Values("00080018"));
        Assert.Equal("CN=proxy", _client);
    }

    [Fact]
    public async Task SendsNothing_ToAPacsThatItDoesNotTrust()
    {
        using var other = new TestAuthority("CN=other");
        _proxy["Backends:east:Tls:CaFile"] = Write("ca.pem", other.Pem);

        var report = await _proxy.SendAsync(HttpMethod.Post, "/backends/east/test", []);

        Assert.Contains("a certificate that is not trusted", report.Text);
        Assert.Contains("Check Backends:east:Tls", report.Text);
        Assert.Empty(_pacs.Identifiers);
    }

    private async Task<Stream> SecureAsync(Stream stream, CancellationToken stop)
    {
        var secure = new SslStream(stream);
        var options = new SslServerAuthenticationOptions
        {
            ServerCertificate = _server,
            ClientCertificateRequired = true,
            RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null,
        };
        await secure.AuthenticateAsServerAsync(options, stop);
        _client = secure.RemoteCertificate?.Subject;
        return secure;
    }

    private string Write(string name, string text)
    {
        var path = Path.Join(_proxy.Root, name);
        File.WriteAllText(path, text);
        return path;
    }
}
