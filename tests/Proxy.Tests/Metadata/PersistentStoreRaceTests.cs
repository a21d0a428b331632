using Proxy.Dicom;
using Xunit;
using static Proxy.Tests.Metadata.DicomMetadataStoreTests;

namespace Proxy.Tests.Metadata;

/// <summary>Concurrent writes, reads, evictions, flushes and removals lose no change and restore no removed study.</summary>
public sealed class PersistentStoreRaceTests : IDisposable
{
    private const int Studies = 24;

    private readonly StoreFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task LosesNoChange_WhileStudiesAreEvictedAndWritten()
    {
        // The budget holds a few of them.
        var store = _folder.Start(maxBytes: 8_000);
        using var stop = new CancellationTokenSource();
        var flushing = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested) store.Flush();
        }, TestContext.Current.CancellationToken);

        await Parallel.ForAsync(
            0, 3000, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = TestContext.Current.CancellationToken },
            (i, _) =>
        {
            store.AddSeriesMetadata("east", StudyUid(i % Studies), [Series($"1.9.{i / Studies}")]);
            store.GetStudy(StudyUid(i * 7 % Studies));
            return ValueTask.CompletedTask;
        });
        await stop.CancelAsync();
        await flushing;

        for (var i = 0; i < Studies; i++) Assert.Equal(3000 / Studies, store.GetStudy(StudyUid(i))!.GetList("east").Series.Count);
        Assert.True(store.Flush());
        store = _folder.Start();
        for (var i = 0; i < Studies; i++) Assert.Equal(3000 / Studies, store.GetStudy(StudyUid(i))!.GetList("east").Series.Count);
        Assert.Equal(0, _folder.Counters.StoreDamage);
    }

    [Fact]
    public async Task KeepsStudiesRemoved_WhileOthersReadAndWrite()
    {
        var store = _folder.Start(maxBytes: 4_000);
        using var stop = new CancellationTokenSource();
        var cancelled = TestContext.Current.CancellationToken;
        var others = new List<Task>
        {
            Task.Run(() => { while (!stop.IsCancellationRequested) store.Flush(); }, cancelled),
            Task.Run(() => { while (!stop.IsCancellationRequested) store.GetStudy(StudyUid(1)); }, cancelled),
            Task.Run(() => { for (
                var i = 0; !stop.IsCancellationRequested; i++) store.AddSeriesMetadata("east", StudyUid(100 + i % 40),
                [Series("1.9.1", i)]); }, cancelled),
            Task.Run(() => { while (
                !stop.IsCancellationRequested) store.Confirm("east", new(StudyUid(1), Uid.Parse("1.9.1")),
                DateTimeOffset.UnixEpoch); }, cancelled),
        };

        for (var round = 0; round < 100; round++)
        {
            store.AddSeriesMetadata("east", StudyUid(1), [Series("1.9.1", round)]);
            if (round % 2 == 0) await Task.Yield();
            if (round % 3 == 0) store.Flush();
            switch (round % 10)
            {
                case 9:
                    Assert.True(store.RemoveAll());
                    break;
                case 8:
                    Assert.True(store.RemoveBackend("east"));
                    break;
                default:
                    Assert.True(store.RemoveStudy(StudyUid(1)));
                    break;
            }
            // Only this loop adds it.
            Assert.Null(store.GetStudy(StudyUid(1)));
            store.Flush();
            Assert.Null(store.GetStudy(StudyUid(1)));
        }
        await stop.CancelAsync();
        await Task.WhenAll(others);
        Assert.Equal(0, _folder.Counters.StoreDamage);
    }

    private static Uid StudyUid(int i) => Uid.Parse($"1.2.{i + 1}");
}
