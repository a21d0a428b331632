using System.Collections.Immutable;
using Microsoft.Extensions.Primitives;
using Proxy.Operations;

namespace Proxy.Identity;

/// <summary>Takes the user from the header of an authenticating gateway, such as oauth2-proxy or Authelia.</summary>
/// <remarks>
/// Every client can send such a header. It counts only on a connection of a known proxy (<c>Security:KnownProxies</c>), and on the
/// listener that is named for it; elsewhere it is removed.
/// </remarks>
internal sealed class GatewayHeader(HeaderOptions options, CallerCache callers, Reloadable<IdentityOptions> identity) : IAuthenticator
{
    private const int MaxNameLength = 256;

    /// <inheritdoc/>
    public ValueTask<Authentication> AuthenticateAsync(HttpContext context) => new(Authenticate(context));

    /// <summary>Notes that the peer of a connection is a known proxy, before its headers replace the address of the connection.</summary>
    public static void NoteKnownProxy(HttpContext context) => context.Features.Set(KnownProxy.One);

    private Authentication Authenticate(HttpContext context)
    {
        var headers = context.Request.Headers;
        var port = context.Connection.LocalPort;
        if (context.Features.Get<KnownProxy>() is null || port != (options.Port ?? port))
        {
            headers.Remove(options.User);
            headers.Remove(options.Roles);
        }
        // Two values, also in one line: one of them may be the client's.
        if (headers[options.User] is not [{ Length: > 0 and <= MaxNameLength } user] || user.Contains(',', StringComparison.Ordinal))
            return Authentication.Refuse("Sign in at the gateway: it names the user in a header", "Gateway");
        return new(Find(user, headers[options.Roles]), null);
    }

    private Caller Find(string user, StringValues roles)
    {
        var hash = CredentialHash.Of($"{user}\n{roles}");
        if (callers.Find(hash) is { } known) return known;
        ImmutableHashSet<string> groups =
            [.. roles.ToString().Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)];
        var caller = new Caller(user, identity.Value.Roles.GetRoles(groups)) { Issuer = options.User, Groups = groups, Key = hash.ToKey() };
        callers.Add(hash, caller, DateTimeOffset.MaxValue);
        return caller;
    }

    private sealed class KnownProxy
    {
        public static readonly KnownProxy One = new();
    }
}
