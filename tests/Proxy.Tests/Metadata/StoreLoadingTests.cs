using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Metadata.Persistence;
using Xunit;
using static Proxy.Tests.Metadata.DicomMetadataStoreTests;

namespace Proxy.Tests.Metadata;

/// <summary>Studies are loaded from disk without blocking the caller's thread, and counts read no disk.</summary>
public sealed class StoreLoadingTests : IDisposable
{
    private readonly StoreFolder _folder = new();
    private bool _isBehind;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task BlocksNoThread_WhileTheDiskHangs()
    {
        using var gate = new ManualResetEventSlim();
        var store = StartBehind(gate);

        // Runs on this thread: a read of the disk would block here.
        var one = LoadAsync(store, 1);
        var two = LoadAsync(store, 2);
        Assert.False(one.IsCompleted);
        Assert.False(two.IsCompleted);
        Assert.True(LoadAsync(store, 9).IsCompletedSuccessfully);
        Assert.Null(store.GetStudy(StudyUid(9)));

        gate.Set();
        await one;
        await two;
        Assert.NotNull(store.GetStudy(StudyUid(1)));
        Assert.NotNull(store.GetStudy(StudyUid(2)));
        Assert.True(LoadAsync(store, 1).IsCompletedSuccessfully);
    }

    [Fact]
    public async Task GivesUpAndFindsNothing_WhenTheDiskDoesNotAnswer()
    {
        using var gate = new ManualResetEventSlim();
        var store = StartBehind(gate);

        await LoadAsync(store, 1);

        Assert.Null(store.GetStudy(StudyUid(1)));
        Assert.False(_folder.Folder.State.CanRead);
        gate.Set();
    }

    [Fact]
    public async Task KeepsOtherLoadsGoing_WhenOneIsCancelled()
    {
        using var gate = new ManualResetEventSlim();
        using var cancelled = new CancellationTokenSource();
        var store = StartBehind(gate);
        var one = LoadAsync(store, 1);
        var two = store.LeaseAsync(StudyUid(2), cancelled.Token).AsTask();

        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => two);

        gate.Set();
        await one;
        Assert.NotNull(store.GetStudy(StudyUid(1)));
    }

    [Fact]
    public async Task KeepsALeasedStudyInMemory_UntilTheLastLeaseEnds()
    {
        var store = _folder.Start(maxBytes: 4_000);
        for (var i = 1; i <= 30; i++) Add(store, i);
        Assert.True(store.Flush());
        store.Shrink();
        var reads = _folder.File.BlockingReads;
        var first = await store.LeaseAsync(StudyUid(1), TestContext.Current.CancellationToken);
        var second = await store.LeaseAsync(StudyUid(1), TestContext.Current.CancellationToken);
        for (var i = 2; i <= 30; i++)
        {
            using var other = await store.LeaseAsync(StudyUid(i), TestContext.Current.CancellationToken);
            Assert.NotNull(store.GetStudy(StudyUid(i)));
        }
        first.Dispose();
        store.Shrink();
        Assert.NotNull(store.GetStudy(StudyUid(1)));
        Assert.Equal(reads, _folder.File.BlockingReads);

        second.Dispose();
        store.Resize(0);
        Assert.NotNull(store.GetStudy(StudyUid(1)));
        Assert.Equal(reads + 1, _folder.File.BlockingReads);
    }

    [Fact]
    public async Task FindsEveryLeasedStudyInMemory_WhileOthersAreEvicted()
    {
        var store = _folder.Start(maxBytes: 4_000);
        for (var i = 1; i <= 30; i++) Add(store, i);
        Assert.True(store.Flush());
        store.Shrink();
        var reads = _folder.File.BlockingReads;
        await Parallel.ForAsync(0, 300, TestContext.Current.CancellationToken, async (i, stopped) =>
        {
            using var lease = await store.LeaseAsync(StudyUid(i % 30 + 1), stopped);
            Assert.NotNull(store.GetStudy(StudyUid(i % 30 + 1)));
        });
        Assert.Equal(reads, _folder.File.BlockingReads);
    }

    [Fact]
    public async Task UpdatesTheCount_WhenStudiesAreWrittenAndRemoved()
    {
        var store = _folder.Start(maxBytes: 2_000);
        for (var i = 1; i <= 30; i++) Add(store, i);
        Assert.True(store.Flush());
        Assert.Equal((30, 30L), (store.Count, CountOnDisk()));

        Assert.True(await store.RemoveStudyAsync(StudyUid(3)));
        Assert.True(store.Flush());
        Assert.Equal((29, 29L), (store.Count, CountOnDisk()));

        store = _folder.Start();
        Assert.Equal(29, store.Count);
        for (var i = 20; i <= 40; i++) Add(store, i);
        Assert.Equal(39, store.Count);
        Assert.True(store.Flush());
        Assert.Equal((39, 39L), (store.Count, CountOnDisk()));

        store.Resize(1 << 30, diskBytes: 40_000);
        Assert.True(store.Flush());
        Assert.True(store.RemoveStudy(StudyUid(40)));
        Assert.InRange(_folder.File.Count, 0, 38);
        Assert.Equal(CountOnDisk(), _folder.File.Count);

        Assert.True(await store.RemoveAllAsync());
        Assert.Equal((0, 0L), (store.Count, CountOnDisk()));
    }

    [Fact]
    public void LeavesTheFlushToTheWriter_WhenMemoryIsFull()
    {
        var store = _folder.Start(maxBytes: 4_000);
        var asked = 0;
        store.Full = () => asked++;

        for (var i = 1; i <= 30; i++) Add(store, i);

        Assert.NotEqual(0, asked);
        Assert.Equal(0, CountOnDisk());
        store.Shrink();
        Assert.InRange(store.Bytes, 0, 4_000);
        Assert.Equal(30, CountOnDisk());
        Assert.Equal(30, store.Count);
    }

    /// <summary>Starts a process on a folder with two studies; its reads wait for the gate.</summary>
    private DicomMetadataStore StartBehind(ManualResetEventSlim gate)
    {
        var store = _folder.Start();
        Add(store, 1);
        Add(store, 2);
        Assert.True(store.Flush());
        _folder.Start();
        var file = new StudyFile(
            _folder.Folder, _folder.Identities.GetValueOrDefault, NameOf, _folder.Counters, NullLogger<StudyFile>.Instance);
        store = new(_ => 1, TimeProvider.System, _folder.Events, 1 << 30, file);
        // Reads the index.
        Assert.True(store.Flush());
        _isBehind = true;
        return store;

        string? NameOf(string identity)
        {
            if (_isBehind) gate.Wait(TestContext.Current.CancellationToken);
            return _folder.Identities.FirstOrDefault(i => i.Value == identity).Key;
        }
    }

    private long CountOnDisk()
    {
        using var connection = new SqliteConnection($"Data Source={_folder.Database};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM study";
        return (long)command.ExecuteScalar()!;
    }

    private static Task LoadAsync(DicomMetadataStore store, int i) =>
        store.LeaseAsync(StudyUid(i), TestContext.Current.CancellationToken).AsTask();

    private static Uid StudyUid(int i) => Uid.Parse($"1.2.{i}");

    private static void Add(DicomMetadataStore store, int i) =>
        store.AddInstances("east", [Instance(StudyUid(i).ToString(), "1.2.1", $"1.2.1.{i}")]);
}
