using Proxy.Backends;
using Proxy.Operations;

namespace Proxy.Search;

/// <summary>Registers searches of all backends.</summary>
internal static class SearchServices
{
    public static void AddSearch(this IServiceCollection services)
    {
        services.AddSingleton<StudyCounts>();
        services.AddSingleton<StoredInstances>();
        services.AddSingleton<FederatedSearch>();
        services.OnReload<RemovedBackend, FederatedSearch>((search, removed) => search.Forget(removed.Name));
    }
}
