namespace Proxy.Identity;

/// <summary>What a caller may do, from the settings <c>Security:Roles</c>. One caller may have several.</summary>
[Flags]
public enum Roles
{
    /// <summary>Nothing but to sign in.</summary>
    None = 0,

    /// <summary>Search, retrieve, store and look at the studies that the access rules allow.</summary>
    Viewer = 1,

    /// <summary>Create prefetch jobs for studies that the access rules allow.</summary>
    Prefetcher = 2,

    /// <summary>Read metrics, settings, warnings, the cache and the jobs of others; purge.</summary>
    Operator = 4,

    /// <summary>Open a denied study for a stated reason, which is audited as an emergency access.</summary>
    Emergency = 8,

    /// <summary>All roles: every client has them without authentication (<c>Security:Authentication</c> is <c>None</c>).</summary>
    All = Viewer | Prefetcher | Operator | Emergency,
}
