using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Dicom;
using Proxy.Events;
using Proxy.Metadata;
using Proxy.Tests.Events;
using Xunit;
using static Proxy.Tests.Metadata.DicomMetadataStoreTests;
using static Proxy.Tests.Metadata.StoreEventTests;

namespace Proxy.Tests.Metadata;

/// <summary>Prefetched data raises no event until a client requests it, and then one.</summary>
public class MadeInClientTests
{
    private const string SeriesAnnounced = "SERIES_ADDED east 1.2/: 1.2.1";
    private const string InstancesAnnounced = "INSTANCES_ADDED east 1.2/1.2.1: 1.2.1.1 1.2.1.2";

    private static readonly Uid Study = Uid.Parse("1.2");
    private static readonly SeriesPath Path = new(Study, Uid.Parse("1.2.1"));

    private readonly EventLog _log = new(NullLogger<EventLog>.Instance);
    private readonly EventReader _reader;
    private readonly DicomMetadataStore _store;

    public MadeInClientTests()
    {
        _reader = new(_log);
        _store = Make(_log);
    }

    private IEnumerable<string> Events => _reader.ReadAll().Select(Describe);

    /// <summary>The marks of the series and of its metadata.</summary>
    private (bool, bool) Marks => _store.GetSeries(Path) is { } series ? (series.MadeInClient, series.MetadataMadeInClient) : default;

    [Fact]
    public void RaisesNoEvent_WhenPrefetching()
    {
        Prefetch();
        _store.AddInstances("east", [Instance("1.2", "1.2.1", "1.2.1.3")], madeInClient: true);
        Assert.Empty(Events);
        Assert.Equal((true, true), Marks);
        Assert.True(_store.GetStudy(Study)!.GetList("east").MadeInClient);
    }

    [Fact]
    public void RaisesOneEvent_WhenAClientFetchesIt()
    {
        Prefetch();
        AddSeries();
        AddSeries();
        Assert.Equal([SeriesAnnounced], Events);
        Assert.Equal((false, true), Marks);
        AddInstances();
        AddInstances();
        Assert.Equal([InstancesAnnounced], Events);
        Assert.Equal((false, false), Marks);
    }

    [Fact]
    public void RaisesOneEvent_WhenItIsServedToAClient()
    {
        Prefetch();
        Assert.True(_store.MarkSeriesRequested("east", Study));
        Assert.False(_store.MarkSeriesRequested("east", Study));
        Assert.Equal([SeriesAnnounced], Events);
        Assert.Equal((false, true), Marks);
        Assert.True(_store.MarkMetadataRequested("east", Path));
        Assert.False(_store.MarkMetadataRequested("east", Path));
        Assert.Equal([InstancesAnnounced], Events);
        AddSeries();
        AddInstances();
        Assert.Empty(Events);
    }

    [Fact]
    public void MarksTheSeriesAsRequested_WhenItsMetadataIsServed()
    {
        Prefetch();
        Assert.True(_store.MarkMetadataRequested("east", Path));
        Assert.Equal([SeriesAnnounced, InstancesAnnounced], Events);
        Assert.False(_store.MarkSeriesRequested("east", Study));
        Assert.Equal((false, false), Marks);
    }

    [Fact]
    public void MarksTheSeriesAsRequested_WhenItsMetadataIsFetched()
    {
        Prefetch();
        AddInstances();
        Assert.Equal([SeriesAnnounced, InstancesAnnounced], Events);
    }

    [Fact]
    public void AnnouncesASeries_WhenItsSummaryArrives()
    {
        AddInstances(madeInClient: true);
        Assert.False(_store.MarkSeriesRequested("east", Study));
        Assert.True(_store.MarkMetadataRequested("east", Path));
        Assert.Equal([InstancesAnnounced], Events);
        AddSeries();
        Assert.Equal([SeriesAnnounced], Events);
    }

    [Fact]
    public void AnnouncesOnlyDataServedToAClient()
    {
        Prefetch();
        _store.AddSeriesMetadata("west", Study, [Series("1.2.1")], madeInClient: true);
        _store.AddSeriesMetadata("east", Study, [Series("1.2.2")], madeInClient: true);

        AddSeries();

        Assert.Equal([SeriesAnnounced], Events);
        Assert.False(_store.MarkMetadataRequested("east", new(Study, Uid.Parse("1.2.9"))));
        Assert.False(_store.MarkSeriesRequested("north", Study));
        Assert.False(_store.MarkSeriesRequested("east", Uid.Parse("1.9")));
        Assert.True(_store.MarkSeriesRequested("east", Study));
        Assert.Equal(["SERIES_ADDED east 1.2/: 1.2.2"], Events);
        Assert.True(_store.GetStudy(Study)!.GetList("west").MadeInClient);
    }

    [Fact]
    public void AnnouncesPrefetchedMetadataOfAKnownSeries_WhenItIsRequested()
    {
        AddSeries();
        AddInstances(madeInClient: true);
        Assert.Equal([SeriesAnnounced], Events);
        Assert.Equal((false, true), Marks);
        _store.MarkMetadataRequested("east", Path);
        Assert.Equal([InstancesAnnounced], Events);
    }

    [Fact]
    public void AnnouncesNewInstancesOfAnOpenSeries_EvenWhenPrefetched()
    {
        AddSeries();
        AddInstances();
        Assert.Equal(2, Events.Count());

        _store.AddInstances("east", Path, Pack("1.2.1.1", "1.2.1.2", "1.2.1.3"), madeInClient: true);

        Assert.Equal(["INSTANCES_ADDED east 1.2/1.2.1: 1.2.1.3"], Events);
        Assert.Equal((false, false), Marks);
    }

    [Fact]
    public void AnnouncesNewInstancesWithTheRest_WhenTheSeriesWasNotRequested()
    {
        _store.AddInstances("east", Path, Pack("1.2.1.1"), madeInClient: true);
        AddInstances(madeInClient: true);
        AddInstances();
        Assert.Equal([InstancesAnnounced], Events);
    }

    [Fact]
    public void AnnouncesMetadataLater_WhenPixelsAreServedFirst()
    {
        _store.AddSeriesMetadata("east", Study, [Series("1.2.1")], madeInClient: true);
        Assert.True(_store.MarkMetadataRequested("east", Path));
        Assert.False(_store.MarkMetadataRequested("east", Path));
        AddInstances(madeInClient: true);
        Assert.Equal([SeriesAnnounced], Events);
        Assert.True(_store.MarkMetadataRequested("east", Path));
        Assert.Equal([InstancesAnnounced], Events);
    }

    [Fact]
    public void AnnouncesEachOnceAndSeriesFirst_WithManyThreads()
    {
        const int Many = 200;
        for (var i = 1; i <= Many; i++)
        {
            _store.AddSeriesMetadata("east", Study, [Series($"1.2.{i}")], madeInClient: true);
            _store.AddInstances("east", new(Study, Uid.Parse($"1.2.{i}")), Pack($"1.2.{i}.1", $"1.2.{i}.2"), madeInClient: true);
        }
        var shown = 0;

        Parallel.For(0, Many * 8, n =>
        {
            var path = new SeriesPath(Study, Uid.Parse($"1.2.{n / 8 + 1}"));
            if (n % 4 == 0 && _store.MarkMetadataRequested("east", path)) Interlocked.Increment(ref shown);
            if (n % 4 == 1) _store.AddInstances("east", path, Pack($"{path.Series}.1", $"{path.Series}.2"), madeInClient: n % 8 == 1);
            if (n % 4 == 2) _store.AddSeriesMetadata("east", Study, [Series(path.Series.ToString())], madeInClient: n % 8 == 2);
            if (n % 64 == 3) _store.MarkSeriesRequested("east", Study);
        });

        var told = _reader.ReadAll();
        Assert.InRange(shown, 1, Many);
        Assert.Equal(Many, told.Where(e => e.Name == ProxyEvent.SeriesAdded).SelectMany(e => e.Added).Count());
        Assert.Equal(Many, told.Where(e => e.Name == ProxyEvent.InstancesAdded).Select(e => e.Series).Distinct().Count());
        Assert.Equal(Many * 2, told.Where(e => e.Name == ProxyEvent.InstancesAdded).SelectMany(e => e.Added).Count());
        var named = new HashSet<Uid>();
        foreach (var e in told)
        {
            if (e.Name == ProxyEvent.SeriesAdded) named.UnionWith(e.Added);
            else Assert.Contains(e.Series!.Value, named);
        }
    }

    [Fact]
    public void AllocatesNothing_ForAHit()
    {
        AddSeries();
        AddInstances();
        Show();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) Show();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1000);

        void Show()
        {
            _store.MarkSeriesRequested("east", Study);
            _store.MarkMetadataRequested("east", Path);
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void RestoresTheMarks_AfterARestart(bool isListed, bool isRead)
    {
        using var folder = new StoreFolder();
        var first = folder.Start();
        first.AddSeriesMetadata("east", Study, [Series("1.2.1")], madeInClient: true);
        first.AddInstances("east", Path, Pack("1.2.1.1", "1.2.1.2"), madeInClient: true);
        if (isListed) first.MarkSeriesRequested("east", Study);
        if (isRead) first.MarkMetadataRequested("east", Path);
        Assert.True(first.Flush());

        var second = folder.Start();
        var reader = new EventReader(folder.Events);

        Assert.Equal((!isListed, !isRead), (second.GetSeries(Path)!.MadeInClient, second.GetSeries(Path)!.MetadataMadeInClient));
        Assert.Equal(!isRead, second.MarkMetadataRequested("east", Path));
        string[] told = [.. isListed ? (string[])[] : [SeriesAnnounced], .. isRead ? (string[])[] : [InstancesAnnounced]];
        Assert.Equal(told, reader.ReadAll().Select(Describe));
    }

    private void Prefetch()
    {
        _store.SetSeriesMetadata("east", Study, [Series("1.2.1")], madeInClient: true);
        AddInstances(madeInClient: true);
    }

    private void AddSeries() => _store.AddSeriesMetadata("east", Study, [Series("1.2.1")]);

    private void AddInstances(bool madeInClient = false) =>
        _store.AddInstances("east", Path, Pack("1.2.1.1", "1.2.1.2"), madeInClient: madeInClient);
}
