using System.Collections.Concurrent;
using Proxy.Dicom;
using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Rights;

/// <summary>An emergency access: one user opens denied studies of one study UID or one patient, for a stated reason.</summary>
/// <param name="Study">The study; null for all studies of the patient.</param>
/// <param name="PatientId">The patient; null for the study alone.</param>
/// <param name="Reason">The reason, which is audited.</param>
/// <param name="Until">The end.</param>
public sealed record EmergencyGrant(Uid? Study, string? PatientId, string Reason, DateTimeOffset Until);

/// <summary>The emergency accesses that hold now. They end with the process: access is denied again then.</summary>
public sealed class EmergencyGrants(Reloadable<AccessOptions> options, TimeProvider time)
{
    /// <summary>The most accesses of one user at once.</summary>
    private const int MaxPerUser = 100;

    private readonly ConcurrentDictionary<(string Issuer, string Id), IReadOnlyList<EmergencyGrant>> _grants = new();

    /// <summary>Grants a user with the role emergency access; null when the user has too many.</summary>
    public EmergencyGrant? Add(Caller caller, Uid? study, string? patientId, string reason)
    {
        var now = time.GetUtcNow();
        var grant = new EmergencyGrant(study, patientId, reason, now + options.Value.EmergencyLifetime);
        var all = _grants.AddOrUpdate(
            (caller.Issuer, caller.Id), _ => [grant],
            (_, old) => old.Count(g => g.Until > now) >= MaxPerUser ? old : [.. old.Where(g => g.Until > now), grant]);
        return all.Contains(grant) ? grant : null;
    }

    /// <summary>Whether a user has any emergency access.</summary>
    public bool HasAny(Caller caller) => FindAny(caller) is not null;

    /// <summary>An emergency access of a user; null for none.</summary>
    public EmergencyGrant? FindAny(Caller caller)
    {
        if (_grants.IsEmpty || !caller.Has(Roles.Emergency) || !_grants.TryGetValue((caller.Issuer, caller.Id), out var grants))
            return null;
        var now = time.GetUtcNow();
        return grants.FirstOrDefault(grant => grant.Until > now);
    }

    /// <summary>The user's access to a study; null for none.</summary>
    /// <param name="caller">The user.</param>
    /// <param name="study">The study.</param>
    /// <param name="patientId">Its patient; null when it is not known.</param>
    public EmergencyGrant? Find(Caller caller, Uid study, string? patientId)
    {
        if (!caller.Has(Roles.Emergency) || _grants.IsEmpty || !_grants.TryGetValue((caller.Issuer, caller.Id), out var grants))
            return null;
        var now = time.GetUtcNow();
        return grants.FirstOrDefault(
            g => g.Until > now && (g.Study == study || (g.PatientId is { Length: > 0 } patient && patient == patientId)));
    }
}
