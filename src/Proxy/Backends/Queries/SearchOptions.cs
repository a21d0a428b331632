using Proxy.Operations;

namespace Proxy.Backends.Queries;

/// <summary>Settings for the search over all backends.</summary>
/// <param name="Deadline">After this time the answer is sent without the late backends, with a warning that names them.</param>
/// <param name="Freshness">How long a merged result answers the same search again.</param>
/// <param name="MaxResults">The page size of a search without <c>limit</c>; lists within one study have no such limit.</param>
public sealed record SearchOptions(TimeSpan Deadline, TimeSpan Freshness, int MaxResults)
{
    /// <summary>Reads the section <c>Search</c>.</summary>
    public static SearchOptions Read(SettingsReader settings)
    {
        settings.ReportUnknown("Search", "Deadline", "Freshness", "MaxResults");
        return new(
            settings.ReadDuration("Search:Deadline", TimeSpan.FromSeconds(10), TimeSpan.FromMilliseconds(50), TimeSpan.FromMinutes(10)),
            settings.ReadDuration("Search:Freshness", TimeSpan.FromSeconds(15), TimeSpan.Zero, TimeSpan.FromHours(1)),
            (int)settings.ReadNumber("Search:MaxResults", 1000, 1, SearchDepth.MaxRows));
    }
}
