using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Cache;
using Proxy.Operations;
using Proxy.Prefetch;
using Proxy.Retrieve;
using Proxy.Security;
using Proxy.Storing;

namespace Proxy;

/// <summary>All settings, read and validated together.</summary>
internal sealed record Settings(
    IReadOnlyList<BackendOptions> Backends, SearchOptions Search, RetrieveOptions Retrieve, StoreOptions Store, CacheOptions Cache,
    PrefetchOptions Prefetch, SecurityOptions Security)
{
    /// <summary>Keys of settings that have no effect in this version.</summary>
    public IReadOnlyList<string> Unused { get; private init; } = [];

    /// <summary>Reads and validates all settings.</summary>
    /// <param name="configuration">The settings.</param>
    /// <param name="errors">All errors; empty if the settings are valid.</param>
    public static Settings Read(IConfiguration configuration, out IReadOnlyList<string> errors)
    {
        var reader = new SettingsReader(configuration);
        reader.CheckFiles();
        var settings = new Settings(
            BackendOptions.ReadAll(reader), SearchOptions.Read(reader), RetrieveOptions.Read(reader), StoreOptions.Read(reader),
            CacheOptions.Read(reader), PrefetchOptions.Read(reader), SecurityOptions.Read(reader));
        if (!settings.Security.AllowAnonymous)
        {
            foreach (var address in ListenAddresses.FindOpenAddresses(configuration))
                reader.AddError(
                    "urls", address,
                    "patient images would be open without authentication: listen on loopback or set Security:AllowAnonymous to true");
        }
        reader.ReportUnknownSections(
            "Backends", "Search", "Retrieve", "Store", "Cache", "Prefetch", "Security", "Audit", "Cluster", "Viewer", "Logging", "Kestrel");
        foreach (var key in (string[])["Cluster", "Viewer"]) reader.ReportUnused(key);
        errors = reader.Errors;
        return settings with { Unused = reader.Unused };
    }

    /// <summary>Creates the application builder with <c>appsettings.json</c>; null with an error if that file is not JSON.</summary>
    public static WebApplicationBuilder? CreateBuilder(string[] args, out string error)
    {
        error = "";
        try
        {
            return WebApplication.CreateBuilder(args);
        }
        catch (InvalidDataException e)
        {
            error = SettingsFile.Describe("appsettings.json", e);
            return null;
        }
    }

    /// <summary>
    /// Adds default log levels, which files may override. The framework's logs contain search values, such as patient names, so
    /// their default is Warning. Reloads are logged even if a reload raises the default level.
    /// </summary>
    public static void AddDefaults(IConfigurationBuilder configuration) =>
        configuration.Sources.Insert(0, new Microsoft.Extensions.Configuration.Memory.MemoryConfigurationSource
        {
            InitialData =
            [
                new("Logging:LogLevel:Microsoft.AspNetCore", "Warning"), new("Logging:LogLevel:Yarp", "Warning"),
                new($"Logging:LogLevel:{typeof(Settings)}", "Information"),
            ],
        });

    /// <summary>Whether a setting is read only at the start, so that a change needs a restart.</summary>
    public static bool NeedsRestart(string key) => StartKeys.Any(start => key.StartsWith(start, StringComparison.OrdinalIgnoreCase));

    private static readonly string[] StartKeys = ["Cache:Disk:Path", "Security:KnownProxies", "urls", "http_ports", "https_ports"];

    /// <summary>
    /// Adds <c>config/*.json</c>. They override <c>appsettings.json</c>; the environment and the command line override them.
    /// </summary>
    public static void AddFiles(IConfigurationBuilder configuration, string root)
    {
        for (var i = 0; i < configuration.Sources.Count; i++)
        {
            if (configuration.Sources[i] is Microsoft.Extensions.Configuration.Json.JsonConfigurationSource json)
                configuration.Sources[i] = SettingsFileSource.Create(json);
        }
        var folder = Path.Combine(root, "config");
        if (!Directory.Exists(folder)) return;
        var at = configuration.Sources.ToList().FindLastIndex(
            s => s is Microsoft.Extensions.Configuration.Json.JsonConfigurationSource) + 1;
        foreach (var file in Directory.EnumerateFiles(folder, "*.json").Order(StringComparer.Ordinal))
        {
            var source = new SettingsFileSource { Path = file, ReloadOnChange = true };
            source.ResolveFileProvider();
            configuration.Sources.Insert(at++, source);
        }
    }
}
