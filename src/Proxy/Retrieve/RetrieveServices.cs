using Proxy.Cache;
using Proxy.Retrieve.Checks;

namespace Proxy.Retrieve;

/// <summary>Registers how metadata and bodies are retrieved.</summary>
internal static class RetrieveServices
{
    public static void AddRetrieve(this IServiceCollection services)
    {
        services.AddSingleton<MetadataFetch>();
        services.AddSingleton<SeriesReader>();
        services.AddSingleton<ReadyMetadata>();
        services.AddSingleton<FrameCutter>();
        services.AddSingleton<PixelDescriptions>();
        services.AddSingleton<EntryCheck>();
        services.AddSingleton<BodySoundness>(s => s.GetRequiredService<EntryCheck>().IsSound);
        services.AddSingleton<BodyFetch>();
        services.AddSingleton<ObservedForms>();
        services.AddSingleton<CachedBodies>();
        services.AddSingleton<PlannedFetch>();
        services.AddSingleton<BodyReader>();
        services.AddSingleton<BulkDataReader>();
        services.AddSingleton<WholeSeries>();
        services.AddSingleton<SeriesAnswer>();
        services.AddSingleton<SeriesBodies>();
        services.AddSingleton<PackedFrames>();
        services.AddHostedService(s => s.GetRequiredService<PackedFrames>());
    }
}
