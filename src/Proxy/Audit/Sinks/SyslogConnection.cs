using System.Buffers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Proxy.Audit.Delivery;

namespace Proxy.Audit.Sinks;

/// <summary>A syslog server over TLS (RFC 5425), such as an audit record repository of IHE ATNA.</summary>
/// <remarks>
/// <code>
/// 1 connect    TCP and TLS; the server's certificate must name the host of Audit:Syslog
/// 2 send       a batch of messages (SyslogMessage)
/// 3 settle     syslog confirms nothing: a server that closes the connection within 200 ms did not take the batch
/// </code>
/// </remarks>
/// <param name="options">The server, and the certificates.</param>
/// <param name="time">The clock.</param>
internal sealed class SyslogConnection(AuditOptions options, TimeProvider time) : IAuditSink
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(200);

    private readonly ArrayBufferWriter<byte> _buffer = new(1 << 16);
    private SslStream? _stream;
    private Task<int>? _closed;

    /// <inheritdoc/>
    public string Name => "syslog";

    /// <inheritdoc/>
    public async Task SendAsync(IReadOnlyList<AuditRecord> records, CancellationToken cancellation)
    {
        _buffer.ResetWrittenCount();
        foreach (var record in records) SyslogMessage.Write(_buffer, record, options.SourceId);
        using var limit = new CancellationTokenSource(Timeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellation, limit.Token);
        // 1
        if (_closed is { IsCompleted: true }) await CloseAsync();
        _stream ??= await ConnectAsync(both.Token);
        // A server sends nothing (RFC 5425 §4.3): a read ends when it closes.
        _closed ??= _stream.ReadAsync(new byte[1], CancellationToken.None).AsTask();
        // 2
        await _stream.WriteAsync(_buffer.WrittenMemory, both.Token);
        await _stream.FlushAsync(both.Token);
        // 3
        if (await Task.WhenAny(_closed, Task.Delay(Settling, time, both.Token)) == _closed)
            throw new IOException("The syslog server closed the connection.");
    }

    /// <inheritdoc/>
    public async Task CloseAsync()
    {
        if (_stream is null) return;
        try
        {
            // Else the server reports an attack that truncates the stream (RFC 5246 §7.2.1).
            await _stream.ShutdownAsync().WaitAsync(Settling, time);
        }
        catch (Exception e) when (e is IOException or TimeoutException or InvalidOperationException)
        {
            // The connection is broken.
        }
        await _stream.DisposeAsync();
        if (_closed is not null) await ((Task)_closed).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        (_stream, _closed) = (null, null);
    }

    private async Task<SslStream> ConnectAsync(CancellationToken cancellation)
    {
        var client = new TcpClient();
        try
        {
            await client.ConnectAsync(options.Syslog!, options.SyslogPort, cancellation);
            var stream = new SslStream(client.GetStream());
            await stream.AuthenticateAsClientAsync(CreateOptions(), cancellation);
            return stream;
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    /// <summary>Reads the certificates, which may have been renewed since the last connection.</summary>
    private SslClientAuthenticationOptions CreateOptions()
    {
        var tls = new SslClientAuthenticationOptions
        {
            TargetHost = options.Syslog,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        };
        if (options.SyslogCertificateFile is { } own)
        {
            using var pem = X509Certificate2.CreateFromPemFile(own, options.SyslogKeyFile ?? own);
            // Windows cannot use a key that exists in memory only.
            tls.ClientCertificates = [X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null)];
        }
        if (options.SyslogCaFile is not { } file) return tls;
        var authorities = new X509Certificate2Collection();
        authorities.ImportFromPemFile(file);
        tls.CertificateChainPolicy = new()
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
        };
        tls.CertificateChainPolicy.CustomTrustStore.AddRange(authorities);
        return tls;
    }
}
