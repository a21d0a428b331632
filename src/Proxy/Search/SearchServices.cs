using Proxy.Cache;

namespace Proxy.Search;

/// <summary>Registers searches of all backends.</summary>
internal static class SearchServices
{
    public static void AddSearch(this IServiceCollection services)
    {
        services.AddSingleton<StudyCounts>();
        services.AddSingleton<HierarchicalSearch>();
        services.AddSingleton<StoredRows>();
        services.AddSingleton<ConflictNotes>();
        services.AddSingleton<SearchPages>();
        services.AddSingleton(s =>
        {
            var answers = ActivatorUtilities.CreateInstance<BackendAnswers>(s);
            s.GetRequiredService<StudyInvalidation>().Invalidated += answers.Follow;
            return answers;
        });
        services.AddSingleton(s =>
        {
            var search = ActivatorUtilities.CreateInstance<FederatedSearch>(s);
            s.GetRequiredService<StudyInvalidation>().Invalidated += search.Follow;
            return search;
        });
    }
}
