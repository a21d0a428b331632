using System.Globalization;
using System.Security.Cryptography;
using System.Web;
using Amazon.Runtime;
using Amazon.Runtime.Credentials;
using Amazon.Runtime.Internal.Auth;
using Proxy.Operations;

namespace Proxy.Backends.Credentials;

/// <summary>Signs each request with AWS Signature Version 4.</summary>
/// <remarks>
/// <code>
/// signed    method, path, query, and the headers host, x-amz-date, x-amz-content-sha256 (S3 and bodies), x-amz-security-token
/// body      not signed (UNSIGNED-PAYLOAD): it is streamed, and TLS protects it
/// keys      those of the settings, or those of the machine: environment, profile, container or instance role
/// </code>
/// </remarks>
internal sealed class SignedRequests(CredentialOptions options, TimeProvider time) : ICredential
{
    private const string UnsignedBody = "UNSIGNED-PAYLOAD";

    /// <summary>SHA-256 of an empty body.</summary>
    private static readonly string EmptyBody = Convert.ToHexStringLower(SHA256.HashData([]));

    /// <summary>The longest wait for the keys of the machine.</summary>
    private static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(10);

    private readonly Signing _signing = options.Signing!;
    private readonly CurrentSecret? _secret = options.Secret is { } secret ? new(secret, time) : null;
    private readonly DefaultAWSCredentialsIdentityResolver _machine = new();

    public async ValueTask AddAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        var keys = await FindKeysAsync(cancellation);
        var now = time.GetUtcNow().UtcDateTime;
        var address = request.RequestUri!;
        var body = request.Content is null ? EmptyBody : UnsignedBody;

        request.Headers.Host ??= address.Authority;
        var signed = new SortedDictionary<string, string>(StringComparer.Ordinal) { ["host"] = request.Headers.Host };
        Sign("x-amz-date", now.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture));
        if (body == UnsignedBody || _signing.IsS3) Sign("x-amz-content-sha256", body);
        if (keys.UseToken) Sign("x-amz-security-token", keys.Token);

        var names = string.Join(';', signed.Keys);
        var headers = string.Concat(signed.Select(h => $"{h.Key}:{h.Value}\n"));
        var canonical = string.Join(
            '\n', request.Method.Method, GetPath(address), GetQuery(address), headers, names, body);
        var signature = AWS4Signer.ComputeSignature(keys, _signing.Region, now, _signing.Service, names, canonical);
        request.Replace("Authorization", signature.ForAuthorizationHeader);

        void Sign(string header, string value)
        {
            request.Replace(header, value);
            signed[header] = value;
        }
    }

    /// <summary>Keys of the settings are read again before each request, and those of the machine renew themselves.</summary>
    public ValueTask<bool> RenewAsync(HttpRequestMessage refused, CancellationToken cancellation) => new(false);

    public void Dispose() { }

    private async ValueTask<ImmutableCredentials> FindKeysAsync(CancellationToken cancellation)
    {
        if (_secret is not null) return new(_signing.AccessKeyId, _secret.Value, null);
        try
        {
            return await AskAsync().WaitAsync(MaxTime, time, cancellation);
        }
        catch (Exception e) when (e is AmazonClientException or AmazonServiceException or TimeoutException)
        {
            throw new NoCredentialException("this machine has no AWS credentials", isOfCaller: false);
        }

        async Task<ImmutableCredentials> AskAsync()
        {
            var found = await _machine.ResolveIdentityAsync(null, cancellation);
            return await found.GetCredentialsAsync();
        }
    }

    /// <summary>The path as it is sent, encoded once more; S3 expects it as it is sent.</summary>
    private string GetPath(Uri address) =>
        _signing.IsS3 ? address.AbsolutePath : string.Join('/', address.AbsolutePath.Split('/').Select(Encode));

    /// <summary>The parameters, in the order of their encoded names and values.</summary>
    private static string GetQuery(Uri address)
    {
        var query = HttpUtility.ParseQueryString(address.Query);
        var pairs =
            from name in query.AllKeys
            from value in query.GetValues(name) ?? []
            select name is null ? (Encode(value), "") : (Encode(name), Encode(value));
        return string.Join('&', pairs.OrderBy(p => p.Item1, StringComparer.Ordinal).ThenBy(p => p.Item2, StringComparer.Ordinal)
            .Select(p => $"{p.Item1}={p.Item2}"));
    }

    /// <summary>Percent-encodes all but the unreserved characters (RFC 3986 §2.3).</summary>
    private static string Encode(string text) => Uri.EscapeDataString(text);
}

/// <summary>The service and the key that requests are signed for.</summary>
/// <param name="Region">The region of the service, such as <c>eu-central-1</c>.</param>
/// <param name="Service">The signing name of the service; default <c>medical-imaging</c>, AWS HealthImaging.</param>
/// <param name="AccessKeyId">The identifier of the key; null for the credentials of the machine.</param>
public sealed record Signing(string Region, string Service, string? AccessKeyId)
{
    /// <summary>The service that signs paths as they are sent.</summary>
    internal bool IsS3 => Service == "s3";
}
