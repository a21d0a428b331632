using System.Text;
using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Dicom;
using Proxy.Events;
using Proxy.Metadata;
using Proxy.Tests.Events;
using Proxy.Tests.Pacs;
using Xunit;
using static Proxy.Tests.Metadata.DicomMetadataStoreTests;

namespace Proxy.Tests.Metadata;

public class StoreEventTests
{
    private static readonly Uid Study = Uid.Parse("1.2");
    private static readonly SeriesPath Path = new(Study, Uid.Parse("1.2.1"));

    private readonly EventLog _log = new(NullLogger<EventLog>.Instance);
    private readonly EventReader _reader;
    private readonly DicomMetadataStore _store;

    public StoreEventTests()
    {
        _reader = new(_log);
        _store = Make(_log);
    }

    private IEnumerable<string> Events => _reader.ReadAll().Select(Describe);

    [Fact]
    public void UsesTheEventNamesOfOhif()
    {
        Assert.Equal("SERIES_ADDED", ProxyEvent.SeriesAdded);
        Assert.Equal("INSTANCES_ADDED", ProxyEvent.InstancesAdded);
    }

    [Fact]
    public void NamesOnlyNewSeries()
    {
        _store.AddSeriesMetadata("east", Study, [Series("1.2.1"), Series("1.2.2")]);
        _store.AddSeriesMetadata("east", Study, [Series("1.2.2"), Series("1.2.3")]);
        _store.SetSeriesMetadata("east", Study, [Series("1.2.1"), Series("1.2.2"), Series("1.2.3")]);
        Assert.Equal(["SERIES_ADDED east 1.2/: 1.2.1 1.2.2", "SERIES_ADDED east 1.2/: 1.2.3"], Events);
    }

    [Fact]
    public void NamesOnlyNewInstances()
    {
        _store.AddInstances("east", [Instance("1.2", "1.2.1", "1.2.1.1")]);
        _store.AddInstances("east", [Instance("1.2", "1.2.1", "1.2.1.1"), Instance("1.2", "1.2.1", "1.2.1.2")]);
        _store.AddInstances("east", Path, Pack("1.2.1.1", "1.2.1.2", "1.2.1.3"));
        _store.AddInstances("east", Path, Pack("1.2.1.1"));
        Assert.Equal([
            "INSTANCES_ADDED east 1.2/1.2.1: 1.2.1.1", "INSTANCES_ADDED east 1.2/1.2.1: 1.2.1.2",
            "INSTANCES_ADDED east 1.2/1.2.1: 1.2.1.3"], Events);
    }

    [Fact]
    public void NamesAnInstanceOnce_WhenItsFileComesFirst()
    {
        var instance = new InstancePath(Study, Path.Series, Uid.Parse("1.2.1.1"));
        var file = new FileMetadata(PackedInstances.Pack(instance.Instance, "{}"u8), DateTimeOffset.UnixEpoch);
        _store.AddFileMetadata("east", instance, file);
        _store.AddFileMetadata("east", instance, file);
        _store.AddInstances("east", Path, Pack("1.2.1.1", "1.2.1.2"));
        _store.AddFileMetadata("east", instance, file);
        Assert.Equal(["INSTANCES_ADDED east 1.2/1.2.1: 1.2.1.1", "INSTANCES_ADDED east 1.2/1.2.1: 1.2.1.2"], Events);
        Assert.Empty(_store.GetSeries(Path)!.FileMetadata);
    }

    [Fact]
    public void NamesAnInstanceOnce_WhenItsFileComesBeforeAPrefetch()
    {
        var instance = new InstancePath(Study, Path.Series, Uid.Parse("1.2.1.1"));
        _store.AddFileMetadata("east", instance, new(PackedInstances.Pack(instance.Instance, "{}"u8), DateTimeOffset.UnixEpoch));
        _store.AddInstances("east", Path, Pack("1.2.1.1", "1.2.1.2"), madeInClient: true);
        _store.MarkMetadataRequested("east", Path);
        Assert.Equal(["INSTANCES_ADDED east 1.2/1.2.1: 1.2.1.1", "INSTANCES_ADDED east 1.2/1.2.1: 1.2.1.2"], Events);
        Assert.Empty(_store.GetSeries(Path)!.FileMetadata);
    }

    [Fact]
    public void RaisesOneEvent_PerSeriesAndBackend()
    {
        _store.AddInstances("east", [Instance("1.2", "1.2.1", "1.2.1.1"), Instance("1.2", "1.2.2", "1.2.2.1")]);
        _store.AddInstances("west", [Instance("1.2", "1.2.1", "1.2.1.1")]);
        Assert.Equal([
            "INSTANCES_ADDED east 1.2/1.2.1: 1.2.1.1", "INSTANCES_ADDED east 1.2/1.2.2: 1.2.2.1",
            "INSTANCES_ADDED west 1.2/1.2.1: 1.2.1.1"], Events.Order());
    }

    [Fact]
    public void RaisesNoEvent_ForStudiesAndInstanceRows()
    {
        _store.AddStudy("east", Instance("1.2", "1.2.1", "1.2.1.1"));
        _store.AddInstanceRows("east", [Instance("1.2", "1.2.1", "1.2.1.1")]);
        _store.AddSeriesMetadata("east", Study, []);
        _store.AddInstances("east", []);
        _store.AddInstances("east", Path, Pack());
        Assert.Empty(Events);
    }

    [Fact]
    public void AnnouncesRemovals_SeriesFirst()
    {
        _store.AddSeriesMetadata("east", Study, [Series("1.2.1"), Series("1.2.2"), Series("1.2.3")]);
        _store.AddSeriesMetadata("west", Study, [Series("1.2.1")]);
        Assert.Equal(2, Events.Count());

        _store.SetSeriesMetadata("east", Study, [Series("1.2.1"), Series("1.2.2")]);
        Assert.Equal(["SERIES_REMOVED east 1.2/1.2.3: "], Events);
        _store.RemoveSeries("east", new(Study, Uid.Parse("1.2.2")));
        Assert.Equal(["SERIES_REMOVED east 1.2/1.2.2: "], Events);
        _store.RecordUnlisted("east", Study);
        Assert.Equal(["SERIES_REMOVED east 1.2/1.2.1: ", "STUDY_REMOVED east 1.2/: "], Events);
        _store.RecordUnlisted("east", Study);
        Assert.Empty(Events);
    }

    [Fact]
    public void AnnouncesNoRemoval_OfARowThatOnlyAPrefetchHasSeen()
    {
        var row = Instance("1.2", "1.2.1", "1.2.1.1");
        _store.AddStudy("east", row, madeInClient: true);
        _store.RemoveStudyRow("east", Study);
        Assert.Empty(Events);

        _store.AddStudy("east", row, madeInClient: true);
        _store.AddStudy("east", row);
        // A later prefetch does not hide it again.
        _store.AddStudy("east", row, madeInClient: true);
        _store.RemoveStudyRow("east", Study);
        Assert.Equal(["STUDY_REMOVED east 1.2/: "], Events);
    }

    [Fact]
    public void AnOlderRowDoesNotReplaceANewerOne_ButAClientHasSeenTheStudy()
    {
        _store.AddStudy("east", Instance("1.2", "1.2.1", "1.2.1.1", "NEW"), DateTimeOffset.UnixEpoch.AddSeconds(2), madeInClient: true);
        _store.AddStudy("east", Instance("1.2", "1.2.1", "1.2.1.1", "OLD"), DateTimeOffset.UnixEpoch.AddSeconds(1));

        var list = _store.GetStudy(Study)!.GetList("east");
        Assert.Contains("NEW", Encoding.UTF8.GetString(list.StudyRow!.Json.Span), StringComparison.Ordinal);
        Assert.Equal(DateTimeOffset.UnixEpoch.AddSeconds(2), list.StudyRowAsked);
        Assert.False(list.StudyRowMadeInClient);
    }

    [Fact]
    public void AnnouncesARemovedStudy_WhenItsRowIsRemoved()
    {
        _store.AddStudy("east", Instance("1.2", "1.2.1", "1.2.1.1"));
        _store.AddSeriesMetadata("east", Study, [Series("1.2.1")], madeInClient: true);
        _store.RemoveSeries("east", Path);
        Assert.Empty(Events);
        _store.RemoveStudyRow("east", Study);
        _store.RemoveStudyRow("east", Study);
        Assert.Equal(["STUDY_REMOVED east 1.2/: "], Events);
    }

    [Fact]
    public void RemovesTheRow_WhenTheBackendListsNoSeries()
    {
        _store.AddStudy("east", Instance("1.2", "1.2.1", "1.2.1.1"));
        _store.AddSeriesMetadata("east", Study, [Series("1.2.1")], madeInClient: true);
        _store.SetSeriesMetadata("east", Study, []);
        Assert.Equal(["STUDY_REMOVED east 1.2/: "], Events);
    }

    [Fact]
    public void AnnouncesNoRemoval_OfUnannouncedData()
    {
        _store.AddSeriesMetadata("east", Study, [Series("1.2.1"), Series("1.2.2")], madeInClient: true);
        _store.SetSeriesMetadata("east", Study, [Series("1.2.1")], madeInClient: true);
        _store.RemoveSeries("east", Path);
        Assert.False(_store.GetStudy(Study)!.HasHolder);
        Assert.Empty(Events);
    }

    [Fact]
    public void RaisesNoEvent_ForAPurgeOrARemovedBackend()
    {
        _store.AddSeriesMetadata("east", Study, [Series("1.2.1")]);
        _store.AddSeriesMetadata("west", Study, [Series("1.2.1")]);
        _store.SetOwner("east", Path);
        Assert.Equal(2, Events.Count());

        _store.RemoveBackend("east");
        _store.SetOwner("west", Path);
        _store.RemoveStudy(Study);
        Assert.Empty(Events);
    }

    [Fact]
    public void AnnouncesAMove_WhenTheOwnerChanges()
    {
        _store.AddSeriesMetadata("east", Study, [Series("1.2.1")]);
        _store.AddSeriesMetadata("west", Study, [Series("1.2.1")]);
        _store.SetOwner("east", Path);
        _store.SetOwner("east", Path);
        Assert.Equal(2, Events.Count());

        _store.SetOwner("west", Path);
        _store.SetOwner("west", Path);

        var moved = Assert.Single(_reader.ReadAll());
        Assert.Equal("SERIES_MOVED west 1.2/1.2.1: ", Describe(moved));
        Assert.Equal("east", moved.More["from"].GetString());
    }

    [Fact]
    public async Task CallsNoHandler_AfterUnsubscribing()
    {
        var (series, instances) = (new ConcurrentQueue<ProxyEvent>(), new ConcurrentQueue<ProxyEvent>());
        using var first = _store.Subscribe(ProxyEvent.SeriesAdded, series.Enqueue);
        var second = _store.Subscribe(ProxyEvent.InstancesAdded, instances.Enqueue);
        second.Dispose();
        second.Dispose();

        _store.AddInstances("east", Path, Pack("1.2.1.1"));
        _store.AddSeriesMetadata("east", Study, [Series("1.2.1")]);

        await Until.TrueAsync(() => !series.IsEmpty);
        Assert.Equal("SERIES_ADDED east 1.2/: 1.2.1", Describe(Assert.Single(series)));
        Assert.Empty(instances);
    }

    [Fact]
    public async Task FindsTheDataInAHandler()
    {
        var found = false;
        using var _ = _store.Subscribe(
            ProxyEvent.InstancesAdded, e => found = _store.GetInstance(new(e.Study!.Value, e.Series!.Value, e.Added[0])) is not null);
        _store.AddInstances("east", Path, Pack("1.2.1.1"));
        await Until.TrueAsync(() => found);
    }

    [Fact]
    public void NamesEachInstanceOnce_WithManyThreads()
    {
        Parallel.For(0, 64, i => _store.AddInstances("east", [Instance("1.2", "1.2.1", $"1.2.1.{i % 8 + 1}")]));
        Assert.Equal(8, _reader.ReadAll().Sum(e => e.Added.Length));
    }

    internal static DicomMetadataStore Make(EventLog log) => new(_ => 1, TimeProvider.System, log, 1 << 30);

    internal static string Describe(ProxyEvent e) => $"{e.Name} {e.Backend} {e.Study}/{e.Series}: {string.Join(' ', e.Added.Order())}";
}
