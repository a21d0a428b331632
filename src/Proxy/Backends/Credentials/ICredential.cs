using System.Text;
using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Backends.Credentials;

/// <summary>
/// The credential of one backend in use: it authenticates each request to that backend, when the request's method, address and headers
/// are complete.
/// </summary>
internal interface ICredential : IDisposable
{
    /// <summary>Adds the credential to a request.</summary>
    /// <exception cref="NoCredentialException">The credential is missing; the request must not be sent.</exception>
    public ValueTask AddAsync(HttpRequestMessage request, CancellationToken cancellation);

    /// <summary>Renews the credential after the backend refused it (401).</summary>
    /// <returns>True if there is another one now, so that the request may be sent once more.</returns>
    public ValueTask<bool> RenewAsync(HttpRequestMessage refused, CancellationToken cancellation);
}

/// <summary>A header with a value from the settings or from a file.</summary>
internal sealed class HeaderCredential(CredentialOptions options, TimeProvider time) : ICredential
{
    private readonly CurrentSecret _secret = new(options.Secret!, time);

    public ValueTask AddAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        var secret = _secret.Value;
        var value = options.Scheme switch
        {
            CredentialScheme.Basic => "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{options.User}:{secret}")),
            CredentialScheme.Bearer => "Bearer " + secret,
            _ => secret,
        };
        request.Replace(options.Header, value);
        return ValueTask.CompletedTask;
    }

    public ValueTask<bool> RenewAsync(HttpRequestMessage refused, CancellationToken cancellation) => new(false);

    public void Dispose() { }
}

/// <summary>The token of the user whose request it is (<see cref="CredentialScheme.Forward"/>).</summary>
/// <remarks>
/// The proxy's own requests have no user. A health check is sent without a credential: any answer below 500, also 401, proves that the
/// backend works. All others are not sent.
/// </remarks>
internal sealed class CallersToken : ICredential
{
    /// <summary>Marks a request that is sent without a credential if no caller has a token.</summary>
    public static readonly HttpRequestOptionsKey<bool> MayBeBareKey = new("Proxy.MayBeBare");

    public ValueTask AddAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        request.Headers.Remove("Authorization");
        if (CurrentCaller.Value.Token is { Length: > 0 } token) request.Replace("Authorization", "Bearer " + token);
        else if (!request.Options.TryGetValue(MayBeBareKey, out var mayBeBare) || !mayBeBare)
            throw new NoCredentialException("the user has no token that could be forwarded", isOfCaller: true);
        return ValueTask.CompletedTask;
    }

    public ValueTask<bool> RenewAsync(HttpRequestMessage refused, CancellationToken cancellation) => new(false);

    public void Dispose() { }
}

/// <summary>Sets a header of a request.</summary>
internal static class RequestHeaders
{
    /// <summary>Sets a header without interpreting its value.</summary>
    public static void Replace(this HttpRequestMessage request, string header, string value)
    {
        request.Headers.Remove(header);
        request.Headers.TryAddWithoutValidation(header, value);
    }
}
