using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Proxy.Tests.Identity;

/// <summary>An identity provider: it issues right and wrong tokens, and has keys that rotate.</summary>
public sealed class TestIssuer(string name = "https://issuer.test")
{
    private readonly List<IssuerKey> _keys = [IssuerKey.Ec("ec-1")];

    /// <summary>The issuer of most tests. Its keys must not change.</summary>
    public static readonly TestIssuer Shared = new();

    /// <summary>The audience of its tokens.</summary>
    public const string Audience = "dicom-proxy";

    /// <summary>The value of <c>iss</c>.</summary>
    public string Name { get; init; } = name;

    /// <summary>The clock of its tokens.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>The newest key; it signs.</summary>
    public IssuerKey Key => _keys[^1];

    /// <summary>All keys, the oldest first.</summary>
    public IReadOnlyList<IssuerKey> Keys => _keys;

    /// <summary>The public keys (RFC 7517 §5).</summary>
    public string KeySet => new JsonObject { ["keys"] = new JsonArray([.. _keys.Select(k => (JsonNode)k.ToJwk())]) }.ToJsonString();

    /// <summary>Signs with another key from now on.</summary>
    public void Rotate(IssuerKey next, bool keepsOld = true)
    {
        if (!keepsOld) _keys.Clear();
        _keys.Add(next);
    }

    /// <summary>A token that is valid for an hour.</summary>
    public string Issue(string subject, params IEnumerable<string> groups) => Sign(MakeClaims(subject, groups));

    /// <summary>The claims of a valid token, for a test to change.</summary>
    public JsonObject MakeClaims(string subject, params IEnumerable<string> groups)
    {
        var now = Time.GetUtcNow().ToUnixTimeSeconds();
        return new()
        {
            ["iss"] = Name,
            ["aud"] = Audience,
            ["sub"] = subject,
            ["iat"] = now,
            ["nbf"] = now,
            ["exp"] = now + 3600,
            ["roles"] = new JsonArray([.. groups.Select(g => (JsonNode)g)]),
        };
    }

    /// <summary>A token with these claims, signed by the newest key or another one; the header may be changed.</summary>
    public string Sign(JsonObject claims, IssuerKey? key = null, params (string Name, string? Value)[] header)
    {
        key ??= Key;
        var head = new JsonObject { ["alg"] = key.Algorithm, ["kid"] = key.Id, ["typ"] = "at+jwt" };
        foreach (var (field, value) in header)
        {
            if (value is null) head.Remove(field);
            else head[field] = value;
        }
        var signed = $"{Encode(Encoding.UTF8.GetBytes(head.ToJsonString()))}.{Encode(Encoding.UTF8.GetBytes(claims.ToJsonString()))}";
        return $"{signed}.{Encode(key.Sign(Encoding.ASCII.GetBytes(signed)))}";
    }

    /// <summary>Base64url without padding (RFC 7515 §2).</summary>
    public static string Encode(ReadOnlySpan<byte> bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);
}

/// <summary>A key of an issuer, which signs tokens.</summary>
public sealed record IssuerKey(string Id, string Algorithm, Func<byte[], byte[]> Sign, Func<JsonObject> Describe)
{
    /// <summary>The public half (RFC 7517 §4).</summary>
    public JsonObject ToJwk()
    {
        var jwk = Describe();
        (jwk["kid"], jwk["use"], jwk["alg"]) = (Id, "sig", Algorithm);
        return jwk;
    }

    /// <summary>A key for ES256.</summary>
    public static IssuerKey Ec(string id)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new(id, "ES256", data => key.SignData(data, HashAlgorithmName.SHA256), () =>
        {
            var point = key.ExportParameters(includePrivateParameters: false).Q;
            return new() { ["kty"] = "EC", ["crv"] = "P-256", ["x"] = TestIssuer.Encode(point.X), ["y"] = TestIssuer.Encode(point.Y) };
        });
    }

    /// <summary>A key for RS256 or PS256.</summary>
    public static IssuerKey Rsa(string id, string algorithm = "RS256")
    {
        var key = RSA.Create(2048);
        var padding = algorithm == "RS256" ? RSASignaturePadding.Pkcs1 : RSASignaturePadding.Pss;
        return new(id, algorithm, data => key.SignData(data, HashAlgorithmName.SHA256, padding), () =>
        {
            var half = key.ExportParameters(includePrivateParameters: false);
            return new() { ["kty"] = "RSA", ["n"] = TestIssuer.Encode(half.Modulus), ["e"] = TestIssuer.Encode(half.Exponent) };
        });
    }

    /// <summary>A shared key for HS256, which no proxy may accept.</summary>
    public static IssuerKey Shared(string id, byte[] secret) =>
        new(id, "HS256", data => HMACSHA256.HashData(secret, data), () => new() { ["kty"] = "oct", ["k"] = TestIssuer.Encode(secret) });

    /// <summary>No signature at all (RFC 7518 §3.6).</summary>
    public static readonly IssuerKey None = new("none", "none", _ => [], () => []);
}
