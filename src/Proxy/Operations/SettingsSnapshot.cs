namespace Proxy.Operations;

/// <summary>All settings at one moment, to tell which of them a reload changed.</summary>
internal sealed class SettingsSnapshot(IConfiguration configuration)
{
    /// <summary>More names than that make a line that nobody reads.</summary>
    private const int MostNames = 20;

    private readonly Dictionary<string, string?> _values =
        configuration.AsEnumerable().ToDictionary(s => s.Key, s => s.Value, StringComparer.OrdinalIgnoreCase);

    /// <summary>The names of settings that are new, gone or different since an earlier moment, in order; values may be secrets.</summary>
    public IReadOnlyList<string> FindChanges(SettingsSnapshot earlier) =>
    [
        .. _values.Keys.Union(earlier._values.Keys, StringComparer.OrdinalIgnoreCase)
            .Where(key => _values.GetValueOrDefault(key) != earlier._values.GetValueOrDefault(key))
            .Order(StringComparer.OrdinalIgnoreCase),
    ];

    /// <summary>The names as one line of the log shows them.</summary>
    public static string Show(IReadOnlyList<string> names)
    {
        if (names.Count == 0) return "nothing";
        var shown = string.Join(", ", names.Take(MostNames));
        return names.Count > MostNames ? $"{shown} and {names.Count - MostNames} more" : shown;
    }
}
