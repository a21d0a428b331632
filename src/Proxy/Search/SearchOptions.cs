using Proxy.Operations;

namespace Proxy.Search;

/// <summary>How all backends are searched as one.</summary>
/// <param name="Deadline">The others' answer leaves when this time is over, with a warning that names who is late.</param>
/// <param name="Freshness">How long a merged result answers the same search again.</param>
/// <param name="MaxResults">The most rows of a page of a search without <c>limit</c>; lists within one study have no such limit.</param>
public sealed record SearchOptions(TimeSpan Deadline, TimeSpan Freshness, int MaxResults)
{
    public static SearchOptions Read(SettingsReader settings)
    {
        settings.RefuseOthers("Search", "Deadline", "Freshness", "MaxResults");
        return new(
            settings.ReadDuration("Search:Deadline", TimeSpan.FromSeconds(10), TimeSpan.FromMilliseconds(50), TimeSpan.FromMinutes(10)),
            settings.ReadDuration("Search:Freshness", TimeSpan.FromSeconds(15), TimeSpan.Zero, TimeSpan.FromHours(1)),
            (int)settings.ReadNumber("Search:MaxResults", 1000, 1, SearchDepth.Most));
    }
}
