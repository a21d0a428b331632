using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Proxy.Dicom;
using Proxy.Identity;
using Proxy.Operations;

namespace Proxy.Events;

/// <summary>
/// The events that a listener requests: <c>?event=SERIES_ADDED,INSTANCES_ADDED&amp;study=1.2.3&amp;backend=east</c>. Gaps
/// always pass.
/// </summary>
/// <param name="Names">Event names; empty for all.</param>
/// <param name="Study">Only events of this study; null for all events.</param>
/// <param name="Backend">Only events of this backend; null for all events.</param>
internal sealed record EventFilter(ImmutableArray<string> Names, Uid? Study, string? Backend)
{
    /// <summary>Whether the listener may see what concerns a backend; null for what concerns all. By default all.</summary>
    public Func<string?, bool> Sees { get; init; } = static _ => true;

    /// <summary>Who listens.</summary>
    public Caller Caller { get; init; } = Caller.Anonymous;

    /// <summary>Whether the listener may see the study of an event; null where the rights of listeners do not differ.</summary>
    public Func<ProxyEvent, CancellationToken, ValueTask<bool>>? MaySee { get; init; }

    /// <summary>Reads the filter from a query; a 400 problem if it is invalid.</summary>
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
        else if (query.TryGetValue("study", out var text) && !TryReadUid(text.ToString(), out study))
            problem = Problems.BadParameter("study", "a UID of at most 64 digits and dots (PS3.5 §9.1)");
        else filter = new(names, study, query.TryGetValue("backend", out var backend) ? backend.ToString() : null);
        return problem is null;
    }

    /// <summary>Whether the listener receives an event.</summary>
    public bool Passes(ProxyEvent @event) =>
        @event.Name == ProxyEvent.Gap
        || (Sees(@event.Scope)
            && (@event.Owner is null || @event.Owner == Caller.Identity || Caller.Has(Roles.Operator))
            && (Names.IsEmpty || Names.Contains(@event.Name))
            && (Study is null || Study == @event.Study)
            && (Backend is null || string.Equals(Backend, @event.Backend, StringComparison.OrdinalIgnoreCase)));

    private static bool TryReadUid(string text, out Uid? uid)
    {
        var isUid = Uid.TryParse(text, out var read);
        uid = read;
        return isUid;
    }
}
