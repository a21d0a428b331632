using Microsoft.AspNetCore.DataProtection;
using Proxy.Backends.Credentials;
using Proxy.Backends.Transport;
using Proxy.Operations;
using Yarp.ReverseProxy.Forwarder;

namespace Proxy.Backends.DicomWeb;

/// <summary>Registers the archive over HTTP: YARP's clusters, permits, requests and searches.</summary>
internal static class DicomWebServices
{
    /// <summary>Registers the archive.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configuration">All settings: YARP reads its part of a backend's section.</param>
    public static void AddDicomWebArchive(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddYarp(new YarpConfiguration(configuration));
        services.AddSingleton<BackendTls>();
        services.AddSingleton<BackendCredentials>();
        services.AddSingleton<BackendPermits>();
        services.AddSingleton<DestinationSelector>();
        services.AddSingleton<BackendExchange>();
        services.AddSingleton<BackendClient>();
        services.AddSingleton<BackendSearch>();
        services.AddKeyedSingleton<IArchive, DicomWebArchive>(BackendKind.DicomWeb);
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
