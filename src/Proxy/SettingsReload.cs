using System.Text.RegularExpressions;
using Microsoft.Extensions.Primitives;
using Proxy.Backends;
using Proxy.Operations;

namespace Proxy;

/// <summary>
/// Applies changed settings at runtime, one reload at a time. Settings with an error are rejected as a whole. The log reports either.
/// </summary>
/// <remarks>
/// 1. The backends are replaced, and every feature forgets the removed ones. 2. The options of every feature are replaced. 3. The
/// services that copy options take the new values. What a feature does in each step is registered beside it
/// (<see cref="ReloadSubscriptions.OnReload"/>).
/// </remarks>
internal sealed partial class SettingsReload(IServiceProvider services, IConfiguration configuration, ILogger<Settings> log)
{
    private readonly Lock _reloading = new();
    private SettingsSnapshot _current = new(configuration);

    /// <summary>Begins to follow the settings.</summary>
    public void Follow() => ChangeToken.OnChange(configuration.GetReloadToken, Reload);

    private void Reload()
    {
        // The framework does not promise to report the changes of two files one after the other. Each reload reads all settings.
        lock (_reloading)
        {
            var now = new SettingsSnapshot(configuration);
            var settings = Settings.Read(configuration, out var errors);
            if (errors.Count > 0)
            {
                log.SettingsInvalid(string.Join("; ", errors.Select(HideAddress)));
                return;
            }
            Apply(settings);
            var changes = now.FindChanges(_current);
            _current = now;
            if (changes.Count > 0) services.AnnounceReload(new ChangedSettings(changes));
            log.SettingsReloaded(string.Join(", ", settings.Backends.Select(b => b.Name)), SettingsSnapshot.Show(changes));
            var deferred = changes.Where(Settings.NeedsRestart).ToList();
            if (deferred.Count > 0) log.SettingsNeedRestart(SettingsSnapshot.Show(deferred));
        }
    }

    private void Apply(Settings settings)
    {
        // 1.
        var backends = services.GetRequiredService<BackendSet>();
        var removed = backends.Set(settings.Backends);
        services.AnnounceReload(backends);
        foreach (var name in removed) services.AnnounceReload(new RemovedBackend(name));
        // 2.
        Replace(settings.Search);
        Replace(settings.Retrieve);
        Replace(settings.Store);
        Replace(settings.Cache);
        Replace(settings.Prefetch);
        Replace(settings.Security);
        Replace(settings.Security.Identity);
        Replace(settings.Access);
        Replace(settings.InForce.KeepFrom(services.GetRequiredService<Reloadable<SettingsInForce>>().Value, Settings.NeedsRestart));
        Replace(settings.Viewer);
        // 3.
        services.AnnounceReload(settings.Search);
        services.AnnounceReload(settings.Retrieve);
        services.AnnounceReload(settings.Store);
        services.AnnounceReload(settings.Cache);
        services.AnnounceReload(settings.Prefetch);
        services.AnnounceReload(settings.Security);
        services.AnnounceReload(settings.Viewer);
    }

    /// <summary>An error without the address that it refuses: clients may read the last warnings of the log.</summary>
    private static string HideAddress(string error) =>
        AddressError().Replace(error, match => $"{match.Groups["key"].Value} = {SettingsInForce.Hidden}: ");

    [GeneratedRegex("^(?<key>[^ ]*(?:Address|Endpoint)) = \".*\": ", RegexOptions.IgnoreCase | RegexOptions.Singleline)]
    private static partial Regex AddressError();

    private void Replace<T>(T options) where T : class => services.GetRequiredService<Reloadable<T>>().Replace(options);
}
