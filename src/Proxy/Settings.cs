using Proxy.Backends;
using Proxy.Cache;
using Proxy.Operations;
using Proxy.Prefetch;
using Proxy.Retrieve;
using Proxy.Search;
using Proxy.Security;

namespace Proxy;

/// <summary>All settings, read and checked at once.</summary>
internal sealed record Settings(
    IReadOnlyList<BackendOptions> Backends, SearchOptions Search, RetrieveOptions Retrieve, CacheOptions Cache, PrefetchOptions Prefetch,
    SecurityOptions Security)
{
    /// <summary>Settings that are there and do nothing in this version.</summary>
    public IReadOnlyList<string> Unused { get; private init; } = [];

    public static Settings Read(IConfiguration configuration, out IReadOnlyList<string> errors)
    {
        var reader = new SettingsReader(configuration);
        reader.FailBrokenFiles();
        var settings = new Settings(
            BackendOptions.ReadAll(reader), SearchOptions.Read(reader), RetrieveOptions.Read(reader), CacheOptions.Read(reader),
            PrefetchOptions.Read(reader), SecurityOptions.Read(reader));
        if (!settings.Security.AllowAnonymous)
        {
            foreach (var address in Listening.FindOpenAddresses(configuration))
                reader.Fail(
                    "urls", address,
                    "patients' images would be open to whoever reaches this address: listen on loopback, or set Security:AllowAnonymous to true");
        }
        foreach (var key in (string[])["Cluster", "Viewer"]) reader.LeaveUnused(key);
        errors = reader.Errors;
        return settings with { Unused = reader.Unused };
    }

    /// <summary>The builder of the application, with <c>appsettings.json</c> read; null with the reason when that is not JSON.</summary>
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

    public static bool AreValid(IConfiguration configuration)
    {
        Read(configuration, out var errors);
        return errors.Count == 0;
    }

    /// <summary>
    /// What holds when no file says otherwise: the framework's own log names what is searched for, a patient for instance;
    /// a reload is logged at every level, also at one that the reload has set.
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

    /// <summary>Settings that are read at the start alone: a reload that changes one of them says so.</summary>
    public static bool NeedsRestart(string key) => StartKeys.Any(start => key.StartsWith(start, StringComparison.OrdinalIgnoreCase));

    private static readonly string[] StartKeys = ["Cache:Disk:Path", "Security:KnownProxies", "urls", "http_ports", "https_ports"];

    /// <summary>Adds <c>config/*.json</c>: they go before the environment and the command line and behind appsettings.json.</summary>
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
