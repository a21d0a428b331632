using Proxy.Backends;
using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Rights;

/// <summary>Which studies users may see, <c>Security:Access</c>.</summary>
/// <param name="Default">The mode of backends without a mode of their own. Default <see cref="AccessMode.Shared"/>.</param>
/// <param name="Rules">Allow studies of backends with the mode Policy; without a rule that allows it, a study is denied.</param>
public sealed record AccessOptions(AccessMode Default, IReadOnlyList<AccessRule> Rules)
{
    /// <summary>The lifetime of a negative decision: short, because the study may arrive, or a right be granted, at any time.</summary>
    public static readonly TimeSpan DeniedLifetime = TimeSpan.FromSeconds(5);

    /// <summary>A decision point that is asked when no rule allows a study; null for none.</summary>
    public Uri? DecisionUrl { get; init; }

    /// <summary>The longest lifetime of a decision, of a rule or of the decision point. Default and maximum 1 min.</summary>
    public TimeSpan DecisionLifetime { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>The time for which a backend's own decision is used again. Default 1 min, maximum 10 min.</summary>
    public TimeSpan ProbeLifetime { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long an emergency access lasts. Default 1 h.</summary>
    public TimeSpan EmergencyLifetime { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Whether a rule asks for the institution, which a search returns only on request.</summary>
    public bool NeedsInstitution { get; } = Rules.Any(rule => rule.Institutions.Count > 0);

    /// <summary>Reads the section <c>Security:Access</c>.</summary>
    public static AccessOptions Read(SettingsReader settings)
    {
        const string Key = "Security:Access";
        settings.ReportUnknown(Key, "Default", "Rules", "DecisionUrl", "DecisionLifetime", "ProbeLifetime", "EmergencyLifetime");
        var rules = settings.ReadNames($"{Key}:Rules").Select(name => AccessRule.Read(settings, name)).ToList();
        return new(settings.ReadChoice($"{Key}:Default", AccessMode.Shared), rules)
        {
            DecisionUrl = ReadUrl(settings, $"{Key}:DecisionUrl"),
            DecisionLifetime = settings.ReadDuration(
                $"{Key}:DecisionLifetime", TimeSpan.FromMinutes(1), TimeSpan.Zero, TimeSpan.FromMinutes(1)),
            ProbeLifetime = settings.ReadDuration(
                $"{Key}:ProbeLifetime", TimeSpan.FromMinutes(1), TimeSpan.Zero, TimeSpan.FromMinutes(10)),
            EmergencyLifetime = settings.ReadDuration(
                $"{Key}:EmergencyLifetime", TimeSpan.FromHours(1), TimeSpan.FromMinutes(1), TimeSpan.FromHours(24)),
        };
    }

    /// <summary>The mode of a backend. One that gets the user's own token decides itself.</summary>
    public AccessMode GetMode(BackendOptions backend) => backend.ForwardsToken ? AccessMode.Probe : backend.Access ?? Default;

    /// <summary>Reports backends that cannot decide, because they do not get the user's token.</summary>
    public void Check(SettingsReader settings, IEnumerable<BackendOptions> backends)
    {
        foreach (var backend in backends.Where(b => !b.ForwardsToken && GetMode(b) == AccessMode.Probe))
            settings.AddError(
                $"Backends:{backend.Name}:Access", $"{AccessMode.Probe}",
                $"Shared or Policy: a PACS decides itself only with Backends:{backend.Name}:Authentication:Scheme set to Forward");
    }

    /// <summary>Whether a user may see anything in a backend, as far as that is known without a study.</summary>
    public bool MaySeeAny(Caller caller, BackendOptions backend) => GetMode(backend) switch
    {
        AccessMode.Shared => true,
        AccessMode.Policy => DecisionUrl is not null || Rules.Any(rule => rule.MayApply(caller, backend.Name)),
        _ => caller.Token is not null,
    };

    private static Uri? ReadUrl(SettingsReader settings, string key)
    {
        if (settings.FindText(key) is not { } text) return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.UserInfo.Length == 0
            && uri.Fragment.Length == 0)
            return uri;
        settings.AddError(
            key, text.Contains('@', StringComparison.Ordinal) ? "(hidden)" : text, "an http or https URL without user or fragment");
        return null;
    }
}
