using System.Collections.Immutable;
using Proxy.Operations;

namespace Proxy.Identity;

/// <summary>Which values of the roles claim give which role (<c>Security:Roles</c>).</summary>
/// <param name="Values">
/// The values of each role, compared by case; any of them gives the role. A role without an entry is given to every user who
/// authenticates.
/// </param>
public sealed record RoleOptions(ImmutableDictionary<Roles, ImmutableHashSet<string>> Values)
{
    private static readonly (Roles Role, string Name)[] Names =
        [(Roles.Viewer, "viewer"), (Roles.Prefetcher, "prefetcher"), (Roles.Operator, "operator"), (Roles.Emergency, "emergency")];

    /// <summary>
    /// Reads the section <c>Security:Roles</c>. Without a setting, every user is a viewer, and the name of another role gives that role.
    /// </summary>
    public static RoleOptions Read(SettingsReader settings)
    {
        settings.ReportUnknown("Security:Roles", [.. Names.Select(n => n.Name)]);
        var rules = ImmutableDictionary<Roles, ImmutableHashSet<string>>.Empty;
        foreach (var (role, name) in Names)
        {
            string[] values = settings.ReadList($"Security:Roles:{name}");
            if (values.Length > 0) rules = rules.Add(role, [.. values]);
            else if (role != Roles.Viewer) rules = rules.Add(role, [name]);
        }
        return new(rules);
    }

    /// <summary>The roles of a user who authenticated.</summary>
    /// <param name="groups">The values of their roles claim.</param>
    public Roles GetRoles(ImmutableHashSet<string> groups)
    {
        var roles = Roles.None;
        foreach (var (role, _) in Names)
        {
            if (!Values.TryGetValue(role, out var values) || groups.Overlaps(values)) roles |= role;
        }
        return roles;
    }

    /// <summary>The names of roles, as settings and answers write them.</summary>
    public static IReadOnlyList<string> GetNames(Roles roles) => [.. Names.Where(n => (roles & n.Role) != 0).Select(n => n.Name)];
}
