using System.Collections.Concurrent;
using Proxy.Dicom;

namespace Proxy.Search;

/// <summary>
/// The studies whose identity conflict was reported recently: each is reported at most once an hour, however often it is listed.
/// </summary>
/// <param name="time">The clock.</param>
internal sealed class ConflictNotes(TimeProvider time)
{
    /// <summary>The maximum of notes, about 2 MB. Beyond it all are dropped, and a conflict may be reported again early.</summary>
    public const int MaxNotes = 10_000;

    /// <summary>The time for which a conflict is not reported again.</summary>
    public static readonly TimeSpan QuietTime = TimeSpan.FromHours(1);

    private readonly ConcurrentDictionary<Uid, long> _notes = new();

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
