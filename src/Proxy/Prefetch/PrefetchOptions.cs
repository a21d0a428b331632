using Proxy.Operations;

namespace Proxy.Prefetch;

/// <summary>What is fetched before anybody asks for it, and how much of it at once.</summary>
/// <param name="NextStudies">So many studies behind an open one in its work list; 0 for none.</param>
/// <param name="Priors">So many earlier studies of an open study's patient; 0 for none.</param>
/// <param name="SeriesReadAhead">The rest of the study that is being looked at.</param>
/// <param name="MaxConcurrentRequests">So many requests ahead run at once on one backend, and only while no client waits for it.</param>
/// <param name="MaxBytes">The most that one job fetches, in bytes.</param>
/// <param name="MaxInstances">The most instances that one job fetches.</param>
/// <param name="Rules">What is fetched at certain times, whoever opens what.</param>
public sealed record PrefetchOptions(
    int NextStudies, int Priors, bool SeriesReadAhead, int MaxConcurrentRequests, long MaxBytes, int MaxInstances,
    IReadOnlyList<PrefetchRule> Rules)
{
    public static PrefetchOptions Read(SettingsReader settings)
    {
        settings.RefuseOthers(
            "Prefetch", "NextStudies", "Priors", "SeriesReadAhead", "MaxConcurrentRequests", "MaxBytes", "MaxInstances", "Rules");
        return new(
            (int)settings.ReadNumber("Prefetch:NextStudies", 3, 0, 100),
            (int)settings.ReadNumber("Prefetch:Priors", 2, 0, 100),
            settings.ReadFlag("Prefetch:SeriesReadAhead", true),
            (int)settings.ReadNumber("Prefetch:MaxConcurrentRequests", 8, 1, 256),
            settings.ReadNumber("Prefetch:MaxBytes", 4L << 30, 1L << 20),
            (int)settings.ReadNumber("Prefetch:MaxInstances", 20_000, 1, 1_000_000),
            PrefetchRule.ReadAll(settings));
    }

    /// <summary>Whether anything is fetched because of what clients do.</summary>
    public bool FollowsClients => NextStudies > 0 || Priors > 0 || SeriesReadAhead;
}
