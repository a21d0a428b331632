using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;

namespace Proxy.Operations;

/// <summary>Reads settings and collects all their errors, so that one start reports every error.</summary>
/// <param name="configuration">The settings to read.</param>
public sealed partial class SettingsReader(IConfiguration configuration)
{
    private readonly List<string> _errors = [];
    private readonly List<string> _unused = [];
    private readonly Dictionary<string, KnownSetting> _known = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The errors found; each names the key, the value and the rule.</summary>
    public IReadOnlyList<string> Errors => _errors;

    /// <summary>The settings that were read, each once, in the order of reading.</summary>
    public IReadOnlyCollection<KnownSetting> Known => _known.Values;

    /// <summary>Keys of valid settings that this version does not use.</summary>
    public IReadOnlyList<string> Unused => _unused;

    /// <summary>The settings to read.</summary>
    public IConfiguration Configuration { get; } = configuration;

    /// <summary>Adds an error for every settings file that is not valid JSON now.</summary>
    public void CheckFiles()
    {
        if (Configuration is not IConfigurationRoot root) return;
        foreach (var file in root.Providers.OfType<SettingsFile>())
        {
            if (file.Error is { } error) _errors.Add(error);
        }
    }

    /// <summary>Adds an error.</summary>
    /// <param name="key">The key of the setting.</param>
    /// <param name="value">The invalid value; null if it is not set.</param>
    /// <param name="allowed">The rule for values.</param>
    public void AddError(string key, string? value, string allowed) =>
        _errors.Add($"{key} = {(value is null ? "(not set)" : $"\"{value}\"")}: {allowed}");

    /// <summary>Reports a section as unused if it is present.</summary>
    public void ReportUnused(string key)
    {
        if (Configuration.GetSection(key).Exists()) _unused.Add(key);
    }

    /// <summary>The text of a setting; null if it is not set or empty.</summary>
    public string? FindText(string key) => Note(new(key, SettingKind.Text, Default: null));

    /// <summary>The names of the settings directly below a key.</summary>
    public IEnumerable<string> ReadNames(string key) => Configuration.GetSection(key).GetChildren().Select(c => c.Key);

    /// <summary>The values of a list; empty if it is not set.</summary>
    public string[] ReadList(string key)
    {
        string[] values = [.. Configuration.GetSection(key).GetChildren().Select(c => c.Value ?? "")];
        _known[key] = new(key, SettingKind.List, Default: null) { Value = values.Length == 0 ? null : string.Join(", ", values) };
        return values;
    }

    /// <summary>Reads a list of networks, where an address alone is a network too; an error for each that is neither.</summary>
    public IReadOnlyList<IPNetwork> ReadNetworks(string key)
    {
        var networks = new List<IPNetwork>();
        foreach (var text in ReadList(key))
        {
            if (IPNetwork.TryParse(text, out var network)) networks.Add(network);
            else if (IPAddress.TryParse(text, out var address)) networks.Add(new(address, address.GetAddressBytes().Length * 8));
            else AddError(key, text, "addresses or networks such as 10.0.0.7 or 10.0.0.0/24");
        }
        return networks;
    }

    /// <summary>Reads a duration <c>hh:mm:ss</c>, or <c>0</c>, between two bounds; the default and an error if it is invalid.</summary>
    public TimeSpan ReadDuration(string key, TimeSpan byDefault, TimeSpan min, TimeSpan max)
    {
        var known = new KnownSetting(key, SettingKind.Duration, $"{byDefault}") { Min = $"{min}", Max = $"{max}" };
        if (Note(known) is not { } text) return byDefault;
        // TimeSpan.Parse would read a bare number as days.
        if ((text == "0" || text.Contains(':', StringComparison.Ordinal))
            && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max)
            return value;
        AddError(key, text, $"a duration hh:mm:ss from {min} to {max}");
        return byDefault;
    }

    /// <summary>Reads a whole number between two bounds; the default and an error if it is invalid.</summary>
    public long ReadNumber(string key, long byDefault, long min, long max = long.MaxValue)
    {
        var known = new KnownSetting(key, SettingKind.Number, Show(byDefault)) { Min = Show(min) };
        if (max is not (long.MaxValue or int.MaxValue)) known = known with { Max = Show(max) };
        if (Note(known) is not { } text) return byDefault;
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
            && value >= min && value <= max)
            return value;
        AddError(key, text, max == long.MaxValue ? $"a whole number from {min}" : $"a whole number from {min} to {max}");
        return byDefault;
    }

    /// <summary>Reads <c>true</c> or <c>false</c>; the default and an error if it is invalid.</summary>
    public bool ReadFlag(string key, bool byDefault)
    {
        if (Note(new(key, SettingKind.Flag, byDefault ? "true" : "false")) is not { } text) return byDefault;
        if (bool.TryParse(text, out var value)) return value;
        AddError(key, text, "true or false");
        return byDefault;
    }

    /// <summary>Reads the name of an enum member in any case; the default and an error if it is invalid.</summary>
    public T ReadChoice<T>(string key, T byDefault) where T : struct, Enum
    {
        var known = new KnownSetting(key, SettingKind.Choice, $"{byDefault}") { Choices = Enum.GetNames<T>() };
        if (Note(known) is not { } text) return byDefault;
        if (Enum.TryParse<T>(text, ignoreCase: true, out var value) && Enum.IsDefined(value) && !char.IsDigit(text[0])) return value;
        AddError(key, text, "one of " + string.Join(", ", Enum.GetNames<T>()));
        return byDefault;
    }

    /// <summary>Adds an error for every unknown name below a key, probably a misspelling. Hides values that may be secrets.</summary>
    public void ReportUnknown(string key, params ReadOnlySpan<string> allowed)
    {
        foreach (var name in ReadNames(key))
        {
            var isKnown = false;
            foreach (var other in allowed) isKnown |= other.Equals(name, StringComparison.OrdinalIgnoreCase);
            if (isKnown) continue;
            var path = $"{key}:{name}";
            AddError(
                path, MayBeSecret(path) ? "(hidden)" : Configuration[path],
                "not a setting; allowed are " + string.Join(", ", allowed.ToArray()));
        }
    }

    /// <summary>Whether the name of a setting may be that of a secret.</summary>
    public static bool MayBeSecret(string key) => SecretName().IsMatch(key);

    /// <summary>
    /// Reports unknown top-level sections: those of settings files, and others whose name resembles a known one. The platform and
    /// other programs add sections through the environment.
    /// </summary>
    /// <param name="known">The sections of the proxy and of the platform.</param>
    public void ReportUnknownSections(params IReadOnlyList<string> known)
    {
        var inFiles = Configuration is IConfigurationRoot root
            ? root.Providers.Where(p => p is FileConfigurationProvider or StreamConfigurationProvider)
                .SelectMany(p => p.GetChildKeys([], null)).ToHashSet(StringComparer.OrdinalIgnoreCase)
            : [];
        foreach (var section in Configuration.GetChildren().Where(s => s.GetChildren().Any()))
        {
            if (known.Contains(section.Key, StringComparer.OrdinalIgnoreCase)) continue;
            var similar = known.FirstOrDefault(name => AreSimilar(name, section.Key));
            if (similar is null && !inFiles.Contains(section.Key)) continue;
            var hint = similar is null ? "allowed are " + string.Join(", ", known) : $"did you mean {similar}?";
            _errors.Add($"{section.Key}: not a section of the settings; {hint}");
        }
    }

    private static string Show(long number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>Records that a setting was read, and returns its text; null if it is not set or empty.</summary>
    private string? Note(KnownSetting setting)
    {
        var text = Configuration[setting.Key] is { Length: > 0 } set ? set : null;
        _known[setting.Key] = setting with { Value = text ?? setting.Default };
        return text;
    }

    /// <summary>Whether two names differ by at most two insertions, deletions or replacements of a character.</summary>
    private static bool AreSimilar(string name, string other)
    {
        var distances = Enumerable.Range(0, other.Length + 1).ToArray();
        for (var i = 1; i <= name.Length; i++)
        {
            var diagonal = distances[0];
            distances[0] = i;
            for (var j = 1; j <= other.Length; j++)
            {
                var isEqual = char.ToUpperInvariant(name[i - 1]) == char.ToUpperInvariant(other[j - 1]);
                (diagonal, distances[j]) = (
                    distances[j], Math.Min(Math.Min(distances[j], distances[j - 1]) + 1, diagonal + (isEqual ? 0 : 1)));
            }
        }
        return distances[^1] <= 2;
    }

    [GeneratedRegex("authentication|pass|pw|token|secret|credential|connectionstring|redis|key$", RegexOptions.IgnoreCase)]
    private static partial Regex SecretName();
}
