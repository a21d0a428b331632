using Proxy.Backends;
using Proxy.Backends.Health;

namespace Proxy.Locating;

/// <summary>Registers how the backends that hold a series are found, and which of them owns it.</summary>
internal static class LocatingServices
{
    public static void AddLocating(this IServiceCollection services)
    {
        services.AddSingleton<SeriesListTiming>();
        services.AddSingleton<SeriesListReader>();
        services.AddSingleton<SeriesLocator>();
        services.AddSingleton(s => new OwnerRule(
            s.GetRequiredService<BackendSet>().GetPreference, s.GetRequiredService<BackendStates>().IsSteady));
        services.AddHostedService<OwnerLog>();
    }
}
