using Proxy.Cache;
using Proxy.Cache.InMemory;
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
        services.AddSingleton(s => PixelSlots.Create(s.GetRequiredService<MemoryTier>(), s.GetRequiredService<TimeProvider>()));
        services.AddSingleton<DecodedFrames>();
        services.AddSingleton<PlannedFetch>();
        services.AddSingleton<BodyReader>();
        services.AddSingleton<ValueCutter>();
        services.AddSingleton<FileBulkData>();
        services.AddSingleton<BulkDataReader>();
        services.AddSingleton<BulkFrames>();
        services.AddSingleton<InstanceFiles>();
        services.AddHostedService(s => s.GetRequiredService<InstanceFiles>());
        services.AddSingleton<WholeSeries>();
        services.AddSingleton<SeriesAnswer>();
        services.AddSingleton<SeriesBodies>();
        services.AddSingleton<TranscodedFrames>();
        services.AddHostedService(s => s.GetRequiredService<TranscodedFrames>());
        services.AddSingleton(s =>
        {
            var packed = ActivatorUtilities.CreateInstance<PackedFrames>(s);
            s.GetRequiredService<StudyInvalidation>().Invalidated += packed.Follow;
            return packed;
        });
        services.AddHostedService(s => s.GetRequiredService<PackedFrames>());
    }
}
