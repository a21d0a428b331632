namespace Proxy.Identity;

/// <summary>The way that users authenticate (<c>Security:Authentication</c>).</summary>
public enum AuthenticationKind
{
    /// <summary>No authentication: every client that reaches the address may see everything.</summary>
    None,

    /// <summary>Every request has a bearer token of an identity provider (RFC 6750, RFC 9068).</summary>
    Jwt,

    /// <summary>Browsers sign in at an identity provider (OpenID Connect) and get a session cookie; bearer tokens are accepted too if
    /// <c>Security:Jwt</c> is set.</summary>
    Oidc,

    /// <summary>An authenticating gateway before the proxy names the user in a header.</summary>
    Header,

    /// <summary>Every connection has a client certificate (mutual TLS).</summary>
    Certificate,
}
