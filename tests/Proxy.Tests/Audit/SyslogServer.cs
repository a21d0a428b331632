using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Proxy.Tests.Audit;

/// <summary>A syslog server over TLS (RFC 5425) with a certificate for <c>localhost</c> of its own authority.</summary>
internal sealed class SyslogServer : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopped = new();
    private readonly Lock _lock = new();
    private readonly List<string> _messages = [];
    private readonly X509Certificate2 _certificate;
    private readonly TcpListener _listener;
    private readonly Task _accepting;

    /// <summary>Starts a server.</summary>
    /// <param name="folder">Receives <see cref="CaFile"/>.</param>
    /// <param name="port">The port; 0 for a free one.</param>
    public SyslogServer(string folder, int port = 0)
    {
        _certificate = CreateCertificate("localhost");
        CaFile = Path.Combine(folder, "ca.pem");
        File.WriteAllText(CaFile, _certificate.ExportCertificatePem());
        _listener = new(IPAddress.Loopback, port);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>The authority of the server's certificate.</summary>
    public string CaFile { get; }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>The subjects of the certificates that clients have presented; empty for none.</summary>
    public string ClientSubject { get; private set; } = "";

    /// <summary>The messages so far, without their lengths.</summary>
    public IReadOnlyList<string> Messages
    {
        get
        {
            lock (_lock) return [.. _messages];
        }
    }

    /// <summary>A certificate that has signed itself, with its key.</summary>
    public static X509Certificate2 CreateCertificate(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        var request = new CertificateRequest("CN=" + name, key, HashAlgorithmName.SHA256) { CertificateExtensions = { names.Build() } };
        var now = TimeProvider.System.GetUtcNow();
        using var made = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pfx), password: null, X509KeyStorageFlags.Exportable);
    }

    public async ValueTask DisposeAsync()
    {
        if (_stopped.IsCancellationRequested) return;
        await _stopped.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _certificate.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                using var socket = await _listener.AcceptTcpClientAsync(_stopped.Token);
                await using var stream = new SslStream(socket.GetStream());
                await ReadAsync(stream);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or InvalidOperationException)
        {
            // The test has ended.
        }
    }

    private async Task ReadAsync(SslStream stream)
    {
        try
        {
            await stream.AuthenticateAsServerAsync(
                new()
                {
                    ServerCertificate = _certificate,
                    ClientCertificateRequired = true,
                    RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is null || certificate.Subject.Length > 0,
                },
                _stopped.Token);
            ClientSubject = stream.RemoteCertificate?.Subject ?? "";
            while (await ReadMessageAsync(stream) is { } message)
            {
                lock (_lock) _messages.Add(message);
            }
        }
        catch (Exception e) when (e is System.Security.Authentication.AuthenticationException or IOException)
        {
            // The client does not trust the certificate, or has left.
        }
    }

    /// <summary>Reads <c>MSG-LEN SP SYSLOG-MSG</c>; null at the end.</summary>
    private async Task<string?> ReadMessageAsync(SslStream stream)
    {
        var (digit, length) = (new byte[1], 0);
        while (true)
        {
            if (await stream.ReadAsync(digit, _stopped.Token) == 0) return null;
            if (digit[0] == ' ') break;
            length = length * 10 + digit[0] - '0';
        }
        var message = new byte[length];
        await stream.ReadExactlyAsync(message, _stopped.Token);
        return Encoding.UTF8.GetString(message);
    }
}
