using Proxy.Disk;
using Proxy.Events;
using Proxy.Metadata.Persistence;
using Proxy.Operations;

namespace Proxy.Metadata;

/// <summary>Registers the metadata store and its file.</summary>
internal static class MetadataServices
{
    /// <summary>Registers the store; it needs <see cref="StoredBackends"/>.</summary>
    /// <param name="services">The services.</param>
    /// <param name="maxBytes">The budget of memory.</param>
    /// <param name="maxDiskBytes">The budget of the file.</param>
    public static void AddMetadata(this IServiceCollection services, long maxBytes, long maxDiskBytes)
    {
        services.AddSingleton(s => new StudyFile(
            s.GetRequiredService<CacheFolder>(), s.GetRequiredService<StoredBackends>().FindIdentity,
            s.GetRequiredService<StoredBackends>().FindName, s.GetRequiredService<Counters>(),
            s.GetRequiredService<ILogger<StudyFile>>()));
        services.AddSingleton(s => new DicomMetadataStore(
            s.GetRequiredService<StoredBackends>().GetPreference, s.GetRequiredService<TimeProvider>(),
            s.GetRequiredService<EventLog>(), maxBytes,
            s.GetRequiredService<StudyFile>() is { IsConfigured: true } file ? file : null, maxDiskBytes));
        services.AddHostedService<StoreWriter>();
    }
}
