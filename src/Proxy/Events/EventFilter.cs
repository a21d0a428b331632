using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Events;

/// <summary>
/// What a listener wants to hear of: <c>?event=SERIES_ADDED,INSTANCES_ADDED&amp;study=1.2.3&amp;backend=east</c>. A gap it hears of always.
/// </summary>
/// <param name="Names">Events; empty for all.</param>
/// <param name="Study">Of this study alone; null for all, and for what is of none.</param>
/// <param name="Backend">Of this backend alone; null for all, and for what is of none.</param>
internal sealed record EventFilter(ImmutableArray<string> Names, Uid? Study, string? Backend)
{
    public static bool TryRead(
        IQueryCollection query, [NotNullWhen(true)] out EventFilter? filter, [NotNullWhen(false)] out IResult? problem)
    {
        filter = null;
        problem = null;
        var names = query["event"]
            .SelectMany(value => (value ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
                .ToImmutableArray();
        Uid? study = null;
        if (!names.All(ProxyEvent.Names.Contains))
            problem = Problems.BadParameter("event", $"any of {string.Join(", ", ProxyEvent.Names)}");
        else if (query.TryGetValue("study", out var text)
            && !TryReadUid(text.ToString(), out study)) problem = Problems.BadParameter(
                "study", "a UID of at most 64 digits and dots (PS3.5 §9.1)");
        else filter = new(names, study, query.TryGetValue("backend", out var backend) ? backend.ToString() : null);
        return problem is null;
    }

    public bool Passes(ProxyEvent @event) =>
        @event.Name == ProxyEvent.Gap
        || ((Names.IsEmpty || Names.Contains(@event.Name))
            && (Study is null || Study == @event.Study)
            && (Backend is null || string.Equals(Backend, @event.Backend, StringComparison.OrdinalIgnoreCase)));

    private static bool TryReadUid(string text, out Uid? uid)
    {
        var isUid = Uid.TryParse(text, out var read);
        uid = read;
        return isUid;
    }
}
