using System.Net.Security;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Proxy.Operations;

namespace Proxy.Security;

/// <summary>The certificate of the proxy's own listeners (<c>Security:Tls</c>), with those of its issuers.</summary>
/// <remarks>
/// It is looked up for each handshake, so that renewed files take effect while the proxy serves. Files that cannot be used are logged, and
/// the certificate before them stays in use.
/// </remarks>
internal sealed class ServerCertificate : IDisposable
{
    private readonly CurrentCertificate _files;
    private readonly Lock _lock = new();
    private (string Version, SslStreamCertificateContext Context)? _last;

    /// <summary>Uses these files.</summary>
    public ServerCertificate(PemFiles files, TimeProvider time, ILogger<ServerCertificate> log) => _files = new(files, time, reason =>
    {
        if (reason is null) log.ServerCertificateRenewed();
        else log.ServerCertificateKept(reason);
    });

    /// <summary>Uses the certificate for connections.</summary>
    public void Configure(HttpsConnectionAdapterOptions https)
    {
        var before = https.OnAuthenticate;
        // Kestrel requires a certificate or a selector; only the context can send the issuers too.
        https.ServerCertificateSelector = (_, _) => _files.Find()?.Leaf;
        https.OnAuthenticate = (connection, tls) =>
        {
            before?.Invoke(connection, tls);
            if (FindContext() is not { } context) return;
            tls.ServerCertificateSelectionCallback = null;
            tls.ServerCertificateContext = context;
        };
    }

    /// <inheritdoc/>
    public void Dispose() => _files.Dispose();

    private SslStreamCertificateContext? FindContext()
    {
        if (_files.Find() is not { } current) return null;
        lock (_lock)
        {
            if (_last is { } last && last.Version == current.Version) return last.Context;
            var context = SslStreamCertificateContext.Create(current.Leaf, current.Issuers, offline: true);
            _last = (current.Version, context);
            return context;
        }
    }
}
