using Proxy.Prefetch.Fetching;
using Proxy.Prefetch.Jobs;
using Proxy.Prefetch.Planning;
using Proxy.Search;

namespace Proxy.Prefetch;

/// <summary>Registers work lists, prefetch jobs and rules, and the JSON of jobs.</summary>
internal static class PrefetchServices
{
    public static void AddPrefetch(this IServiceCollection services)
    {
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, JobJson.Default));
        services.AddSingleton<WorkLists>();
        services.AddSingleton<PrefetchSearch>();
        services.AddSingleton<PriorSearch>();
        services.AddSingleton<ThroughputEstimator>();
        services.AddSingleton<JobSlots>();
        services.AddSingleton<StudyListing>();
        services.AddSingleton<ItemFetch>();
        services.AddSingleton<PixelFetch>();
        services.AddSingleton<StudyFetch>();
        services.AddSingleton<JobFetch>();
        services.AddSingleton<JobRegistry>();
        services.AddSingleton<JobFile>();
        services.AddSingleton(s =>
        {
            var prefetcher = ActivatorUtilities.CreateInstance<Prefetcher>(s);
            s.GetRequiredService<FederatedSearch>().StudyAsked += prefetcher.NoteStudyAsked;
            return prefetcher;
        });
        services.AddHostedService(s => s.GetRequiredService<Prefetcher>());
        services.AddSingleton<JobPersistence>();
        services.AddHostedService(s => s.GetRequiredService<JobPersistence>());
        services.AddHostedService<PrefetchRuleRunner>();
    }
}
