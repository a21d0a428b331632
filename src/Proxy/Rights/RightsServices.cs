namespace Proxy.Rights;

/// <summary>Registers the decisions about which user may see which study.</summary>
internal static class RightsServices
{
    public static void AddRights(this IServiceCollection services)
    {
        services.AddHttpClient(DecisionPoint.Client, DecisionPoint.Configure)
            .ConfigurePrimaryHttpMessageHandler(DecisionPoint.CreateHandler)
            .RemoveAllLoggers();
        services.AddSingleton<DecisionPoint>();
        services.AddSingleton<EmergencyGrants>();
        services.AddSingleton<TraitsReader>();
        services.AddSingleton<StudyRights>();
        services.AddSingleton<VisibleRows>();
        services.AddSingleton<ForwardedRights>();
    }
}
