using System.Globalization;
using Proxy.Operations;

namespace Proxy.Prefetch;

/// <summary>
/// Studies that are fetched at certain times, as <c>Prefetch:Rules</c> names them: the day's CTs before the morning, say.
/// </summary>
/// <param name="Modalities">A study has a series of one of these; empty for all.</param>
/// <param name="Description">What its description matches, with <c>*</c> and <c>?</c> as PS3.4 §C.2.2.2.4 has them; null for all.</param>
/// <param name="MaxAge">Its date lies back no further; in whole days, today is one.</param>
/// <param name="From">When the fetching begins, every day, by the clock of this machine.</param>
/// <param name="To">When it ends; earlier than <paramref name="From"/> for the next morning, equal to it for all day.</param>
/// <param name="Backends">Who is asked; empty for all.</param>
/// <param name="Studies">The most studies, the newest first.</param>
public sealed record PrefetchRule(
    IReadOnlyList<string> Modalities, string? Description, int MaxAge, TimeOnly From, TimeOnly To, IReadOnlyList<string> Backends,
    int Studies)
{
    public static IReadOnlyList<PrefetchRule> ReadAll(SettingsReader settings) =>
        [.. settings.ReadNames("Prefetch:Rules").Select(name => Read(settings, $"Prefetch:Rules:{name}"))];

    /// <summary>Whether it is time.</summary>
    public bool IsOpen(TimeOnly now) => From == To || (From < To ? now >= From && now < To : now >= From || now < To);

    private static PrefetchRule Read(SettingsReader settings, string key)
    {
        settings.RefuseOthers(key, "Modalities", "Description", "MaxAge", "From", "To", "Backends", "Studies");
        var backends = settings.ReadList($"{key}:Backends");
        foreach (var backend in backends.Except(settings.ReadNames("Backends"), StringComparer.OrdinalIgnoreCase))
            settings.Fail($"{key}:Backends", backend, "the name of a configured backend");
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
        settings.Fail(key, text, "a time of day HH:mm");
        return TimeOnly.MinValue;
    }
}
