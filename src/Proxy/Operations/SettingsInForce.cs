using System.Globalization;
using Microsoft.Extensions.Configuration.CommandLine;
using Microsoft.Extensions.Configuration.EnvironmentVariables;

namespace Proxy.Operations;

/// <summary>A setting as an operator may see it.</summary>
/// <param name="Key">The key, such as <c>Backends:east:Timeout</c>.</param>
/// <param name="Value">The value; <see cref="SettingsInForce.Hidden"/> for a secret or an address; null if it is not set.</param>
/// <param name="IsDefault">True if the value is the default.</param>
/// <param name="Source">
/// Where it is set: a file, <c>environment</c>, <c>command line</c>, <c>program</c> (such as the demo) or <c>default</c>.
/// </param>
internal sealed record ShownSetting(string Key, string? Value, bool IsDefault, string Source);

/// <summary>All settings in force, by key. Values that may be secrets and the addresses of backends are hidden.</summary>
/// <param name="All">The settings in the order of their keys.</param>
internal sealed record SettingsInForce(IReadOnlyList<ShownSetting> All)
{
    /// <summary>Stands for a value that is not shown.</summary>
    public const string Hidden = "(hidden)";

    /// <summary>No settings.</summary>
    public static readonly SettingsInForce None = new([]);

    /// <summary>Sections of the platform, whose keys the proxy does not read itself.</summary>
    private static readonly string[] PlatformKeys = ["Backends", "Kestrel", "Logging", "urls", "http_ports", "https_ports"];

    /// <summary>The settings of a configuration.</summary>
    /// <param name="configuration">The values and their sources.</param>
    /// <param name="known">The settings that the proxy has read from it.</param>
    public static SettingsInForce Read(IConfiguration configuration, IReadOnlyCollection<KnownSetting> known)
    {
        var keys = known.Select(setting => setting.Key).ToHashSet(StringComparer.OrdinalIgnoreCase);
        var others =
            from key in PlatformKeys
            from setting in configuration.GetSection(key).AsEnumerable()
            where setting.Value is not null && !keys.Contains(setting.Key)
            // The elements of a list are shown together.
            where !keys.Contains(setting.Key[..Math.Max(setting.Key.LastIndexOf(':'), 0)])
            select new ShownSetting(setting.Key, IsPlain(setting.Key, setting.Value) ? setting.Value : Hidden, false, Find(setting.Key));
        return new([.. known.Select(Show).Concat(others).OrderBy(setting => setting.Key, StringComparer.OrdinalIgnoreCase)]);

        ShownSetting Show(KnownSetting setting)
        {
            var value = setting.Value is { } text && MayBeShown(setting) ? text : setting.Value is null ? null : Hidden;
            return new(setting.Key, value, IsDefault(setting), Find(setting.Key));
        }

        string Find(string key) => FindSource(configuration, key) ?? "default";
    }

    /// <summary>These settings, but with the earlier values of the settings that need a restart.</summary>
    public SettingsInForce KeepFrom(SettingsInForce earlier, Func<string, bool> needsRestart) => new(
    [
        .. All.Where(setting => !needsRestart(setting.Key)).Concat(earlier.All.Where(setting => needsRestart(setting.Key)))
            .OrderBy(setting => setting.Key, StringComparer.OrdinalIgnoreCase),
    ]);

    /// <summary>Whether a value is neither a secret nor the address of a backend. Only free text may be either.</summary>
    private static bool MayBeShown(KnownSetting setting) => setting.Kind is not SettingKind.Text and not SettingKind.List
        || !SettingsReader.MayBeSecret(setting.Key) && !setting.Key.EndsWith(":Address", StringComparison.OrdinalIgnoreCase);

    /// <summary>
    /// Whether a value of the platform can be shown: no secret, and of a backend only words and durations. Destinations have addresses.
    /// </summary>
    private static bool IsPlain(string key, string value) => !SettingsReader.MayBeSecret(key)
        && (!key.StartsWith("Backends:", StringComparison.OrdinalIgnoreCase)
            || !key.Contains(":Destinations:", StringComparison.OrdinalIgnoreCase)
            && (value.All(char.IsAsciiLetter) || TimeSpan.TryParse(value, CultureInfo.InvariantCulture, out _)));

    private static bool IsDefault(KnownSetting setting) =>
        setting.Default is { } byDefault ? byDefault.Equals(setting.Value, StringComparison.OrdinalIgnoreCase) : setting.Value is null;

    private static string? FindSource(IConfiguration configuration, string key)
    {
        if (configuration is not IConfigurationRoot root) return null;
        foreach (var provider in root.Providers.Reverse())
        {
            if (provider is ChainedConfigurationProvider { Configuration: var inner })
            {
                if (FindSource(inner, key) is { } source) return source;
            }
            else if (provider.TryGet(key, out var text) && text is not null || provider.GetChildKeys([], key).Any())
            {
                return Describe(provider);
            }
        }
        return null;
    }

    private static string Describe(IConfigurationProvider provider) => provider switch
    {
        SettingsFile file => file.Name,
        FileConfigurationProvider file => file.Source.Path ?? "file",
        EnvironmentVariablesConfigurationProvider => "environment",
        CommandLineConfigurationProvider => "command line",
        _ => "program",
    };
}
