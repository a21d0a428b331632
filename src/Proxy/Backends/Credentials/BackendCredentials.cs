using System.Collections.Concurrent;
using System.Net;

namespace Proxy.Backends.Credentials;

/// <summary>Sends each request to a backend with the credential of that backend, and with no other.</summary>
/// <remarks>
/// Every request passes here: those of the proxy and those that YARP forwards. The client's own headers have been dropped before. A
/// redirect is not followed, so a credential reaches the configured destinations only.
/// </remarks>
internal sealed class BackendCredentials(TimeProvider time, ILogger<BackendCredentials> log) : IDisposable
{
    private readonly ConcurrentDictionary<string, Used> _used = new(StringComparer.OrdinalIgnoreCase);
    private readonly Lock _replacing = new();

    /// <summary>A credential in use, valid for one version of the settings.</summary>
    private sealed record Used(CredentialOptions Options, string? CaFile, ICredential Credential)
    {
        public bool IsOf(BackendOptions backend) => Options.Equals(backend.Credential) && CaFile == backend.CaFile;
    }

    /// <summary>Sends a request; once more if the backend refuses the credential and it can be renewed.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="request">The request.</param>
    /// <param name="send">Sends it.</param>
    /// <param name="cancellation">Cancels the request.</param>
    /// <exception cref="NoCredentialException">There is no credential; nothing was sent.</exception>
    public async Task<HttpResponseMessage> SendAsync(
        BackendOptions backend, HttpRequestMessage request, Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>> send,
        CancellationToken cancellation)
    {
        // A certificate authenticates the connection.
        if (backend.Credential is not { Header.Length: > 0 } options) return await send(request, cancellation);
        var credential = Get(backend, options);
        await credential.AddAsync(request, cancellation);
        var response = await send(request, cancellation);
        var isRead = request.Content is null && (request.Method == HttpMethod.Get || request.Method == HttpMethod.Head);
        if (response.StatusCode != HttpStatusCode.Unauthorized || !isRead || !await credential.RenewAsync(request, cancellation))
            return response;
        response.Dispose();
        await credential.AddAsync(request, cancellation);
        return await send(request, cancellation);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var used in _used.Values) used.Credential.Dispose();
    }

    private ICredential Get(BackendOptions backend, CredentialOptions options)
    {
        if (_used.GetValueOrDefault(backend.Name) is { } used && used.IsOf(backend)) return used.Credential;
        lock (_replacing)
        {
            var before = _used.GetValueOrDefault(backend.Name);
            if (before?.IsOf(backend) == true) return before.Credential;
            before?.Credential.Dispose();
            var credential = Create(backend, options);
            _used[backend.Name] = new(options, backend.CaFile, credential);
            return credential;
        }
    }

    private ICredential Create(BackendOptions backend, CredentialOptions options)
    {
        switch (options.Scheme)
        {
            case CredentialScheme.Forward:
                return new CallersToken();
            case CredentialScheme.SigV4:
                return new SignedRequests(options, time);
            case CredentialScheme.OAuth2:
                var handler = new SocketsHttpHandler
                {
                    AllowAutoRedirect = false,
                    AutomaticDecompression = DecompressionMethods.None,
                    UseCookies = false,
                    UseProxy = false,
                    ConnectTimeout = TimeSpan.FromSeconds(5),
                    PooledConnectionIdleTimeout = TimeSpan.FromSeconds(10),
                };
                BackendTls.ConfigureTrust(handler, backend.CaFile);
                return new AccessTokens(new TokenRequest(options, handler, time), backend.Name, time, log);
            default:
                return new HeaderCredential(options, time);
        }
    }
}
