using System.Collections.Immutable;

namespace Proxy.Identity;

/// <summary>Who sends a request, and what they may do; immutable for the time of the request.</summary>
/// <param name="Id">
/// The identity that rights and the audit refer to, such as the subject of a token; unique together with <see cref="Issuer"/>. Empty
/// without authentication.
/// </param>
/// <param name="Roles">What the caller may do.</param>
public sealed record Caller(string Id, Roles Roles)
{
    /// <summary>Every client while users do not authenticate: all roles, and all studies.</summary>
    public static readonly Caller Anonymous = new("", Roles.All);

    /// <summary>A client without a valid credential, for the addresses that are open to everyone.</summary>
    public static readonly Caller Unknown = new("", Roles.None);

    /// <summary>The proxy itself, for the prefetch rules of the settings: no access rule limits it.</summary>
    public static readonly Caller Proxy = new("proxy", Roles.All);

    /// <summary>Who vouches for the identity: a token's issuer, a certificate's issuer, or the name of the gateway's header.</summary>
    public string Issuer { get; init; } = "";

    /// <summary>The name to show; the identity if there is no other.</summary>
    public string Name { get; init; } = Id;

    /// <summary>The values of the roles claim, for access rules (<c>Security:Access:Rules</c>).</summary>
    public ImmutableHashSet<string> Groups { get; init; } = [];

    /// <summary>
    /// The key of decisions about this caller: a SHA-256 of the credential, or of the identity and its groups. Callers with the same key
    /// have the same rights. Empty without authentication.
    /// </summary>
    public string Key { get; init; } = "";

    /// <summary>When the credential expires; <see cref="DateTimeOffset.MaxValue"/> if it does not.</summary>
    public DateTimeOffset Expires { get; init; } = DateTimeOffset.MaxValue;

    /// <summary>
    /// The caller's own bearer token, a secret, for backends with <c>Authentication:Scheme</c> <c>Forward</c>; null for none.
    /// </summary>
    public string? Token { get; init; }

    /// <summary>Identifies the user across credentials; empty without authentication.</summary>
    public string Identity => IsAnonymous ? "" : $"{Issuer}\n{Id}";

    /// <summary>True while users do not authenticate.</summary>
    public bool IsAnonymous => Id.Length == 0 && Roles == Roles.All;

    /// <summary>Whether the caller has a role.</summary>
    public bool Has(Roles role) => (Roles & role) == role;

    /// <summary>The identity without the token, which is a secret.</summary>
    public override string ToString() => $"{Id} ({Roles})";
}
