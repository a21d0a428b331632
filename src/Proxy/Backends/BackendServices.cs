using Microsoft.AspNetCore.DataProtection;
using Proxy.Backends.DicomWeb;
using Proxy.Backends.Health;
using Proxy.Backends.Transport;
using Proxy.Metadata;
using Proxy.Operations;
using Yarp.ReverseProxy.Forwarder;

namespace Proxy.Backends;

/// <summary>Registers how backends are asked: YARP's clusters, health, permits, scheduling, searches.</summary>
internal static class BackendServices
{
    /// <summary>Registers what sends requests to backends.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configuration">All settings: YARP reads its part of a backend's section.</param>
    public static void AddBackends(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddYarp(new YarpConfiguration(configuration));
        services.AddSingleton(s =>
        {
            var backends = s.GetRequiredService<BackendSet>();
            return new StoredBackends(backends.FindIdentity, backends.FindName, backends.GetPreference);
        });
        services.AddSingleton<BackendStates>();
        services.AddSingleton<BackendPermits>();
        services.AddSingleton<DestinationSelector>();
        services.AddSingleton<BackendExchange>();
        services.AddSingleton<BackendClient>();
        services.AddSingleton<BackendScheduler>();
        services.AddSingleton<BackendSearch>();
        services.AddSingleton<IArchive, DicomWebArchive>();
        services.AddHostedService<BackendProber>();
        services.OnReload<RemovedBackend, DicomMetadataStore>((store, removed) => store.RemoveBackend(removed.Name));
        services.OnReload<RemovedBackend, BackendStates>((states, removed) => states.Remove(removed.Name));
        services.OnReload<RemovedBackend, IArchive>((archive, removed) => archive.Forget(removed.Name));
    }

    private static void AddYarp(this IServiceCollection services, YarpConfiguration configuration)
    {
        services.AddSingleton(configuration);
        services.OnReload<BackendSet, YarpConfiguration>((yarp, _) => yarp.Reload());
        services.AddReverseProxy().LoadFromConfig(new ConfigurationBuilder().Add(configuration).Build()).AddForwarding();
        // YARP's session affinity, unused here, would store data protection keys on disk.
        services.AddDataProtection().UseEphemeralDataProtectionProvider();
        services.Remove(services.Single(
            s => s.ServiceType == typeof(IHostedService) && s.ImplementationType?.Assembly == typeof(IDataProtectionBuilder).Assembly));
        services.AddSingleton<IForwarderHttpClientFactory, BackendHttpClientFactory>();
    }
}
