using Proxy.Operations;

namespace Proxy.Viewing;

/// <summary>Registers the viewer.</summary>
internal static class ViewingServices
{
    public static void AddViewing(this IServiceCollection services)
    {
        services.AddSingleton(s => new ViewerSite(s.GetRequiredService<Reloadable<ViewerOptions>>().Value));
        services.OnReload<ViewerOptions, ViewerSite>((site, now) => site.Apply(now));
    }
}
