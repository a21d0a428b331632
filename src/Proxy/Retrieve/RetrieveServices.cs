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
        services.AddSingleton<ValueCutter>();
        services.AddSingleton<FileBulkData>();
        services.AddSingleton<BulkDataReader>();
        services.AddSingleton<InstanceFiles>();
        services.AddHostedService(s => s.GetRequiredService<InstanceFiles>());
        services.AddSingleton<WholeSeries>();
        services.AddSingleton<SeriesAnswer>();
        services.AddSingleton<SeriesBodies>();
        services.AddSingleton(s =>
        {
            var packed = ActivatorUtilities.CreateInstance<PackedFrames>(s);
            s.GetRequiredService<StudyInvalidation>().Invalidated += packed.Follow;
            return packed;
        });
        services.AddHostedService(s => s.GetRequiredService<PackedFrames>());
    }
}
