using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Dicom;
using Proxy.Store;
using Xunit;
using static Proxy.Tests.Store.DicomMetadataStoreTests;

namespace Proxy.Tests.Store;

public class StoreEventTests
{
    private static readonly Uid Study = Uid.Parse("1.2");
    private static readonly SeriesPath Path = new(Study, Uid.Parse("1.2.1"));

    private readonly DicomMetadataStore _store = new(_ => 1, TimeProvider.System, NullLogger<DicomMetadataStore>.Instance, 1 << 30);
    private readonly List<string> _events = [];
    private readonly IDisposable _series;
    private readonly IDisposable _instances;

    public StoreEventTests()
    {
        _series = _store.Subscribe(StoreEvent.SeriesAdded, Note);
        _instances = _store.Subscribe(StoreEvent.InstancesAdded, Note);
    }

    [Fact]
    public void TheirNamesAreThoseOfOhif()
    {
        Assert.Equal("SERIES_ADDED", StoreEvent.SeriesAdded);
        Assert.Equal("INSTANCES_ADDED", StoreEvent.InstancesAdded);
    }

    [Fact]
    public void NewSeriesAreNamed_AndOnlyThose()
    {
        _store.AddSeriesMetadata("east", Study, [Series("1.2.1"), Series("1.2.2")]);
        _store.AddSeriesMetadata("east", Study, [Series("1.2.2"), Series("1.2.3")]);
        _store.AddSeriesMetadata("east", Study, [Series("1.2.1")], areAll: true);
        Assert.Equal(["SERIES_ADDED east 1.2/: 1.2.1 1.2.2", "SERIES_ADDED east 1.2/: 1.2.3"], _events);
    }

    [Fact]
    public void NewInstancesAreNamed_AndOnlyThose()
    {
        _store.AddInstances("east", [Instance("1.2", "1.2.1", "1.2.1.1")]);
        _store.AddInstances("east", [Instance("1.2", "1.2.1", "1.2.1.1"), Instance("1.2", "1.2.1", "1.2.1.2")]);
        _store.AddInstances("east", Path, Pack("1.2.1.1", "1.2.1.2", "1.2.1.3"));
        _store.AddInstances("east", Path, Pack("1.2.1.1"));
        Assert.Equal(["INSTANCES_ADDED east 1.2/1.2.1: 1.2.1.1", "INSTANCES_ADDED east 1.2/1.2.1: 1.2.1.2", "INSTANCES_ADDED east 1.2/1.2.1: 1.2.1.3"], _events);
    }

    [Fact]
    public void EachSeriesAndEachBackendHasItsOwn()
    {
        _store.AddInstances("east", [Instance("1.2", "1.2.1", "1.2.1.1"), Instance("1.2", "1.2.2", "1.2.2.1")]);
        _store.AddInstances("west", [Instance("1.2", "1.2.1", "1.2.1.1")]);
        Assert.Equal(["INSTANCES_ADDED east 1.2/1.2.1: 1.2.1.1", "INSTANCES_ADDED east 1.2/1.2.2: 1.2.2.1", "INSTANCES_ADDED west 1.2/1.2.1: 1.2.1.1"], _events.Order());
    }

    [Fact]
    public void StudiesAndRowsOfInstancesFireNothing()
    {
        _store.AddStudy("east", Instance("1.2", "1.2.1", "1.2.1.1"));
        _store.AddInstanceRows("east", [Instance("1.2", "1.2.1", "1.2.1.1")]);
        _store.AddSeriesMetadata("east", Study, []);
        _store.AddInstances("east", []);
        _store.AddInstances("east", Path, Pack());
        Assert.Empty(_events);
    }

    [Fact]
    public void WhatIsFetchedAheadFiresNothing()
    {
        _store.AddSeriesMetadata("east", Study, [Series("1.2.1")], madeInClient: true);
        _store.AddInstances("east", Path, Pack("1.2.1.1"), madeInClient: true);
        _store.AddInstances("east", [Instance("1.2", "1.2.1", "1.2.1.2")], madeInClient: true);
        Assert.Empty(_events);
        Assert.True(_store.GetSeries(Path)!.MadeInClient);
        Assert.True(_store.GetStudy(Study)!.ListOf("east").MadeInClient);
    }

    [Fact]
    public void WhatWasFetchedAheadFiresOnce_WhenAClientAsksForIt()
    {
        _store.AddInstances("east", Path, Pack("1.2.1.1", "1.2.1.2"), madeInClient: true);
        _store.AddInstances("east", Path, Pack("1.2.1.1", "1.2.1.2"));
        _store.AddInstances("east", Path, Pack("1.2.1.1", "1.2.1.2"));
        Assert.Equal(["INSTANCES_ADDED east 1.2/1.2.1: 1.2.1.1 1.2.1.2"], _events);
        Assert.False(_store.GetSeries(Path)!.MadeInClient);
    }

    [Fact]
    public void WhatAClientAskedFor_IsNeverMadeInClientAgain()
    {
        _store.AddInstances("east", Path, Pack("1.2.1.1"));
        _store.AddInstances("east", Path, Pack("1.2.1.1", "1.2.1.2"), madeInClient: true);
        Assert.False(_store.GetSeries(Path)!.MadeInClient);
    }

    [Fact]
    public void WhoLeftHearsNothing()
    {
        _instances.Dispose();
        _instances.Dispose();
        _store.AddInstances("east", Path, Pack("1.2.1.1"));
        _store.AddSeriesMetadata("east", Study, [Series("1.2.1")]);
        Assert.Equal(["SERIES_ADDED east 1.2/: 1.2.1"], _events);
    }

    [Fact]
    public void OneSubscriptionEndsWithoutAnother_OfTheSameHandler()
    {
        using var second = _store.Subscribe(StoreEvent.SeriesAdded, Note);
        _series.Dispose();
        _store.AddSeriesMetadata("east", Study, [Series("1.2.1")]);
        Assert.Single(_events);
    }

    [Fact]
    public void ASubscriberThatThrowsHarmsNobody()
    {
        using var bad = _store.Subscribe(StoreEvent.InstancesAdded, _ => throw new InvalidOperationException());
        var heard = 0;
        using var late = _store.Subscribe(StoreEvent.InstancesAdded, _ => heard++);
        _store.AddInstances("east", Path, Pack("1.2.1.1"));
        Assert.Single(_events);
        Assert.Equal(1, heard);
        Assert.Equal(1, _store.GetSeries(Path)!.Metadata!.Count);
    }

    [Fact]
    public void AHandlerFindsWhatItHearsOf()
    {
        var found = false;
        using var _ = _store.Subscribe(StoreEvent.InstancesAdded, e => found = _store.GetInstance(new(e.Study, e.Series!.Value, e.Added[0])) is not null);
        _store.AddInstances("east", Path, Pack("1.2.1.1"));
        Assert.True(found);
    }

    [Fact]
    public void EachInstanceIsNamedOnce_HoweverManyAddItAtOnce()
    {
        _instances.Dispose();
        var added = new System.Collections.Concurrent.ConcurrentBag<Uid>();
        using var _ = _store.Subscribe(StoreEvent.InstancesAdded, e => { foreach (var uid in e.Added) added.Add(uid); });
        Parallel.For(0, 64, i => _store.AddInstances("east", [Instance("1.2", "1.2.1", $"1.2.1.{i % 8 + 1}")]));
        Assert.Equal(8, added.Count);
    }

    private void Note(StoreEvent e) => _events.Add($"{e.Name} {e.Backend} {e.Study}/{e.Series}: {string.Join(' ', e.Added.Order())}");
}
