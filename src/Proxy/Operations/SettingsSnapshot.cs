namespace Proxy.Operations;

/// <summary>All settings at one moment, to find the settings that a reload changes.</summary>
internal sealed class SettingsSnapshot(IConfiguration configuration)
{
    /// <summary>The maximum number of names in one log message.</summary>
    private const int MaxNames = 20;

    private readonly Dictionary<string, string?> _values =
        configuration.AsEnumerable().ToDictionary(s => s.Key, s => s.Value, StringComparer.OrdinalIgnoreCase);

    /// <summary>The names of added, removed and changed settings, in order; never values, which may be secrets.</summary>
    public IReadOnlyList<string> FindChanges(SettingsSnapshot earlier) =>
    [
        .. _values.Keys.Union(earlier._values.Keys, StringComparer.OrdinalIgnoreCase)
            .Where(key => _values.GetValueOrDefault(key) != earlier._values.GetValueOrDefault(key))
            .Order(StringComparer.OrdinalIgnoreCase),
    ];

    /// <summary>The names as one log message shows them.</summary>
    public static string Show(IReadOnlyList<string> names)
    {
        if (names.Count == 0) return "nothing";
        var shown = string.Join(", ", names.Take(MaxNames));
        return names.Count > MaxNames ? $"{shown} and {names.Count - MaxNames} more" : shown;
    }
}
