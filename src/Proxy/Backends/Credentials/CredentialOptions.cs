using System.Text.RegularExpressions;
using Proxy.Operations;

namespace Proxy.Backends.Credentials;

/// <summary>The values of <c>Backends:{name}:Authentication:Scheme</c>.</summary>
public enum CredentialScheme
{
    /// <summary>No credential.</summary>
    None,

    /// <summary>User and password (RFC 7617).</summary>
    Basic,

    /// <summary>A token that the settings or a file contain (RFC 6750).</summary>
    Bearer,

    /// <summary>A header of any name.</summary>
    Header,

    /// <summary>A token that the proxy requests with its client credentials (RFC 6749 §4.4).</summary>
    OAuth2,

    /// <summary>A client certificate (TLS).</summary>
    ClientCertificate,

    /// <summary>The token of the user whose request it is: the PACS itself decides what that user may see.</summary>
    Forward,

    /// <summary>Each request is signed with AWS Signature Version 4.</summary>
    SigV4,
}

/// <summary>How the proxy authenticates to a PACS, <c>Backends:{name}:Authentication</c>. It contains a secret.</summary>
/// <param name="Scheme">The scheme; never <see cref="CredentialScheme.None"/>.</param>
public sealed record CredentialOptions(CredentialScheme Scheme)
{
    /// <summary>The name of the header that authenticates a request; empty for <see cref="CredentialScheme.ClientCertificate"/>.</summary>
    public string Header { get; init; } = "Authorization";

    /// <summary>The user of <see cref="CredentialScheme.Basic"/>.</summary>
    public string User { get; init; } = "";

    /// <summary>
    /// The password, the token, the value of the header, the client's secret, or the key that signs; null for the credentials of the
    /// machine.
    /// </summary>
    public Secret? Secret { get; init; }

    /// <summary>Where <see cref="CredentialScheme.OAuth2"/> gets a token, and for what; null for the other schemes.</summary>
    public TokenEndpoint? Tokens { get; init; }

    /// <summary>The certificate of <see cref="CredentialScheme.ClientCertificate"/>; null for the other schemes.</summary>
    public PemFiles? Certificate { get; init; }

    /// <summary>The service that <see cref="CredentialScheme.SigV4"/> signs for; null for the other schemes.</summary>
    public Signing? Signing { get; init; }

    /// <summary>Reads the section of one backend; null for no credential. Errors are reported to the reader.</summary>
    public static CredentialOptions? Read(SettingsReader settings, string key)
    {
        settings.ReportUnknown(
            key, "Scheme", "User", "Password", "PasswordFile", "Token", "TokenFile", "Name", "Value", "ValueFile", "TokenUrl", "ClientId",
            "ClientSecret", "ClientSecretFile", "Scopes", "Audience", "Certificate", "Key", "KeyPassword", "KeyPasswordFile",
            "Region", "Service", "AccessKeyId", "SecretAccessKey", "SecretAccessKeyFile");
        switch (settings.ReadChoice($"{key}:Scheme", CredentialScheme.None))
        {
            case CredentialScheme.Basic:
                return new(CredentialScheme.Basic) { User = Require("User"), Secret = Secret.Require(settings, $"{key}:Password") };
            case CredentialScheme.Bearer:
                return new(CredentialScheme.Bearer) { Secret = Secret.Require(settings, $"{key}:Token") };
            case CredentialScheme.Header:
                var name = Require("Name");
                if (name.Length > 0 && !Regex.IsMatch(name, "^[A-Za-z0-9-]+$"))
                    settings.AddError($"{key}:Name", name, "a header's name: letters, digits and -");
                return new(CredentialScheme.Header) { Header = name, Secret = Secret.Require(settings, $"{key}:Value") };
            case CredentialScheme.OAuth2:
                return new(CredentialScheme.OAuth2)
                {
                    Secret = Secret.Require(settings, $"{key}:ClientSecret"),
                    Tokens = TokenEndpoint.Read(settings, key, Require("ClientId")),
                };
            case CredentialScheme.ClientCertificate:
                return new(CredentialScheme.ClientCertificate) { Header = "", Certificate = PemFiles.Read(settings, key) };
            case CredentialScheme.Forward:
                return new(CredentialScheme.Forward);
            case CredentialScheme.SigV4:
                var id = settings.FindText($"{key}:AccessKeyId");
                return new(CredentialScheme.SigV4)
                {
                    Secret = id is null ? null : Secret.Require(settings, $"{key}:SecretAccessKey"),
                    Signing = new(Require("Region"), settings.FindText($"{key}:Service") ?? "medical-imaging", id),
                };
            default:
                return null;
        }

        string Require(string part)
        {
            var text = settings.FindText($"{key}:{part}") ?? "";
            if (text.Length == 0) settings.AddError($"{key}:{part}", null, "required by this scheme");
            if (text.Any(char.IsControl)) settings.AddError($"{key}:{part}", SettingsInForce.Hidden, "no control characters");
            return text;
        }
    }

    /// <summary>The scheme and the name of the header, without its value, which is a secret.</summary>
    public override string ToString() => Header.Length == 0 ? $"{Scheme}" : $"{Scheme} in {Header}";
}

/// <summary>Where the proxy requests an access token, and for what (RFC 6749 §4.4.2).</summary>
/// <param name="Address">The token endpoint.</param>
/// <param name="ClientId">The identifier of the proxy at the token endpoint.</param>
/// <param name="Scopes">The scopes to request, separated by spaces; empty for those that the endpoint chooses.</param>
/// <param name="Audience">The value of the parameter <c>audience</c>, which some endpoints require; empty for none.</param>
public sealed record TokenEndpoint(Uri Address, string ClientId, string Scopes, string Audience)
{
    internal static TokenEndpoint Read(SettingsReader settings, string key, string clientId)
    {
        var text = settings.FindText($"{key}:TokenUrl");
        var isUrl = Uri.TryCreate(text, UriKind.Absolute, out var address) && address.UserInfo.Length == 0 && address.Fragment.Length == 0
            && (address.Scheme == Uri.UriSchemeHttps || address.Scheme == Uri.UriSchemeHttp && address.IsLoopback);
        if (!isUrl)
            settings.AddError($"{key}:TokenUrl", text is null ? null : SettingsInForce.Hidden, "an https URL; http only on loopback");
        return new(
            isUrl ? address! : new Uri("https://invalid"), clientId, settings.FindText($"{key}:Scopes") ?? "",
            settings.FindText($"{key}:Audience") ?? "");
    }
}
