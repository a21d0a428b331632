using Proxy.Admin.OpenApi;
using Proxy.Admin.Reports;
using Proxy.Admin.Testing;

namespace Proxy.Admin;

/// <summary>Registers the JSON of reports, and their description.</summary>
internal static class AdminServices
{
    public static void AddAdmin(this IServiceCollection services)
    {
        ApiDescription.Add(services);
        services.AddSingleton<BackendTests>();
        services.AddSingleton<CacheUse>();
        services.AddSingleton<CachePurge>();
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, ReportJson.Default));
    }
}
