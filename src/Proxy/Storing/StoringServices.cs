namespace Proxy.Storing;

/// <summary>Registers how instances are stored.</summary>
internal static class StoringServices
{
    public static void AddStoring(this IServiceCollection services)
    {
        services.AddSingleton<StowTarget>();
        services.AddSingleton<StudyRefresh>();
        services.AddSingleton<AbsenceCheck>();
        services.AddSingleton<WriteThrough>();
        services.AddSingleton<StowChanges>();
    }
}
