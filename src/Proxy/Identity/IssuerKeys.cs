using System.Collections.Immutable;
using System.Text.Json;
using Microsoft.IdentityModel.Tokens;
using Proxy.Operations;

namespace Proxy.Identity;

/// <summary>The keys with which an issuer signs tokens, as last read.</summary>
/// <param name="Issuer">The value of <c>iss</c> in its tokens.</param>
/// <param name="Keys">Its public keys for signatures; never one that is shared.</param>
internal sealed record TrustedKeys(string Issuer, ImmutableArray<JsonWebKey> Keys)
{
    /// <summary>The keys that may have signed a token: the one that it names, or all of its algorithm if it names none.</summary>
    public ImmutableArray<JsonWebKey> Find(string? id, string algorithm)
    {
        var type = algorithm.StartsWith("ES", StringComparison.Ordinal)
            ? JsonWebAlgorithmsKeyTypes.EllipticCurve
            : JsonWebAlgorithmsKeyTypes.RSA;
        return Keys.RemoveAll(key => key.Kty != type || !string.IsNullOrEmpty(key.Alg) && key.Alg != algorithm
            || !string.IsNullOrEmpty(id) && key.Kid != id);
    }
}

/// <summary>Reads the keys of the identity provider: at start, every hour, and when a token names an unknown key.</summary>
/// <remarks>
/// Requests share one reading, and between two readings there is a pause, so that tokens with invented keys cause no load at the
/// identity provider. While it cannot be reached, the last known keys stay in use. Without any key, no token is accepted.
/// </remarks>
internal sealed class IssuerKeys(JwtOptions options, TimeProvider time, ILogger<IssuerKeys> log) : BackgroundService
{
    /// <summary>The shortest time between two readings while keys are known.</summary>
    public static readonly TimeSpan CoolDown = TimeSpan.FromSeconds(30);

    /// <summary>The same while no keys are known.</summary>
    public static readonly TimeSpan FirstCoolDown = TimeSpan.FromSeconds(5);

    /// <summary>The time after which keys are read again, so that withdrawn keys are forgotten.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);

    /// <summary>The longest time of a reading.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private const int MaxBytes = 1024 * 1024;
    private const int MaxKeys = 100;
    private readonly Lock _lock = new();
    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    });
    private volatile TrustedKeys? _known;
    private Task<TrustedKeys?>? _reading;
    private long _begun;

    /// <summary>The keys as last read; null before the first success.</summary>
    public TrustedKeys? Known => _known;

    /// <summary>Reads the keys, unless that was done a moment ago; the result is the keys that are known then.</summary>
    public Task<TrustedKeys?> RefreshAsync()
    {
        lock (_lock)
        {
            if (_reading is { IsCompleted: false }) return _reading;
            if (_reading is not null && time.GetElapsedTime(_begun) < (_known is null ? FirstCoolDown : CoolDown))
                return Task.FromResult(_known);
            _begun = time.GetTimestamp();
            return _reading = Task.Run(ReadAsync);
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _http.Dispose();
        base.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await RefreshAsync().WaitAsync(stoppingToken);
            await Task.Delay(_known is null ? FirstCoolDown : Lifetime, time, stoppingToken);
        }
    }

    private async Task<TrustedKeys?> ReadAsync()
    {
        try
        {
            using var stop = new CancellationTokenSource(Timeout, time);
            var (issuer, set) = options.JwksFile is { } file
                ? (options.Issuer ?? options.Authority!.OriginalString, await File.ReadAllBytesAsync(file, stop.Token))
                : await DownloadAsync(options.Authority!, stop.Token);
            var keys = JsonWebKeySet.Create(System.Text.Encoding.UTF8.GetString(set)).Keys.Where(IsPublic).Take(MaxKeys).ToImmutableArray();
            if (keys.IsEmpty) throw new InvalidDataException("there is no RSA or EC key for signatures");
            if (_known is null) log.IssuerKeysRead(keys.Length);
            _known = new(issuer, keys);
        }
        // The answer is not ours: the keys that are known stay in use if anything is wrong with it.
        catch (Exception e)
        {
            log.IssuerKeysUnreadable(
                e is OperationCanceledException ? "no answer in time" : e.Message,
                _known is null ? "no token is accepted until they are known" : "the known keys stay in use");
        }
        return _known;
    }

    private async Task<(string Issuer, byte[] KeySet)> DownloadAsync(Uri authority, CancellationToken cancellation)
    {
        var root = authority.AbsoluteUri.TrimEnd('/');
        using var discovery = JsonDocument.Parse(
            await DownloadAsync(root + "/.well-known/openid-configuration", cancellation), new JsonDocumentOptions { MaxDepth = 16 });
        var issuer = discovery.RootElement.GetProperty("issuer").GetString() ?? "";
        // OpenID Connect Discovery 1.0 §4.3: the document belongs to the issuer that it names. A setting may name another one.
        if (options.Issuer is null && issuer.TrimEnd('/') != root && issuer != authority.OriginalString)
            throw new InvalidDataException(
                "the discovery document names another issuer than Security:Jwt:Authority; set Security:Jwt:Issuer");
        var keys = new Uri(discovery.RootElement.GetProperty("jwks_uri").GetString() ?? "", UriKind.Absolute);
        if (!JwtOptions.IsTrustworthy(keys)) throw new InvalidDataException("jwks_uri is not an https address");
        return (options.Issuer ?? issuer, await DownloadAsync(keys.AbsoluteUri, cancellation));
    }

    private async Task<byte[]> DownloadAsync(string address, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        request.Headers.Accept.ParseAdd("application/json");
        using var response = await _http.SendAsync(request, cancellation);
        if (!response.IsSuccessStatusCode) throw new InvalidDataException($"status {(int)response.StatusCode}");
        await using var body = await response.Content.ReadAsStreamAsync(cancellation);
        using var bytes = new MemoryStream();
        var buffer = new byte[16 * 1024];
        for (int read; (read = await body.ReadAsync(buffer, cancellation)) > 0;)
        {
            if (bytes.Length + read > MaxBytes) throw new InvalidDataException($"the answer has more than {MaxBytes} bytes");
            bytes.Write(buffer, 0, read);
        }
        return bytes.ToArray();
    }

    private static bool IsPublic(JsonWebKey key) =>
        key.Kty is JsonWebAlgorithmsKeyTypes.RSA or JsonWebAlgorithmsKeyTypes.EllipticCurve
        && (string.IsNullOrEmpty(key.Use) || key.Use == "sig");
}
