using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Search;
using Xunit;

namespace Proxy.Tests.Search;

public sealed class ConflictNotesTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly Counters _counters;
    private readonly ConflictNotes _notes;

    public ConflictNotesTests()
    {
        _counters = new(_services.GetRequiredService<IMeterFactory>());
        _notes = new(_time, _counters, NullLogger<ConflictNotes>.Instance);
    }

    public void Dispose()
    {
        _counters.Dispose();
        _services.Dispose();
    }

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
