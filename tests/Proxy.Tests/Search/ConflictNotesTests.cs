using Microsoft.Extensions.Time.Testing;
using Proxy.Dicom;
using Proxy.Search;
using Xunit;

namespace Proxy.Tests.Search;

public sealed class ConflictNotesTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly ConflictNotes _notes;

    public ConflictNotesTests() => _notes = new(_time);

    [Fact]
    public void NotesAStudyOnceAnHour()
    {
        Assert.True(_notes.TryNote(Study(1)));
        Assert.False(_notes.TryNote(Study(1)));
        Assert.True(_notes.TryNote(Study(2)));
        _time.Advance(ConflictNotes.QuietTime);
        Assert.True(_notes.TryNote(Study(1)));
    }

    [Fact]
    public void DropsOldNotesFirst_WhenThereAreTooMany()
    {
        for (var i = 1; i < ConflictNotes.MaxNotes; i++) _notes.TryNote(Study(i));
        _time.Advance(ConflictNotes.QuietTime);
        Assert.True(_notes.TryNote(Study(ConflictNotes.MaxNotes)));
        Assert.True(_notes.TryNote(Study(ConflictNotes.MaxNotes + 1)));
        Assert.False(_notes.TryNote(Study(ConflictNotes.MaxNotes)));
    }

    private static Uid Study(int number) => Uid.Parse($"1.2.{number}");
}
