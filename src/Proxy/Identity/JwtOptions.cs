using System.Net;
using Proxy.Operations;

namespace Proxy.Identity;

/// <summary>The bearer tokens that the proxy accepts (<c>Security:Jwt</c>); read at start.</summary>
/// <param name="Authority">
/// The identity provider: its discovery document is below <c>/.well-known/openid-configuration</c> (OpenID Connect Discovery 1.0 §4).
/// HTTPS, or any address of this machine.
/// </param>
/// <param name="JwksFile">A file with the keys of the identity provider (RFC 7517 §5), for networks that do not reach it.</param>
/// <param name="Issuer">The value of <c>iss</c>; by default the issuer that the discovery document names.</param>
/// <param name="Audience">The value that <c>aud</c> must contain.</param>
/// <param name="RolesClaim">
/// The claim with the user's roles or groups: a list, or a text with spaces or commas between the values. A name with dots, such as
/// <c>realm_access.roles</c>, is also a path within the token. Default <c>roles</c>.
/// </param>
public sealed record JwtOptions(Uri? Authority, string? JwksFile, string? Issuer, string Audience, string RolesClaim)
{
    /// <summary>The signature algorithms that may be accepted (RFC 7518 §3.1): those with a public key.</summary>
    private static readonly string[] Asymmetric =
        ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"];

    /// <summary>The signature algorithms that are accepted; by default all with a public key.</summary>
    public IReadOnlyList<string> Algorithms { get; init; } = Asymmetric;

    /// <summary>
    /// Whether a token may be in the query, as <c>access_token</c> or <c>token</c> (RFC 6750 §2.3); false by default, because
    /// addresses are logged and stored in histories.
    /// </summary>
    public bool AllowInUrl { get; init; }

    /// <summary>Reads the section <c>Security:Jwt</c>.</summary>
    /// <param name="settings">The settings.</param>
    /// <param name="isUsed">Whether tokens are accepted, so that the required settings have to be there.</param>
    public static JwtOptions Read(SettingsReader settings, bool isUsed)
    {
        settings.ReportUnknown(
            "Security:Jwt", "Authority", "JwksFile", "Issuer", "Audience", "RolesClaim", "Algorithms", "AllowInUrl");
        var authority = ReadAuthority(settings, "Security:Jwt:Authority");
        var file = settings.FindText("Security:Jwt:JwksFile");
        var issuer = settings.FindText("Security:Jwt:Issuer");
        var audience = settings.FindText("Security:Jwt:Audience");
        if (isUsed)
        {
            if (authority is null && file is null)
                settings.AddError(
                    "Security:Jwt:Authority", null, "the address of the identity provider, or Security:Jwt:JwksFile with its keys");
            if (file is not null && !File.Exists(file)) settings.AddError("Security:Jwt:JwksFile", file, "a file that exists");
            if (file is not null && authority is null && issuer is null)
                settings.AddError("Security:Jwt:Issuer", null, "the value of iss in the tokens, required with Security:Jwt:JwksFile");
            if (audience is null)
                settings.AddError("Security:Jwt:Audience", null, "the value of aud in tokens for this proxy, such as dicom-proxy");
        }
        var claim = settings.FindText("Security:Jwt:RolesClaim") ?? "roles";
        return new(authority, file, issuer, audience ?? "", claim)
        {
            Algorithms = ReadAlgorithms(settings),
            AllowInUrl = settings.ReadFlag("Security:Jwt:AllowInUrl", false),
        };
    }

    /// <summary>Reads the address of an identity provider; null if it is not set, and also an error if it is not allowed.</summary>
    internal static Uri? ReadAuthority(SettingsReader settings, string key)
    {
        if (settings.FindText(key) is not { } text) return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out var uri) && IsTrustworthy(uri) && uri is { Query: "", Fragment: "", UserInfo: "" })
            return uri;
        settings.AddError(key, text, "an https address without user, query or fragment; http only on this machine");
        return null;
    }

    /// <summary>Whether no one on the network can change what is read from an address: HTTPS, or this machine.</summary>
    internal static bool IsTrustworthy(Uri uri) =>
        uri.Scheme == Uri.UriSchemeHttps
        || uri.Scheme == Uri.UriSchemeHttp
            && (uri.Host == "localhost" || IPAddress.TryParse(uri.Host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));

    private static string[] ReadAlgorithms(SettingsReader settings)
    {
        string[] algorithms = settings.ReadList("Security:Jwt:Algorithms");
        foreach (var algorithm in algorithms.Except(Asymmetric))
            settings.AddError("Security:Jwt:Algorithms", algorithm, "algorithms with a public key: " + string.Join(", ", Asymmetric));
        return algorithms.Length == 0 ? Asymmetric : [.. algorithms.Intersect(Asymmetric)];
    }
}
