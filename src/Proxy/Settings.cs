using Proxy.Backends;
using Proxy.Cache;
using Proxy.Operations;
using Proxy.Prefetch;
using Proxy.Search;
using Proxy.Security;

namespace Proxy;

/// <summary>All settings, read and checked at once.</summary>
internal sealed record Settings(IReadOnlyList<BackendOptions> Backends, SearchOptions Search, CacheOptions Cache, PrefetchOptions Prefetch, SecurityOptions Security)
{
    /// <summary>Settings that are there and do nothing in this version.</summary>
    public IReadOnlyList<string> Unused { get; private init; } = [];

    public static Settings Read(IConfiguration configuration, out IReadOnlyList<string> errors)
    {
        var reader = new SettingsReader(configuration);
        var settings = new Settings(BackendOptions.ReadAll(reader), SearchOptions.Read(reader), CacheOptions.Read(reader), PrefetchOptions.Read(reader), SecurityOptions.Read(reader));
        if (!settings.Security.AllowAnonymous)
        {
            foreach (var address in Listening.FindOpenAddresses(configuration))
                reader.Fail("urls", address, "patients' images would be open to whoever reaches this address: listen on loopback, or set Security:AllowAnonymous to true");
        }
        foreach (var key in (string[])["Cluster", "Viewer"]) reader.LeaveUnused(key);
        errors = reader.Errors;
        return settings with { Unused = reader.Unused };
    }

    public static bool AreValid(IConfiguration configuration)
    {
        Read(configuration, out var errors);
        return errors.Count == 0;
    }

    /// <summary>What holds when no file says otherwise: the framework's own log names what is searched for, a patient for instance.</summary>
    public static void AddDefaults(IConfigurationBuilder configuration) => configuration.Sources.Insert(0, new Microsoft.Extensions.Configuration.Memory.MemoryConfigurationSource
    {
        InitialData = [new("Logging:LogLevel:Microsoft.AspNetCore", "Warning"), new("Logging:LogLevel:Yarp", "Warning")],
    });

    /// <summary>Adds <c>config/*.json</c>: they go before the environment and the command line and behind appsettings.json.</summary>
    public static void AddFiles(IConfigurationBuilder configuration, string root)
    {
        var folder = Path.Combine(root, "config");
        if (!Directory.Exists(folder)) return;
        var at = configuration.Sources.ToList().FindLastIndex(s => s is Microsoft.Extensions.Configuration.Json.JsonConfigurationSource) + 1;
        foreach (var file in Directory.EnumerateFiles(folder, "*.json").Order(StringComparer.Ordinal))
        {
            var source = new Microsoft.Extensions.Configuration.Json.JsonConfigurationSource { Path = file, ReloadOnChange = true };
            source.ResolveFileProvider();
            configuration.Sources.Insert(at++, source);
        }
    }
}
