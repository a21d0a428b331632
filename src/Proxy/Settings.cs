using Proxy.Admin.Testing;
using Proxy.Audit;
using Proxy.Backends;
using Proxy.Backends.Queries;
using Proxy.Cache;
using Proxy.Cluster;
using Proxy.Identity;
using Proxy.Operations;
using Proxy.Operations.Telemetry;
using Proxy.Prefetch;
using Proxy.Retrieve;
using Proxy.Rights;
using Proxy.Security;
using Proxy.Storing;
using Proxy.Viewing;

namespace Proxy;

/// <summary>All settings, read and validated together.</summary>
internal sealed record Settings(
    IReadOnlyList<BackendOptions> Backends, SearchOptions Search, RetrieveOptions Retrieve, StoreOptions Store, CacheOptions Cache,
    PrefetchOptions Prefetch, SecurityOptions Security)
{
    /// <summary>How the process starts.</summary>
    public required StartupOptions Startup { get; init; }

    /// <summary>How the process ends.</summary>
    public required ShutdownOptions Shutdown { get; init; }

    /// <summary>Every setting that was read.</summary>
    public IReadOnlyCollection<KnownSetting> Known { get; private init; } = [];

    /// <summary>The viewer at <c>/viewer/</c>.</summary>
    public required ViewerOptions Viewer { get; init; }

    /// <summary>Which studies users may see.</summary>
    public required AccessOptions Access { get; init; }

    /// <summary>Where metrics and traces are sent.</summary>
    public required TelemetryOptions Telemetry { get; init; }

    /// <summary>Where accesses are recorded.</summary>
    public required AuditOptions Audit { get; init; }

    /// <summary>The tier that several proxies share.</summary>
    public required ClusterOptions Cluster { get; init; }

    /// <summary>Every setting with its value, for operators.</summary>
    public SettingsInForce InForce { get; private init; } = SettingsInForce.None;

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
            CacheOptions.Read(reader), PrefetchOptions.Read(reader), SecurityOptions.Read(reader))
        {
            Startup = StartupOptions.Read(reader),
            Shutdown = ShutdownOptions.Read(reader),
            Viewer = ViewerOptions.Read(reader),
            Telemetry = TelemetryOptions.Read(reader),
            Audit = AuditOptions.Read(reader),
            Access = AccessOptions.Read(reader),
            Cluster = ClusterOptions.Read(reader),
        };
        settings.Access.Check(reader, settings.Backends);
        var malformed = ListenAddresses.FindErrors(configuration);
        foreach (var (url, allowed) in malformed) reader.AddError("urls", url, allowed);
        if (malformed.Count == 0 && settings.Security is { AllowAnonymous: false, Authentication: AuthenticationKind.None })
        {
            foreach (var address in ListenAddresses.FindOpenAddresses(configuration))
                reader.AddError(
                    "urls", address,
                    "patient images would be open without authentication: set Security:Authentication, listen on loopback or set "
                    + "Security:AllowAnonymous to true");
        }
        if (malformed.Count == 0 && settings.Security.Authentication == AuthenticationKind.Header)
        {
            var (ports, named) = (ListenAddresses.FindPorts(configuration), settings.Security.Identity.Header.Port);
            if (named is null ? ports.Count > 1 : !ports.Contains(named.Value))
                reader.AddError(
                    "Security:Header:Listener", configuration["Security:Header:Listener"],
                    "the listener that the gateway uses, one of those on which the proxy listens");
        }
        reader.ReportUnknownSections(
            "Backends", "Search", "Retrieve", "Store", "Cache", "Prefetch", "Security", "Startup", "Shutdown", "Telemetry", "Audit",
            "Cluster", "Viewer", "Logging", "Kestrel");
        errors = reader.Errors;
        return settings with
        {
            Unused = reader.Unused,
            Known = reader.Known,
            InForce = SettingsInForce.Read(configuration, reader.Known),
        };
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
    /// Adds default log levels and a console format of one line with a timestamp, which files may override. The framework's logs contain
    /// search values, such as patient names, so their default is Warning. Reloads are logged even if a reload raises the default level.
    /// </summary>
    public static void AddDefaults(IConfigurationBuilder configuration) =>
        configuration.Sources.Insert(0, new Microsoft.Extensions.Configuration.Memory.MemoryConfigurationSource
        {
            InitialData =
            [
                new("Logging:LogLevel:Microsoft.AspNetCore", "Warning"), new("Logging:LogLevel:Yarp", "Warning"),
                new($"Logging:LogLevel:{typeof(Settings)}", "Information"),
                new("Logging:Console:FormatterName", "simple"),
                new("Logging:Console:FormatterOptions:SingleLine", "true"),
                new("Logging:Console:FormatterOptions:UseUtcTimestamp", "true"),
                new("Logging:Console:FormatterOptions:TimestampFormat", "yyyy-MM-ddTHH:mm:ss.fffZ "),
            ],
        });

    /// <summary>Whether a setting is read only at the start, so that a change needs a restart.</summary>
    public static bool NeedsRestart(string key) => StartKeys.Any(start => key.StartsWith(start, StringComparison.OrdinalIgnoreCase));

    private static readonly string[] StartKeys =
    [
        "Audit", "Cache:Disk:Path", "Cache:Encryption", "Cluster", "Security:KnownProxies", "Security:Authentication", "Security:Oidc",
        "Security:Jwt", "Security:Header", "Security:Certificate", "Security:Tls", "Security:RateLimits", "Security:OperatorPort",
        "Startup", "Shutdown", "Telemetry", "urls", "http_ports", "https_ports",
    ];

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
            // The schema for editors stands beside the settings.
            if (file.EndsWith(".schema.json", StringComparison.OrdinalIgnoreCase)) continue;
            var source = new SettingsFileSource { Name = $"config/{Path.GetFileName(file)}", Path = file, ReloadOnChange = true };
            source.ResolveFileProvider();
            configuration.Sources.Insert(at++, source);
        }
    }
}
