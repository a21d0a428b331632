using System.Buffers.Binary;
using System.IO.Hashing;
using Microsoft.Extensions.Time.Testing;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Cache;

/// <summary>Prefetched entries are evicted from disk first, and evict no recently used entry.</summary>
public sealed class DiskTierPrefetchTests : IAsyncDisposable
{
    private const int FrameBytes = 20_000;
    private const int FramesOfSeries = 20;
    private const long SeriesBytes = FramesOfSeries * 20_480;

    private readonly FakeTimeProvider _time = new();
    private readonly DiskLab _disk;

    public DiskTierPrefetchTests() => _disk = new(maxBytes: 4_000_000, time: _time);

    public ValueTask DisposeAsync() => _disk.DisposeAsync();

    [Fact]
    public async Task EvictsPrefetchedSeries_BeforeOlderRequestedOnes()
    {
        await AddSeriesAsync(0, 6);
        _time.Advance(TimeSpan.FromDays(3));
        await AddPrefetchedAsync(10, 2);
        await PrefetchedBytesAreAsync(2 * SeriesBytes);
        await AddSeriesAsync(20, 3);
        for (var series = 0; series < 6; series++) Assert.Equal(FramesOfSeries, await CountAsync(series));
        Assert.Equal(0, await CountAsync(10));
        Assert.Equal(FramesOfSeries, await CountAsync(22));
    }

    [Fact]
    public async Task TreatsAPrefetchedSeriesAsRequested_AfterItsFirstUse()
    {
        await AddSeriesAsync(0, 2);
        _time.Advance(TimeSpan.FromHours(1));
        await AddPrefetchedAsync(10, 1);
        Assert.NotNull(await _disk.ReadAsync(DiskLab.Key(10, 7)));
        await PrefetchedBytesAreAsync(0);
        await AddSeriesAsync(2, 7);
        Assert.Equal((0, 0), (await CountAsync(0), await CountAsync(1)));
        Assert.Equal(FramesOfSeries, await CountAsync(10));
    }

    [Fact]
    public async Task KeepsASeriesAsUsed_WhenPrefetchedEntriesAreAdded()
    {
        await AddSeriesAsync(0, 2);
        _time.Advance(TimeSpan.FromHours(1));
        await AddSeriesAsync(2, 1);
        _disk.AddPrefetched(DiskLab.Key(0, 99), FrameBytes);
        await _disk.SettleAsync();
        await PrefetchedBytesAreAsync(0);
        await AddSeriesAsync(3, 7);
        Assert.Equal(0, await CountAsync(0));
        Assert.Equal(FramesOfSeries, await CountAsync(2));
    }

    [Fact]
    public async Task CountsAClientsFetch_AsAUseOfItsSeries()
    {
        await AddPrefetchedAsync(10, 1);
        await PrefetchedBytesAreAsync(SeriesBytes);
        _disk.Add(DiskLab.Key(10, 99), FrameBytes);
        await _disk.SettleAsync();
        await PrefetchedBytesAreAsync(0);
    }

    [Fact]
    public async Task LimitsPrefetchedEntriesToAQuarter_WithoutEvictingThem()
    {
        await AddPrefetchedAsync(10, 5);
        Assert.InRange(_disk.Writer.PrefetchedBytes, 2 * SeriesBytes, _disk.MaxBytes / 4);
        Assert.Equal((FramesOfSeries, FramesOfSeries), (await CountAsync(10), await CountAsync(11)));
        Assert.Equal(0, _disk.Writer.Evictions);
        Assert.False(_disk.Tier.HasRoomForPrefetched(_disk.MaxBytes));
    }

    [Fact]
    public async Task EvictsOnlyIdleSeries_AndNoMoreThanNeeded()
    {
        await AddSeriesAsync(0, 9);
        Assert.True(_disk.Tier.HasRoomForPrefetched(200_000));
        Assert.False(_disk.Tier.HasRoomForPrefetched(SeriesBytes));
        await AddPrefetchedAsync(10, 1);
        Assert.Equal(0, _disk.Writer.Evictions);
        Assert.Equal(15, await CountAsync(10, isUse: false));

        _time.Advance(TimeSpan.FromMinutes(31));
        Assert.NotNull(await _disk.ReadAsync(DiskLab.Key(0, 0)));
        await _disk.SettleAsync();
        Assert.True(_disk.Tier.HasRoomForPrefetched(SeriesBytes));
        await AddPrefetchedAsync(11, 1);
        Assert.Equal(FramesOfSeries, await CountAsync(11, isUse: false));
        Assert.Equal(15, await CountAsync(10, isUse: false));
        Assert.Equal(FramesOfSeries, await CountAsync(0));
        // All others have the same age: exactly one of them is evicted, as a whole.
        var others = new List<int>();
        for (var series = 1; series < 9; series++) others.Add(await CountAsync(series));
        Assert.Equal([0, .. Enumerable.Repeat(FramesOfSeries, 7)], others.Order());
        Assert.Equal(FramesOfSeries, _disk.Writer.Evictions);
    }

    [Fact]
    public async Task HasRoomForPrefetching_WithinAQuarterOnly()
    {
        Assert.True(_disk.Tier.HasRoomForPrefetched(_disk.MaxBytes / 4));
        Assert.False(_disk.Tier.HasRoomForPrefetched(_disk.MaxBytes / 4 + 1));
        await AddPrefetchedAsync(10, 2);
        await PrefetchedBytesAreAsync(2 * SeriesBytes);
        Assert.True(_disk.Tier.HasRoomForPrefetched(100_000));
        Assert.False(_disk.Tier.HasRoomForPrefetched(SeriesBytes));
        Assert.NotNull(await _disk.ReadAsync(DiskLab.Key(10, 0)));
        await PrefetchedBytesAreAsync(SeriesBytes);
        Assert.True(_disk.Tier.HasRoomForPrefetched(SeriesBytes));
        _disk.Folder.Fail(new IOException("gone bad"), wasWriting: true);
        Assert.False(_disk.Tier.HasRoomForPrefetched(1));
    }

    [Fact]
    public async Task CountsAsRequested_WhenFoundBeforeItIsWritten()
    {
        using (_disk.Writer.Queue.TrackFetch())
        {
            _disk.AddPrefetched(DiskLab.Key(10, 1), FrameBytes);
            _disk.AddPrefetched(DiskLab.Key(11, 1), FrameBytes);
            Assert.NotNull(await _disk.ReadAsync(DiskLab.Key(10, 1)));
        }
        await _disk.SettleAsync();
        await PrefetchedBytesAreAsync(20_480);
        Assert.Equal(2, _disk.Writer.Entries);
    }

    public static TheoryData<string> Ends => ["in order", "killed", "index lost"];

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task RemembersPrefetchedSeries_AfterARestart(string end)
    {
        await AddPrefetchedAsync(10, 1);
        await AddSeriesAsync(0, 2);
        await PrefetchedBytesAreAsync(SeriesBytes);
        await _disk.EndAsync(inOrder: end == "in order");
        if (end == "index lost") File.Delete(_disk.GetPath("entries.db"));
        await using var again = new DiskLab(path: _disk.Path, maxBytes: _disk.MaxBytes, time: _time);
        await again.SettleAsync();
        await Until.TrueAsync(() => again.Writer.PrefetchedBytes == SeriesBytes && again.Writer.Bytes == 3 * SeriesBytes);
    }

    [Fact]
    public async Task EvictsTheOldestPrefetchedSeriesFirst_AfterARestart()
    {
        _time.Advance(TimeSpan.FromHours(1));
        await AddPrefetchedAsync(10, 1);
        await _disk.EndAsync();
        await using var again = new DiskLab(path: _disk.Path, maxBytes: _disk.MaxBytes, time: _time);
        _time.Advance(TimeSpan.FromSeconds(1));
        for (var i = 0; i < FramesOfSeries; i++) again.AddPrefetched(DiskLab.Key(11, i), FrameBytes);
        await again.SettleAsync();
        for (var series = 0; series < 9; series++)
        {
            for (var i = 0; i < (series < 8 ? FramesOfSeries : 1); i++) again.Add(DiskLab.Key(series, i), series < 8 ? FrameBytes : 10);
            await again.SettleAsync();
        }
        Assert.False(await again.Tier.HasAsync([new(DiskLab.Key(10, 0))], CancellationToken.None));
        Assert.NotNull(await again.ReadAsync(DiskLab.Key(0, 0)));
    }

    [Theory]
    [InlineData(FrameBytes)]
    [InlineData(900_000)]
    public async Task ReportsAnEntryAndItsPartsAsPrefetched_AfterARestart(int length)
    {
        _disk.AddPrefetched(DiskLab.Key(10, 1), length);
        _disk.Add(DiskLab.Key(10, 2), 10);
        for (var round = 0; round < 2; round++)
        {
            Assert.True(await IsPrefetchedAsync(DiskLab.Key(10, 1)));
            Assert.False(await IsPrefetchedAsync(DiskLab.Key(10, 2)));
            await _disk.RestartAsync();
        }
    }

    [Fact]
    public async Task ReadsAVersion1Entry_AsNotPrefetched()
    {
        var key = DiskLab.Key(1, 1);
        _disk.Add(key, FrameBytes);
        await _disk.SettleAsync();
        var path = _disk.Files.Single();
        var bytes = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        var start = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(12));
        byte[] head = [.. bytes[..56], .. bytes[60..start]];
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(8), 1);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(12), head.Length);
        head.AsSpan(48, 8).Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(head.AsSpan(48), XxHash3.HashToUInt64(head));
        await File.WriteAllBytesAsync(path, [.. head, .. bytes[start..]], TestContext.Current.CancellationToken);

        Assert.Equal(DiskLab.GetBody(key, FrameBytes), await _disk.ReadAsync(key));
        Assert.False(await IsPrefetchedAsync(key));
        Assert.Equal(0, _disk.Tier.Damaged);
    }

    [Fact]
    public async Task FindsEntriesWithoutAUse_WhenChecking()
    {
        var (key, other) = (DiskLab.Key(10, 1), DiskLab.Key(10, 2));
        var asJpeg = new BodyFormat("image/jp2", "1.2.840.10008.1.2.4.90");
        Assert.False(await HasAsync(new AcceptableEntry(key)));
        using (_disk.Writer.Queue.TrackFetch())
        {
            _disk.AddPrefetched(key, FrameBytes);
            Assert.True(await HasAsync(new AcceptableEntry(key)));
        }
        await _disk.SettleAsync();
        Assert.True(await HasAsync(new AcceptableEntry(key)));
        Assert.True(await HasAsync(new AcceptableEntry(other), new(key, new("application/octet-stream", "1.2.840.10008.1.2.1"))));
        Assert.False(await HasAsync(new AcceptableEntry(other), new(key, asJpeg)));
        Assert.False(await HasAsync(new AcceptableEntry(key with { Backend = "north" })));
        await PrefetchedBytesAreAsync(20_480);
        Assert.Equal((0, 0), (_disk.Tier.Statistics.Hits, _disk.Tier.Statistics.Misses));

        File.WriteAllBytes(_disk.Files.Single(), File.ReadAllBytes(_disk.Files.Single())[..^1]);
        Assert.False(await HasAsync(new AcceptableEntry(key)));
        File.WriteAllBytes(_disk.Files.Single(), []);
        Assert.False(await HasAsync(new AcceptableEntry(key)));
        Assert.True(_disk.Folder.State.CanWrite);
        await _disk.Tier.RemoveAsync(new());
        Assert.False(await HasAsync(new AcceptableEntry(key)));
    }

    [Fact]
    public async Task CountsMissingBodies_UpToALimit()
    {
        _disk.AddPrefetched(DiskLab.Key(10, 1), FrameBytes);
        await _disk.SettleAsync();
        IReadOnlyList<IReadOnlyList<AcceptableEntry>> wanted =
            [.. Enumerable.Range(0, 5).Select(i => (IReadOnlyList<AcceptableEntry>)[new(DiskLab.Key(10, i))])];

        Assert.Equal(4, await _disk.Tier.CountMissingAsync(wanted, max: 10, CancellationToken.None));
        Assert.Equal(3, await _disk.Tier.CountMissingAsync(wanted, max: 2, CancellationToken.None));
        using (_disk.Writer.Queue.TrackFetch())
        {
            _disk.AddPrefetched(DiskLab.Key(10, 2), FrameBytes);
            Assert.Equal(3, await _disk.Tier.CountMissingAsync(wanted, max: 10, CancellationToken.None));
        }
        Assert.Equal(0, await _disk.Tier.CountMissingAsync([], max: 0, CancellationToken.None));
    }

    private ValueTask<bool> HasAsync(params AcceptableEntry[] wanted) => _disk.Tier.HasAsync(wanted, CancellationToken.None);

    private async Task<bool> IsPrefetchedAsync(EntryKey key)
    {
        var whole = (await _disk.Tier.FindAsync([new(key)], CancellationToken.None))!.Value.Body;
        using var part = whole.Cut(whole.Head, [(0, 5)]);
        Assert.Equal(whole.IsPrefetched, part.IsPrefetched);
        return whole.IsPrefetched;
    }

    private Task AddSeriesAsync(int first, int count) => AddAsync(first, count, _disk.Add);

    private Task AddPrefetchedAsync(int first, int count) => AddAsync(first, count, _disk.AddPrefetched);

    private async Task AddAsync(int first, int count, Action<EntryKey, int> add)
    {
        for (var series = first; series < first + count; series++)
        {
            for (var i = 0; i < FramesOfSeries; i++) add(DiskLab.Key(series, i), FrameBytes);
            await _disk.SettleAsync();
            Assert.InRange(_disk.Writer.Bytes, 0, _disk.MaxBytes);
            _time.Advance(TimeSpan.FromSeconds(10));
        }
    }

    /// <summary>Counts the frames of a series that are found.</summary>
    private async Task<int> CountAsync(int series, bool isUse = true)
    {
        var count = 0;
        for (var i = 0; i < FramesOfSeries; i++)
            count += (isUse ? await _disk.ReadAsync(DiskLab.Key(series, i)) is not null : await HasAsync(
                new AcceptableEntry(DiskLab.Key(series, i)))) ? 1 : 0;
        return count;
    }

    /// <summary>Uses are written about once a second, or with the next job.</summary>
    private Task PrefetchedBytesAreAsync(long bytes) => Until.TrueAsync(async () =>
    {
        await _disk.SettleAsync();
        return _disk.Writer.PrefetchedBytes == bytes;
    });
}
