using System.Collections.Immutable;
using System.Text.Json;

namespace Proxy.Identity;

/// <summary>Reads the claims of a verified token or session (RFC 7519 §4).</summary>
internal static class TokenClaims
{
    private static readonly string[] Identities = ["sub", "client_id", "azp"];
    private static readonly string[] Names = ["name", "preferred_username", "email"];

    /// <summary>The user's identity: the subject, or the client of a token without one; empty for none.</summary>
    public static string GetId(JsonElement claims) => FindText(claims, Identities) ?? "";

    /// <summary>The user's name to show; null for none.</summary>
    public static string? FindName(JsonElement claims) => FindText(claims, Names);

    /// <summary>
    /// The values of the roles claim: the elements of a list, the names of an object's members, or the words of a text, separated by
    /// spaces or commas. Empty if the claim is missing.
    /// </summary>
    /// <param name="claims">All claims.</param>
    /// <param name="name">The name of the claim; with dots, also a path, such as <c>realm_access.roles</c>.</param>
    public static ImmutableHashSet<string> ReadGroups(JsonElement claims, string name)
    {
        if (!claims.TryGetProperty(name, out var claim) && !TryFollow(claims, name, out claim)) return [];
        return claim.ValueKind switch
        {
            JsonValueKind.Array =>
                [.. claim.EnumerateArray().Where(v => v.ValueKind == JsonValueKind.String).Select(v => v.GetString()!)],
            JsonValueKind.Object => [.. claim.EnumerateObject().Select(member => member.Name)],
            JsonValueKind.String => Split(claim.GetString()!),
            _ => [],
        };
    }

    /// <summary>The values of a text, separated by spaces or commas.</summary>
    public static ImmutableHashSet<string> Split(string text) =>
        [.. text.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)];

    private static bool TryFollow(JsonElement claims, string path, out JsonElement claim)
    {
        claim = claims;
        foreach (var name in path.Split('.'))
        {
            if (claim.ValueKind != JsonValueKind.Object || !claim.TryGetProperty(name, out claim)) return false;
        }
        return true;
    }

    private static string? FindText(JsonElement claims, string[] names)
    {
        foreach (var name in names)
        {
            if (claims.TryGetProperty(name, out var claim) && claim.ValueKind == JsonValueKind.String
                && claim.GetString() is { Length: > 0 } text)
                return text;
        }
        return null;
    }
}
