using System.Collections.Concurrent;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Search;

/// <summary>
/// The studies whose identity conflict was reported recently: each is reported at most once an hour, however often it is listed.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="counters">Counts the reports.</param>
/// <param name="log">Receives the reports.</param>
public sealed class ConflictNotes(TimeProvider time, Counters counters, ILogger<ConflictNotes> log)
{
    /// <summary>The maximum of notes, about 2 MB. Beyond it all are dropped, and a conflict may be reported again early.</summary>
    public const int MaxNotes = 10_000;

    /// <summary>The time for which a conflict is not reported again.</summary>
    public static readonly TimeSpan QuietTime = TimeSpan.FromHours(1);

    private readonly ConcurrentDictionary<Uid, long> _notes = new();

    /// <summary>Reports a study that two backends assign to different patients; does nothing when there is no conflict.</summary>
    public void Report(MergedRow row)
    {
        if (row.FindIdentityConflict() is not { } other || !TryNote(row.Uid)) return;
        log.IdentityConflicted(row.Sources[0].Backend, other);
        log.ConflictingStudy(row.Sources[0].Backend, other, row.Uid.ToString());
        counters.IdentityConflicted();
    }

    /// <summary>Notes that the conflict of a study is reported now; false when it was reported within <see cref="QuietTime"/>.</summary>
    public bool TryNote(Uid study)
    {
        var now = time.GetTimestamp();
        if (_notes.TryGetValue(study, out var noted) && time.GetElapsedTime(noted, now) < QuietTime) return false;
        if (_notes.Count >= MaxNotes) MakeRoom(now);
        _notes[study] = now;
        return true;
    }

    private void MakeRoom(long now)
    {
        foreach (var (study, noted) in _notes)
        {
            if (time.GetElapsedTime(noted, now) >= QuietTime) _notes.TryRemove(new(study, noted));
        }
        if (_notes.Count >= MaxNotes) _notes.Clear();
    }
}
