using Proxy.Backends.DicomWeb;
using Proxy.Backends.Health;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Backends;

/// <summary>Registers how backends are asked: the archive, its health and the scheduling.</summary>
internal static class BackendServices
{
    /// <summary>Registers what sends requests to backends.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configuration">All settings: YARP reads its part of a backend's section.</param>
    public static void AddBackends(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddDicomWebArchive(configuration);
        services.AddSingleton<IArchive, ArchiveByKind>();
        services.AddSingleton(s =>
        {
            var backends = s.GetRequiredService<BackendSet>();
            return new StoredBackends(backends.FindIdentity, backends.FindName, backends.GetPreference);
        });
        services.AddSingleton<BackendStates>();
        services.AddSingleton<BackendScheduler>();
        services.AddSingleton<BackendProber>();
        services.AddHostedService(s => s.GetRequiredService<BackendProber>());
        services.OnReload<RemovedBackend, BackendStates>((states, removed) => states.Remove(removed.Name));
    }
}
