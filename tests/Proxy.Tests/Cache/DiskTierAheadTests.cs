using System.Buffers.Binary;
using System.IO.Hashing;
using Microsoft.Extensions.Time.Testing;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Cache;

/// <summary>What was fetched ahead leaves the disk first, and evicts nothing that is used.</summary>
public sealed class DiskTierAheadTests : IAsyncDisposable
{
    private const int FrameBytes = 20_000;
    private const int FramesOfSeries = 20;
    private const long SeriesBytes = FramesOfSeries * 20_480;

    private readonly FakeTimeProvider _time = new();
    private readonly DiskLab _disk;

    public DiskTierAheadTests() => _disk = new(maxBytes: 4_000_000, time: _time);

    public ValueTask DisposeAsync() => _disk.DisposeAsync();

    [Fact]
    public async Task ItLeavesBeforeWhatSomebodyAskedFor_HoweverOldThatIs()
    {
        await AddSeriesAsync(0, 6);
        _time.Advance(TimeSpan.FromDays(3));
        await AddAheadAsync(10, 2);
        await AheadBytesAreAsync(2 * SeriesBytes);
        await AddSeriesAsync(20, 3);
        for (var series = 0; series < 6; series++) Assert.Equal(FramesOfSeries, await CountAsync(series));
        Assert.Equal(0, await CountAsync(10));
        Assert.Equal(FramesOfSeries, await CountAsync(22));
    }

    [Fact]
    public async Task AFirstUseMakesItASeriesLikeOthers()
    {
        await AddSeriesAsync(0, 2);
        _time.Advance(TimeSpan.FromHours(1));
        await AddAheadAsync(10, 1);
        Assert.NotNull(await _disk.ReadAsync(DiskLab.Key(10, 7)));
        await AheadBytesAreAsync(0);
        await AddSeriesAsync(2, 7);
        Assert.Equal((0, 0), (await CountAsync(0), await CountAsync(1)));
        Assert.Equal(FramesOfSeries, await CountAsync(10));
    }

    [Fact]
    public async Task WhatIsAddedAheadToASeriesThatIsUsedChangesNothing()
    {
        await AddSeriesAsync(0, 2);
        _time.Advance(TimeSpan.FromHours(1));
        await AddSeriesAsync(2, 1);
        _disk.AddAhead(DiskLab.Key(0, 99), FrameBytes);
        await _disk.SettleAsync();
        await AheadBytesAreAsync(0);
        await AddSeriesAsync(3, 7);
        Assert.Equal(0, await CountAsync(0));
        Assert.Equal(FramesOfSeries, await CountAsync(2));
    }

    [Fact]
    public async Task WhatSomebodyFetchesOfItsSeriesIsAUseToo()
    {
        await AddAheadAsync(10, 1);
        await AheadBytesAreAsync(SeriesBytes);
        _disk.Add(DiskLab.Key(10, 99), FrameBytes);
        await _disk.SettleAsync();
        await AheadBytesAreAsync(0);
    }

    [Fact]
    public async Task ItTakesAQuarterAtMost_AndThrowsOutNoneOfItsKind()
    {
        await AddAheadAsync(10, 5);
        Assert.InRange(_disk.Writer.PrefetchedBytes, 2 * SeriesBytes, _disk.MaxBytes / 4);
        Assert.Equal((FramesOfSeries, FramesOfSeries), (await CountAsync(10), await CountAsync(11)));
        Assert.Equal(0, _disk.Writer.Evictions);
        Assert.False(_disk.Tier.HasRoomForPrefetched(_disk.MaxBytes));
    }

    [Fact]
    public async Task ItThrowsOutOnlyWhatNobodyUsedForAWhile_AndNoMoreThanIsInItsWay()
    {
        await AddSeriesAsync(0, 9);
        Assert.True(_disk.Tier.HasRoomForPrefetched(200_000));
        Assert.False(_disk.Tier.HasRoomForPrefetched(SeriesBytes));
        await AddAheadAsync(10, 1);
        Assert.Equal(0, _disk.Writer.Evictions);
        Assert.Equal(15, await CountAsync(10, isUse: false));

        _time.Advance(TimeSpan.FromMinutes(31));
        Assert.NotNull(await _disk.ReadAsync(DiskLab.Key(0, 0)));
        await _disk.SettleAsync();
        Assert.True(_disk.Tier.HasRoomForPrefetched(SeriesBytes));
        await AddAheadAsync(11, 1);
        Assert.Equal(FramesOfSeries, await CountAsync(11, isUse: false));
        Assert.Equal(15, await CountAsync(10, isUse: false));
        Assert.Equal(FramesOfSeries, await CountAsync(0));
        // All others are of one age: one of them is gone, whole.
        var others = new List<int>();
        for (var series = 1; series < 9; series++) others.Add(await CountAsync(series));
        Assert.Equal([0, .. Enumerable.Repeat(FramesOfSeries, 7)], others.Order());
        Assert.Equal(FramesOfSeries, _disk.Writer.Evictions);
    }

    [Fact]
    public async Task ThereIsRoomAhead_OnlyWithinItsQuarter()
    {
        Assert.True(_disk.Tier.HasRoomForPrefetched(_disk.MaxBytes / 4));
        Assert.False(_disk.Tier.HasRoomForPrefetched(_disk.MaxBytes / 4 + 1));
        await AddAheadAsync(10, 2);
        await AheadBytesAreAsync(2 * SeriesBytes);
        Assert.True(_disk.Tier.HasRoomForPrefetched(100_000));
        Assert.False(_disk.Tier.HasRoomForPrefetched(SeriesBytes));
        Assert.NotNull(await _disk.ReadAsync(DiskLab.Key(10, 0)));
        await AheadBytesAreAsync(SeriesBytes);
        Assert.True(_disk.Tier.HasRoomForPrefetched(SeriesBytes));
        _disk.Folder.Fail(new IOException("gone bad"), wasWriting: true);
        Assert.False(_disk.Tier.HasRoomForPrefetched(1));
    }

    [Fact]
    public async Task WhatIsFoundBeforeItIsWrittenIsAskedFor()
    {
        using (_disk.Writer.Queue.Fetching())
        {
            _disk.AddAhead(DiskLab.Key(10, 1), FrameBytes);
            _disk.AddAhead(DiskLab.Key(11, 1), FrameBytes);
            Assert.NotNull(await _disk.ReadAsync(DiskLab.Key(10, 1)));
        }
        await _disk.SettleAsync();
        await AheadBytesAreAsync(20_480);
        Assert.Equal(2, _disk.Writer.Entries);
    }

    public static TheoryData<string> Ends => ["in order", "killed", "index lost"];

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task ARestartForgetsNothingOfIt(string end)
    {
        await AddAheadAsync(10, 1);
        await AddSeriesAsync(0, 2);
        await AheadBytesAreAsync(SeriesBytes);
        await _disk.EndAsync(inOrder: end == "in order");
        if (end == "index lost") File.Delete(_disk.GetPath("entries.db"));
        await using var again = new DiskLab(path: _disk.Path, maxBytes: _disk.MaxBytes, time: _time);
        await again.SettleAsync();
        await Until.TrueAsync(() => again.Writer.PrefetchedBytes == SeriesBytes && again.Writer.Bytes == 3 * SeriesBytes);
    }

    [Fact]
    public async Task ALaterProcessKnowsWhichCameFirst()
    {
        _time.Advance(TimeSpan.FromHours(1));
        await AddAheadAsync(10, 1);
        await _disk.EndAsync();
        await using var again = new DiskLab(path: _disk.Path, maxBytes: _disk.MaxBytes, time: _time);
        _time.Advance(TimeSpan.FromSeconds(1));
        for (var i = 0; i < FramesOfSeries; i++) again.AddAhead(DiskLab.Key(11, i), FrameBytes);
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
    public async Task ThatItWasPrefetchedIsKnownAfterARestart_AndOfAPartToo(int length)
    {
        _disk.AddAhead(DiskLab.Key(10, 1), length);
        _disk.Add(DiskLab.Key(10, 2), 10);
        for (var round = 0; round < 2; round++)
        {
            Assert.True(await IsPrefetchedAsync(DiskLab.Key(10, 1)));
            Assert.False(await IsPrefetchedAsync(DiskLab.Key(10, 2)));
            await _disk.BeginAgainAsync();
        }
    }

    [Fact]
    public async Task AnEntryOfTheFirstVersionIsGiven_AndWasNotPrefetched()
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
    public async Task ALookFindsWhatIsThere_AndUsesNothing()
    {
        var (key, other) = (DiskLab.Key(10, 1), DiskLab.Key(10, 2));
        var asJpeg = new BodyFormat("image/jp2", "1.2.840.10008.1.2.4.90");
        Assert.False(await HasAsync(new AcceptableEntry(key)));
        using (_disk.Writer.Queue.Fetching())
        {
            _disk.AddAhead(key, FrameBytes);
            Assert.True(await HasAsync(new AcceptableEntry(key)));
        }
        await _disk.SettleAsync();
        Assert.True(await HasAsync(new AcceptableEntry(key)));
        Assert.True(await HasAsync(new AcceptableEntry(other), new(key, new("application/octet-stream", "1.2.840.10008.1.2.1"))));
        Assert.False(await HasAsync(new AcceptableEntry(other), new(key, asJpeg)));
        Assert.False(await HasAsync(new AcceptableEntry(key with { Backend = "north" })));
        await AheadBytesAreAsync(20_480);
        Assert.Equal((0, 0), (_disk.Tier.Tallies.Hits, _disk.Tier.Tallies.Misses));

        File.WriteAllBytes(_disk.Files.Single(), File.ReadAllBytes(_disk.Files.Single())[..^1]);
        Assert.False(await HasAsync(new AcceptableEntry(key)));
        File.WriteAllBytes(_disk.Files.Single(), []);
        Assert.False(await HasAsync(new AcceptableEntry(key)));
        Assert.True(_disk.Folder.State.CanWrite);
        await _disk.Tier.RemoveAsync(new());
        Assert.False(await HasAsync(new AcceptableEntry(key)));
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

    private Task AddAheadAsync(int first, int count) => AddAsync(first, count, _disk.AddAhead);

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

    /// <summary>How many frames of a series are there.</summary>
    private async Task<int> CountAsync(int series, bool isUse = true)
    {
        var count = 0;
        for (var i = 0; i < FramesOfSeries; i++)
            count += (isUse ? await _disk.ReadAsync(DiskLab.Key(series, i)) is not null : await HasAsync(
                new AcceptableEntry(DiskLab.Key(series, i)))) ? 1 : 0;
        return count;
    }

    /// <summary>What was used is written down about once a second, or with the next work.</summary>
    private Task AheadBytesAreAsync(long bytes) => Until.TrueAsync(async () =>
    {
        await _disk.SettleAsync();
        return _disk.Writer.PrefetchedBytes == bytes;
    });
}
