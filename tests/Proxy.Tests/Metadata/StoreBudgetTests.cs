using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Dicom;
using Proxy.Events;
using Proxy.Metadata;
using Xunit;
using static Proxy.Tests.Metadata.DicomMetadataStoreTests;

namespace Proxy.Tests.Metadata;

public class StoreBudgetTests
{
    [Fact]
    public void EvictsTheLeastRecentlyUsedStudies()
    {
        var store = Make(100_000);
        for (var i = 1; i <= 20; i++) Add(store, i);
        Assert.NotNull(store.GetStudy(StudyUid(1)));

        for (var i = 21; store.GetStudy(StudyUid(1)) is not null && i <= 100; i++) Add(store, i);

        // The study used in every round is still there; others written with it and never used are evicted.
        Assert.NotNull(store.GetStudy(StudyUid(1)));
        Assert.Null(store.GetStudy(StudyUid(2)));
        Assert.NotNull(store.GetStudy(StudyUid(100)));
    }

    [Fact]
    public void StaysWithinTheBudget_WhenManyStudiesAreAdded()
    {
        var store = Make(100_000);
        for (var i = 1; i <= 200; i++)
        {
            Add(store, i);
            Assert.InRange(store.Bytes, 0, 100_000);
        }
        Assert.InRange(store.Count, 20, 199);
    }

    [Fact]
    public void EvictsAtOnce_WhenTheBudgetShrinks()
    {
        var store = Make(1_000_000);
        for (var i = 1; i <= 50; i++) Add(store, i);

        store.Resize(20_000);

        Assert.InRange(store.Bytes, 1, 20_000);
        Assert.NotNull(store.GetStudy(StudyUid(50)));
        Assert.Null(store.GetStudy(StudyUid(1)));
    }

    [Fact]
    public void DropsAStudy_LargerThanTheBudget()
    {
        var store = Make(1000);
        Add(store, 1);
        Assert.Null(store.GetStudy(StudyUid(1)));
        Assert.Equal(0, store.Bytes);
        Assert.Equal(0, store.Count);
    }

    [Fact]
    public void AcceptsAnEvictedStudyAgain()
    {
        var store = Make(100_000);
        for (var i = 1; i <= 200; i++) Add(store, i);
        Add(store, 1);
        Assert.NotNull(store.GetStudy(StudyUid(1)));
    }

    [Fact]
    public void CountsTheBytesOfTheStudies_AfterAnyChanges()
    {
        var store = Make(1 << 30);
        for (var i = 1; i <= 5; i++) Add(store, i);
        var path = new SeriesPath(StudyUid(9), Uid.Parse("1.9.9"));
        store.Confirm("east", path, DateTimeOffset.UnixEpoch);
        store.SetOwner("east", path);
        store.RemoveSeries("east", path);
        store.RemoveSeries("east", new(StudyUid(1), Uid.Parse("1.2.1")));
        store.AddStudy("east", Instance(StudyUid(2).ToString(), "1", "1"));
        Assert.Equal(store.ReadUids().Sum(uid => store.GetStudy(uid)!.Bytes), store.Bytes);
        Assert.Equal(5, store.Count);
        store.AddStudy("west", Instance(StudyUid(3).ToString(), "1", "1"));
        store.RemoveBackend("east");
        Assert.Equal([StudyUid(3)], store.ReadUids());
        Assert.Equal(store.GetStudy(StudyUid(3))!.Bytes, store.Bytes);
    }

    [Fact]
    public void CountsTheBytesOfTheStudies_WithManyThreads()
    {
        var store = Make(10_000);
        var rows = Enumerable.Range(1, 16).Select(i => Instance(StudyUid(i).ToString(), "1.2.1", "1.2.1.1")).ToArray();
        Parallel.For(0, 30_000, i => store.AddStudy("east", rows[i % rows.Length]));
        Assert.Equal(store.ReadUids().Sum(uid => store.GetStudy(uid)!.Bytes), store.Bytes);
        Assert.InRange(store.Bytes, 1, 10_000);
        Assert.InRange(store.Count, 1, 15);
    }

    private static DicomMetadataStore Make(long maxBytes) =>
        new(_ => 1, TimeProvider.System, new EventLog(NullLogger<EventLog>.Instance), maxBytes);

    private static Uid StudyUid(int i) => Uid.Parse($"1.2.{i}");

    private static void Add(DicomMetadataStore store, int i) =>
        store.AddInstances("east", [Instance(StudyUid(i).ToString(), "1.2.1", $"1.2.1.{i}")]);
}
