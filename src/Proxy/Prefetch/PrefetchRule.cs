using System.Globalization;
using Proxy.Operations;

namespace Proxy.Prefetch;

/// <summary>
/// One of <c>Prefetch:Rules</c>: studies to fetch at a certain time of the day, such as recent CTs before the morning.
/// </summary>
/// <param name="Modalities">The study has a series of one of these modalities; empty for all.</param>
/// <param name="Description">
/// A pattern for the Study Description, with the wildcards <c>*</c> and <c>?</c> (PS3.4 §C.2.2.2.4); null for all.
/// </param>
/// <param name="MaxAge">The greatest age of the study in days; 1 for today. Default 1.</param>
/// <param name="From">The start of the daily period, local time.</param>
/// <param name="To">The end of the period; before <paramref name="From"/> for the next day, equal to it for the whole day.</param>
/// <param name="Backends">The backends to search; empty for all.</param>
/// <param name="MaxStudies">The most studies, newest first. Default 50.</param>
public sealed record PrefetchRule(
    IReadOnlyList<string> Modalities, string? Description, int MaxAge, TimeOnly From, TimeOnly To, IReadOnlyList<string> Backends,
    int MaxStudies)
{
    /// <summary>Reads every rule; errors are reported to the reader.</summary>
    public static IReadOnlyList<PrefetchRule> ReadAll(SettingsReader settings) =>
        [.. settings.ReadNames("Prefetch:Rules").Select(name => Read(settings, $"Prefetch:Rules:{name}"))];

    /// <summary>Whether the time is within the daily period.</summary>
    public bool IsActive(TimeOnly now) => From == To || (From < To ? now >= From && now < To : now >= From || now < To);

    private static PrefetchRule Read(SettingsReader settings, string key)
    {
        settings.ReportUnknown(key, "Modalities", "Description", "MaxAge", "From", "To", "Backends", "Studies");
        var backends = settings.ReadList($"{key}:Backends");
        foreach (var backend in backends.Except(settings.ReadNames("Backends"), StringComparer.OrdinalIgnoreCase))
            settings.AddError($"{key}:Backends", backend, "the name of a configured backend");
        return new(
            settings.ReadList($"{key}:Modalities"), settings.FindText($"{key}:Description"),
            (int)settings.ReadNumber($"{key}:MaxAge", 1, 1, 36_500),
            ReadTime(settings, $"{key}:From"), ReadTime(settings, $"{key}:To"), backends,
            (int)settings.ReadNumber($"{key}:Studies", 50, 1, 1000));
    }

    private static TimeOnly ReadTime(SettingsReader settings, string key)
    {
        if (settings.FindText(key) is not { } text) return TimeOnly.MinValue;
        if (TimeOnly.TryParseExact(text, "HH:mm", CultureInfo.InvariantCulture, DateTimeStyles.None, out var time)) return time;
        settings.AddError(key, text, "a time of day HH:mm");
        return TimeOnly.MinValue;
    }
}
