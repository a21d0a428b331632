using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Proxy.Operations;

namespace Proxy.Identity;

/// <summary>
/// Verifies the bearer tokens of requests (RFC 6750): JSON Web Tokens that the identity provider has signed (RFC 7519, RFC 9068).
/// </summary>
internal sealed class BearerTokens(
    JwtOptions options, IssuerKeys keys, CallerCache callers, Reloadable<IdentityOptions> identity, TimeProvider time)
    : IAuthenticator
{
    /// <summary>How far the clocks of issuer and proxy may differ.</summary>
    public static readonly TimeSpan ClockSkew = TimeSpan.FromSeconds(60);

    private const string Scheme = "Bearer ";

    /// <summary>Other types, such as those of logout tokens, are signed with the same keys (RFC 8725 §3.11).</summary>
    private static readonly string[] Types = ["at+jwt", "application/at+jwt", "JWT"];

    private static readonly JsonWebTokenHandler Verifier = new();

    /// <inheritdoc/>
    public ValueTask<Authentication> AuthenticateAsync(HttpContext context)
    {
        var header = context.Request.Headers.Authorization.ToString();
        if (!header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            return new(Authentication.Refuse("Authorization: a bearer token is required", "Bearer"));
        var token = header[Scheme.Length..].Trim();
        var hash = CredentialHash.Of(token);
        if (callers.Find(hash) is { } caller) return new(new Authentication(caller, null));
        return new(VerifyAsync(token, hash, context.RequestAborted));
    }

    private async Task<Authentication> VerifyAsync(string token, CredentialHash hash, CancellationToken cancellation)
    {
        if (TryParse(token) is not { } parsed) return Refuse("The token is not a signed JWT");
        if (!options.Algorithms.Contains(parsed.Alg)) return Refuse("The algorithm of the signature is not accepted");
        var trusted = keys.Known ?? await keys.RefreshAsync().WaitAsync(cancellation);
        var candidates = trusted?.Find(parsed.Kid, parsed.Alg) ?? [];
        if (trusted is not null && candidates.IsEmpty)
        {
            trusted = await keys.RefreshAsync().WaitAsync(cancellation);
            candidates = trusted?.Find(parsed.Kid, parsed.Alg) ?? [];
        }
        if (trusted is null) return new(null, Problems.NoIssuer());
        if (candidates.IsEmpty) return Refuse("The key of the signature is unknown");
        var result = await Verifier.ValidateTokenAsync(parsed, new TokenValidationParameters
        {
            IssuerSigningKeys = candidates,
            ValidAlgorithms = options.Algorithms,
            ValidIssuer = trusted.Issuer,
            ValidAudience = options.Audience,
            // Below, with the clock of the proxy.
            ValidateLifetime = false,
        });
        if (!result.IsValid) return Refuse(Explain(result.Exception));
        return Read(parsed, hash, trusted.Issuer);
    }

    private Authentication Read(JsonWebToken token, CredentialHash hash, string issuer)
    {
        using var claims = JsonDocument.Parse(Base64UrlEncoder.DecodeBytes(token.EncodedPayload));
        var payload = claims.RootElement;
        if (!TryReadTime(payload, "exp", out var expires)) return Refuse("The token has no expiry (exp)");
        var now = time.GetUtcNow();
        if (now >= expires + ClockSkew) return Refuse("The token has expired");
        if (payload.TryGetProperty("nbf", out _) && !(TryReadTime(payload, "nbf", out var start) && now >= start - ClockSkew))
            return Refuse("The token is not valid yet");
        if (TokenClaims.GetId(payload) is not { Length: > 0 } id) return Refuse("The token names no subject (sub)");
        var groups = TokenClaims.ReadGroups(payload, options.RolesClaim);
        var caller = new Caller(id, identity.Value.Roles.GetRoles(groups))
        {
            Issuer = issuer,
            Name = TokenClaims.FindName(payload) ?? id,
            Groups = groups,
            Key = hash.ToKey(),
            Expires = expires,
            Token = token.EncodedToken,
        };
        callers.Add(hash, caller, expires + ClockSkew);
        return new(caller, null);
    }

    /// <summary>The token is not valid (RFC 6750 §3.1).</summary>
    private static Authentication Refuse(string detail) =>
        Authentication.Refuse(detail, $"Bearer error=\"invalid_token\", error_description=\"{detail}\"");

    private static JsonWebToken? TryParse(string token)
    {
        // Five segments are an encrypted token, for which the proxy has no key.
        if (token.AsSpan().Count('.') != 2) return null;
        try
        {
            var parsed = new JsonWebToken(token);
            return string.IsNullOrEmpty(parsed.Typ) || Types.Contains(parsed.Typ, StringComparer.OrdinalIgnoreCase) ? parsed : null;
        }
        // The token is not ours: the parser throws many types of exceptions for malformed ones.
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return null;
        }
    }

    /// <summary>Reads a NumericDate (RFC 7519 §2); times beyond the calendar end at its end.</summary>
    private static bool TryReadTime(JsonElement claims, string name, out DateTimeOffset value)
    {
        const double Last = 253_402_300_799;
        value = default;
        if (!claims.TryGetProperty(name, out var claim) || claim.ValueKind != JsonValueKind.Number || !claim.TryGetDouble(out var seconds))
            return false;
        value = DateTimeOffset.FromUnixTimeSeconds((long)Math.Clamp(seconds, 86_400, Last - 86_400));
        return true;
    }

    private static string Explain(Exception failure) => failure switch
    {
        SecurityTokenInvalidIssuerException => "The issuer of the token is not accepted",
        SecurityTokenInvalidAudienceException => "The token is for another audience",
        SecurityTokenInvalidSignatureException => "The signature of the token is invalid",
        _ => "The token is not accepted",
    };
}
