using Proxy.Operations;

namespace Proxy.Prefetch;

/// <summary>The prefetch settings, <c>Prefetch</c>.</summary>
/// <param name="NextStudies">The number of studies after an open one in its work list; 0 for none. Default 3.</param>
/// <param name="Priors">The number of prior studies of an open study's patient; 0 for none. Default 2.</param>
/// <param name="SeriesReadAhead">Whether the rest of an open study is fetched. Default true.</param>
/// <param name="MaxConcurrentRequests">The most prefetches at once per backend, and only while no client waits for it. Default 8.</param>
/// <param name="MaxBytes">The most bytes that one job fetches. Default 4 GiB.</param>
/// <param name="MaxInstances">The most instances that one job fetches. Default 20,000.</param>
/// <param name="Rules">The studies to fetch at certain times of the day.</param>
public sealed record PrefetchOptions(
    int NextStudies, int Priors, bool SeriesReadAhead, int MaxConcurrentRequests, long MaxBytes, int MaxInstances,
    IReadOnlyList<PrefetchRule> Rules)
{
    /// <summary>Reads the settings; errors are reported to the reader.</summary>
    public static PrefetchOptions Read(SettingsReader settings)
    {
        settings.ReportUnknown(
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

    /// <summary>Whether client activity triggers prefetching.</summary>
    public bool FollowsClients => NextStudies > 0 || Priors > 0 || SeriesReadAhead;
}
