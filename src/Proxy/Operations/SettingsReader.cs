using System.Globalization;
using System.Text.RegularExpressions;

namespace Proxy.Operations;

/// <summary>Reads settings and collects what is wrong with them, all of it, so that one start shows every error.</summary>
public sealed partial class SettingsReader(IConfiguration configuration)
{
    private readonly List<string> _errors = [];
    private readonly List<string> _unused = [];

    /// <summary>Each names the key, the value and what is allowed.</summary>
    public IReadOnlyList<string> Errors => _errors;

    /// <summary>Settings that are right but that nothing reads yet.</summary>
    public IReadOnlyList<string> Unused => _unused;

    public IConfiguration Configuration { get; } = configuration;

    /// <summary>Notes every file of settings that cannot be read as it is now.</summary>
    public void FailBrokenFiles()
    {
        if (Configuration is not IConfigurationRoot root) return;
        foreach (var file in root.Providers.OfType<SettingsFile>())
        {
            if (file.Error is { } error) _errors.Add(error);
        }
    }

    public void Fail(string key, string? value, string allowed) =>
        _errors.Add($"{key} = {(value is null ? "(not set)" : $"\"{value}\"")}: {allowed}");

    /// <summary>Takes a part of the settings that this version does nothing with, so that its user hears of it.</summary>
    public void LeaveUnused(string key)
    {
        if (Configuration.GetSection(key).Exists()) _unused.Add(key);
    }

    public string? FindText(string key) => Configuration[key] is { Length: > 0 } text ? text : null;

    public IEnumerable<string> ReadNames(string key) => Configuration.GetSection(key).GetChildren().Select(c => c.Key);

    public string[] ReadList(string key) => [.. Configuration.GetSection(key).GetChildren().Select(c => c.Value ?? "")];

    public TimeSpan ReadDuration(string key, TimeSpan byDefault, TimeSpan least, TimeSpan most)
    {
        if (FindText(key) is not { } text) return byDefault;
        // A bare number would be days, which nobody means.
        if (text.Contains(':', StringComparison.Ordinal) && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var value)
            && value >= least && value <= most)
            return value;
        Fail(key, text, $"a duration hh:mm:ss from {least} to {most}");
        return byDefault;
    }

    public long ReadNumber(string key, long byDefault, long least, long most = long.MaxValue)
    {
        if (FindText(key) is not { } text) return byDefault;
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= least
            && value <= most)
            return value;
        Fail(key, text, most == long.MaxValue ? $"a whole number from {least}" : $"a whole number from {least} to {most}");
        return byDefault;
    }

    public bool ReadFlag(string key, bool byDefault)
    {
        if (FindText(key) is not { } text) return byDefault;
        if (bool.TryParse(text, out var value)) return value;
        Fail(key, text, "true or false");
        return byDefault;
    }

    public T ReadChoice<T>(string key, T byDefault) where T : struct, Enum
    {
        if (FindText(key) is not { } text) return byDefault;
        if (Enum.TryParse<T>(text, ignoreCase: true, out var value) && Enum.IsDefined(value) && !char.IsDigit(text[0])) return value;
        Fail(key, text, "one of " + string.Join(", ", Enum.GetNames<T>()));
        return byDefault;
    }

    /// <summary>Names that are written but mean nothing: most likely misspelt. What may be a secret is not shown.</summary>
    public void RefuseOthers(string key, params ReadOnlySpan<string> allowed)
    {
        foreach (var name in ReadNames(key))
        {
            var isKnown = false;
            foreach (var one in allowed) isKnown |= one.Equals(name, StringComparison.OrdinalIgnoreCase);
            if (isKnown) continue;
            var path = $"{key}:{name}";
            Fail(
                path, SecretName().IsMatch(path) ? "(hidden)" : Configuration[path],
                "not a setting; allowed are " + string.Join(", ", allowed.ToArray()));
        }
    }

    [GeneratedRegex("authentication|pass|pw|token|secret|credential|key$", RegexOptions.IgnoreCase)]
    private static partial Regex SecretName();
}
