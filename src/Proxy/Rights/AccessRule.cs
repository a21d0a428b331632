using System.IO.Enumeration;
using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Rights;

/// <summary>
/// A rule that allows users to see studies, <c>Security:Access:Rules:{name}</c>. The members are AND-ed, the values of one member OR-ed; a
/// member without values allows everything.
/// </summary>
/// <param name="Name">The name in the settings.</param>
public sealed record AccessRule(string Name)
{
    /// <summary>Values of the roles claim of a user.</summary>
    public IReadOnlyList<string> Roles { get; init; } = [];

    /// <summary>Identities of users.</summary>
    public IReadOnlyList<string> Users { get; init; } = [];

    /// <summary>Names of backends, in any case.</summary>
    public IReadOnlyList<string> Backends { get; init; } = [];

    /// <summary>Modalities (0008,0060), one of which the study has in the backend.</summary>
    public IReadOnlyList<string> Modalities { get; init; } = [];

    /// <summary>Patterns of Patient ID (0010,0020) with <c>*</c> and <c>?</c>.</summary>
    public IReadOnlyList<string> PatientIds { get; init; } = [];

    /// <summary>Patterns of Institution Name (0008,0080) with <c>*</c> and <c>?</c>.</summary>
    public IReadOnlyList<string> Institutions { get; init; } = [];

    /// <summary>Patterns of Referring Physician's Name (0008,0090) with <c>*</c> and <c>?</c>.</summary>
    public IReadOnlyList<string> ReferringPhysicians { get; init; } = [];

    /// <summary>The most days since Study Date (0008,0020); null for any date. A study without a date is not allowed.</summary>
    public int? MaxAgeDays { get; init; }

    /// <summary>Reads one rule.</summary>
    public static AccessRule Read(SettingsReader settings, string name)
    {
        var key = $"Security:Access:Rules:{name}";
        settings.ReportUnknown(
            key, "Roles", "Users", "Backends", "Modalities", "PatientIds", "Institutions", "ReferringPhysicians", "MaxAgeDays");
        return new(name)
        {
            Roles = ReadValues(settings, $"{key}:Roles"),
            Users = ReadValues(settings, $"{key}:Users"),
            Backends = ReadValues(settings, $"{key}:Backends"),
            Modalities = ReadValues(settings, $"{key}:Modalities"),
            PatientIds = ReadValues(settings, $"{key}:PatientIds"),
            Institutions = ReadValues(settings, $"{key}:Institutions"),
            ReferringPhysicians = ReadValues(settings, $"{key}:ReferringPhysicians"),
            MaxAgeDays = settings.FindText($"{key}:MaxAgeDays") is null
                ? null
                : (int)settings.ReadNumber($"{key}:MaxAgeDays", byDefault: 0, min: 0, int.MaxValue),
        };
    }

    /// <summary>Whether the rule says nothing about studies, so that it allows all of a backend.</summary>
    public bool IsForEveryStudy =>
        Modalities.Count == 0 && PatientIds.Count == 0 && Institutions.Count == 0 && ReferringPhysicians.Count == 0 && MaxAgeDays is null;

    /// <summary>Whether the rule may allow this user anything in this backend.</summary>
    public bool MayApply(Caller caller, string backend) =>
        (Backends.Count == 0 || Backends.Contains(backend, StringComparer.OrdinalIgnoreCase))
        && (Users.Count == 0 || Users.Contains(caller.Id, StringComparer.Ordinal))
        && (Roles.Count == 0 || Roles.Any(caller.Groups.Contains));

    /// <summary>Whether the rule allows this user to see a study of this backend.</summary>
    /// <param name="caller">The user.</param>
    /// <param name="backend">The backend.</param>
    /// <param name="study">The study as this backend describes it.</param>
    /// <param name="today">The current day.</param>
    public bool Allows(Caller caller, string backend, StudyTraits study, DateOnly today) =>
        MayApply(caller, backend)
        && (Modalities.Count == 0 || study.Modalities.Any(modality => Modalities.Contains(modality, StringComparer.Ordinal)))
        && Matches(PatientIds, [study.PatientId])
        && Matches(Institutions, study.Institutions)
        && Matches(ReferringPhysicians, study.ReferringPhysicians)
        && (MaxAgeDays is not { } days || (study.Date is { } date && today.DayNumber - date.DayNumber <= days));

    private static bool Matches(IReadOnlyList<string> patterns, IReadOnlyList<string> values) =>
        patterns.Count == 0
        || values.Any(value => patterns.Any(
            pattern => FileSystemName.MatchesSimpleExpression(Escape(pattern), value, ignoreCase: false)));

    /// <summary>A backslash is a character of a pattern; the framework takes it as an escape.</summary>
    private static string Escape(string pattern) => pattern.Replace("\\", "\\\\", StringComparison.Ordinal);

    /// <summary>A list, or one value without brackets.</summary>
    private static string[] ReadValues(SettingsReader settings, string key)
    {
        var list = settings.ReadList(key);
        return list.Length == 0 && settings.Configuration[key] is { Length: > 0 } one ? [one] : list;
    }
}
