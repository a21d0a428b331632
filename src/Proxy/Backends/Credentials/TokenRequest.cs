using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Proxy.Backends.Transport;

namespace Proxy.Backends.Credentials;

/// <summary>The answer to a token request.</summary>
/// <param name="Token">The token; null when the request failed.</param>
/// <param name="Error">The reason of the failure, without address and secret; empty on success.</param>
internal readonly record struct TokenAnswer(AccessToken? Token, string Error);

/// <summary>Requests access tokens at one token endpoint, and nowhere else: redirects are not followed. Failures are values.</summary>
/// <param name="options">The credential, with its token endpoint.</param>
/// <param name="handler">The connections to the endpoint.</param>
/// <param name="time">The clock.</param>
internal sealed partial class TokenRequest(CredentialOptions options, HttpMessageHandler handler, TimeProvider time) : IDisposable
{
    /// <summary>The largest answer, in bytes.</summary>
    private const int MaxBytes = 64 * 1024;

    private static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(10);

    /// <summary>The life of a token whose answer does not say it (RFC 6749 §5.1 recommends that it does).</summary>
    private static readonly TimeSpan DefaultLifetime = TimeSpan.FromMinutes(5);

    private readonly HttpMessageInvoker _client = new(handler);

    /// <summary>Requests a token.</summary>
    public async Task<TokenAnswer> AskAsync()
    {
        if (options.Secret is not { } secret || !secret.TryRead(out var password, out _))
            return new(null, "the client's secret cannot be read");
        using var late = new CancellationTokenSource(MaxTime, time);
        try
        {
            using var request = Create(options.Tokens!, password);
            using var response = await _client.SendAsync(request, late.Token);
            await response.Content.LoadIntoBufferAsync(MaxBytes, late.Token);
            await using var body = await response.Content.ReadAsStreamAsync(late.Token);
            return await ReadAsync(response.StatusCode, body, late.Token);
        }
        catch (OperationCanceledException)
        {
            return new(null, "the token endpoint did not answer in time");
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
        {
            return new(null, $"the answer of the token endpoint has more than {MaxBytes} bytes");
        }
        catch (HttpRequestException e)
        {
            return new(null, "the token endpoint cannot be reached: " + ConnectionFailures.Describe(e));
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            return new(null, "the token endpoint gave no valid answer");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private static HttpRequestMessage Create(TokenEndpoint endpoint, string secret)
    {
        var form = new Dictionary<string, string> { ["grant_type"] = "client_credentials" };
        if (endpoint.Scopes.Length > 0) form["scope"] = endpoint.Scopes;
        if (endpoint.Audience.Length > 0) form["audience"] = endpoint.Audience;
        var request = new HttpRequestMessage(HttpMethod.Post, endpoint.Address) { Content = new FormUrlEncodedContent(form) };
        request.Headers.TryAddWithoutValidation("Accept", "application/json");
        // RFC 6749 §2.3.1: both parts are encoded as in a form.
        var user = $"{WebUtility.UrlEncode(endpoint.ClientId)}:{WebUtility.UrlEncode(secret)}";
        request.Headers.TryAddWithoutValidation("Authorization", "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes(user)));
        return request;
    }

    private async Task<TokenAnswer> ReadAsync(HttpStatusCode status, Stream body, CancellationToken cancellation)
    {
        if (status != HttpStatusCode.OK)
        {
            var code = await FindErrorAsync(body, cancellation);
            return new(null, string.Create(CultureInfo.InvariantCulture, $"the token endpoint answered {(int)status}{code}"));
        }
        using var document = await JsonDocument.ParseAsync(body, cancellationToken: cancellation);
        if (document.RootElement is not { ValueKind: JsonValueKind.Object } answer
            || !answer.TryGetProperty("access_token", out var token) || token.ValueKind != JsonValueKind.String
            || token.GetString() is not { Length: > 0 } value || !value.All(c => c is > ' ' and < (char)127))
            return new(null, "the answer of the token endpoint contains no access token");
        if (answer.TryGetProperty("token_type", out var type)
            && !string.Equals(type.ToString(), "Bearer", StringComparison.OrdinalIgnoreCase))
            return new(null, "the token endpoint gave a token that is not a bearer token");
        return new(AccessToken.Create(value, ReadLifetime(answer), time.GetUtcNow()), "");
    }

    /// <summary>Some endpoints send the number of seconds as a string.</summary>
    private static TimeSpan ReadLifetime(JsonElement answer) =>
        answer.TryGetProperty("expires_in", out var expires)
            && double.TryParse(expires.ToString(), NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds)
            && seconds is >= 1 and <= 365 * 86400
            ? TimeSpan.FromSeconds(seconds)
            : DefaultLifetime;

    /// <summary>The error code of RFC 6749 §5.2, for the log; empty if the answer has no code.</summary>
    private static async Task<string> FindErrorAsync(Stream body, CancellationToken cancellation)
    {
        try
        {
            using var document = await JsonDocument.ParseAsync(body, cancellationToken: cancellation);
            return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("error", out var error)
                && error.ValueKind == JsonValueKind.String && ErrorCode().IsMatch(error.GetString()!) ? $" ({error.GetString()})" : "";
        }
        catch (JsonException)
        {
            return "";
        }
    }

    [GeneratedRegex("^[a-z_]{1,40}$")]
    private static partial Regex ErrorCode();
}
