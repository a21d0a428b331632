using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Proxy.Backends;
using Proxy.Backends.Credentials;
using Proxy.Dimse.Protocol;
using Proxy.Operations.Telemetry;

namespace Proxy.Dimse;

/// <summary>Opens associations: TCP without delay, and TLS if it is set (PS3.15 §B.12).</summary>
/// <param name="traffic">Counts the bytes received.</param>
/// <param name="time">The clock of the time limits.</param>
internal sealed class DimseConnector(Traffic traffic, TimeProvider time)
{
    /// <summary>Opens an association.</summary>
    /// <param name="backend">A DIMSE backend.</param>
    /// <param name="plan">The presentation contexts to propose.</param>
    /// <param name="cancellation">Cancels it.</param>
    /// <exception cref="SocketException">There is no connection.</exception>
    /// <exception cref="System.Security.Authentication.AuthenticationException">TLS failed.</exception>
    /// <exception cref="AssociationException">The PACS rejected the association.</exception>
    /// <exception cref="TimeoutException">It did not answer in time.</exception>
    public async Task<(Association Association, Socket Socket)> OpenAsync(
        BackendOptions backend, ContextPlan plan, CancellationToken cancellation)
    {
        var options = backend.Dimse!;
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp)
        {
            // Else the answer to each instance waits for the acknowledgement of the one before: 40 ms each.
            NoDelay = true,
        };
        try
        {
            var stream = await ConnectAsync(socket, backend, cancellation);
            var request = new AssociatePdu(options.CalledAeTitle, options.CallingAeTitle, plan.Contexts)
            {
                MaxPduBytes = Association.MaxPduBytes,
                ImplementationClassUid = FileHead.ImplementationClassUid,
                ImplementationVersion = FileHead.ImplementationVersion,
                Roles = plan.Roles,
            };
            var limits = new AssociationLimits(options.AssociationTimeout, options.FirstAnswerTimeout, options.AnswerTimeout);
            return (await Association.RequestAsync(stream, request, limits, time, cancellation), socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task<Stream> ConnectAsync(Socket socket, BackendOptions backend, CancellationToken cancellation)
    {
        var options = backend.Dimse!;
        using var timer = new CancellationTokenSource(options.AssociationTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellation);
        try
        {
            await socket.ConnectAsync(options.Host, options.Port, either.Token);
            var stream = new CountedStream(new NetworkStream(socket, ownsSocket: true), traffic);
            return options.UsesTls ? await SecureAsync(stream, backend, either.Token) : stream;
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new SocketException((int)SocketError.TimedOut, e.Message);
        }
    }

    private static async Task<Stream> SecureAsync(Stream stream, BackendOptions backend, CancellationToken cancellation)
    {
        var secure = new SslStream(stream);
        var settings = new SslClientAuthenticationOptions { TargetHost = backend.Dimse!.Host };
        if (backend.CaFile is { } file)
        {
            var policy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
            };
            policy.CustomTrustStore.AddRange(BackendTls.FindRoots(file));
            settings.CertificateChainPolicy = policy;
        }
        // Loaded for each connection, so that changed files take effect; a connection lasts for many operations.
        if (backend.Dimse.Certificate is { } files && files.TryLoad(out var certificate, out _))
            settings.ClientCertificates = [certificate.Leaf];
        await secure.AuthenticateAsClientAsync(settings, cancellation);
        return secure;
    }
}
