using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Proxy.Cache;
using Proxy.Cache.OnDisk;
using Proxy.Dicom;
using Proxy.Disk;
using Proxy.Operations;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Cache;

public sealed class DiskTierTests : IAsyncDisposable
{
    private const int FrameBytes = 20_000;
    private const int LargeBytes = 3_000_000;

    private readonly DiskLab _disk = new();

    public ValueTask DisposeAsync() => _disk.DisposeAsync();

    public static TheoryData<int> Lengths => [0, 1, 5000, 64 * 1024, 1024 * 1024, LargeBytes];

    [Theory]
    [MemberData(nameof(Lengths))]
    public async Task FindsABody_AlsoAfterARestart(int length)
    {
        var key = DiskLab.Key(1, 1);
        _disk.Add(key, length);
        Assert.Equal(DiskLab.GetBody(key, length), await _disk.ReadAsync(key));
        await _disk.RestartAsync();

        var (_, body) = (await _disk.Tier.FindAsync([new(key)], CancellationToken.None))!.Value;
        using (body)
        {
            Assert.Equal(DiskLab.GetEntry(key, length).Head, body.Head);
            Assert.Equal(DiskLab.Stored, body.Stored);
            Assert.Equal(length, body.Length);
            Assert.Equal(DiskLab.GetBody(key, length), await DiskLab.ReadAsync(body));
        }
    }

    /// <summary>The entry is damaged and can be neither deleted nor verified: a miss, never an error.</summary>
    [Fact]
    public async Task Misses_WhenTheDiskFails()
    {
        await using var disk = new DiskLab();
        var key = DiskLab.Key(1, 1);
        disk.Add(key, 2_000_000);
        await disk.SettleAsync();
        var file = disk.Files.Single();
        File.Delete(file);
        Directory.CreateDirectory(Path.Join(file, "in the way"));
        Assert.Null(await disk.ReadAsync(key));
        Assert.False(await disk.Tier.HasAsync([new(key)], CancellationToken.None));
    }

    [Fact]
    public async Task RemovesOnlyOneBackendsEntriesOfAStudy()
    {
        await using var disk = new DiskLab();
        EntryKey[] all = [DiskLab.Key(1, 1), DiskLab.Key(2, 1), DiskLab.Key(1, 1, "west"), DiskLab.Key(1, 1, study: 2)];
        foreach (var key in all) disk.Add(key, 1000);
        await disk.SettleAsync();
        Assert.True(await disk.Tier.RemoveAsync(new("east", Uid.Parse("1.2.1"))));
        Assert.Equal(2, disk.Files.Count());
        Assert.Null(await disk.ReadAsync(all[0]));
        Assert.Null(await disk.ReadAsync(all[1]));
        Assert.NotNull(await disk.ReadAsync(all[2]));
        Assert.NotNull(await disk.ReadAsync(all[3]));
        Assert.Equal(2, disk.Writer.Entries);
    }

    [Fact]
    public async Task DistinguishesEntries_ByEveryPartOfTheKey()
    {
        var key = DiskLab.Key(1, 1);
        _disk.Add(key, FrameBytes);
        await _disk.SettleAsync();
        Assert.Null(await _disk.ReadAsync(key with { Backend = "west" }));
        Assert.Null(await _disk.ReadAsync(key with { Path = key.Path + "0" }));
        var explicitly = BodyFormat.AsStored with { TransferSyntax = "1.2.840.10008.1.2.1" };
        Assert.Null(await _disk.ReadAsync(key with { Representation = explicitly }));
        Assert.Null(await _disk.ReadAsync(key with { Representation = null }));
        Assert.NotNull(await _disk.ReadAsync(key));
    }

    [Fact]
    public async Task StoresUnderHashedNames_ReadableByTheOwnerOnly()
    {
        _disk.Add(new("east", "studies/1.2/bulkdata/../../../../etc/passwd?\0", null), 10);
        _disk.Add(DiskLab.Key(1, 1), FrameBytes);
        await _disk.SettleAsync();
        Assert.Equal(2, _disk.Files.Count());
        Assert.All(
            _disk.Files,
            file => Assert.Matches("^/entries/[0-9a-f]{2}/[0-9a-f]{24}/[0-9a-f]{24}/[0-9a-f]{40}$", file[_disk.Path.Length..]));
        const UnixFileMode own = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        foreach (var file in new DirectoryInfo(_disk.Path).EnumerateFileSystemInfos(
            "*", SearchOption.AllDirectories).Where(_ => !OperatingSystem.IsWindows()))
            Assert.Equal(file is DirectoryInfo ? own | UnixFileMode.UserExecute : own, file.UnixFileMode);
    }

    [Fact]
    public async Task DeletesAndCountsDamagedFiles()
    {
        // The writer recounts the series after each deletion, and deletes it whole once no head in it is readable.
        var intact = DiskLab.Key(1, 16);
        _disk.Add(intact, FrameBytes);
        await _disk.SettleAsync();
        var kept = _disk.Files.Single();
        foreach (var length in (int[])[FrameBytes, LargeBytes])
        {
            for (var i = 0; i < 16; i++) _disk.Add(DiskLab.Key(1, i), length);
            await _disk.SettleAsync();
            var random = new Random(length);
            foreach (var file in _disk.Files.Where(f => f != kept).Order(StringComparer.Ordinal).ToList()) Damage(file, random);
            var before = _disk.Tier.Damaged;

            for (var i = 0; i < 16; i++) Assert.Null(await _disk.ReadAsync(DiskLab.Key(1, i)));

            Assert.Equal(16, _disk.Tier.Damaged - before);
            Assert.Equal([kept], _disk.Files);
            await _disk.SettleAsync();
            Assert.Equal(1, _disk.Writer.Entries);
            Assert.Equal(DiskLab.GetBody(intact, FrameBytes), await _disk.ReadAsync(intact));
        }
    }

    [Fact]
    public async Task CutsOffAVeryLargeBody_WhenItIsDamaged()
    {
        var key = DiskLab.Key(1, 1);
        _disk.Add(key, 65 << 20);
        await _disk.SettleAsync();
        Assert.Equal(65 << 20, (await _disk.ReadAsync(key))!.Length);
        await using (var file = File.OpenWrite(_disk.Files.Single()))
        {
            file.Position = file.Length / 2;
            file.WriteByte(77);
        }
        await Assert.ThrowsAsync<TruncatedBodyException>(() => _disk.ReadAsync(key));
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(3 << 20)]
    [InlineData(65 << 20)]
    public async Task ReadsFromAnOffset(int length)
    {
        var (key, stopped) = (DiskLab.Key(1, 1), TestContext.Current.CancellationToken);
        _disk.Add(key, length);
        await _disk.SettleAsync();
        var whole = DiskLab.GetBody(key, length);

        using var body = (await _disk.Tier.FindAsync([new(key)], stopped))!.Value.Body;
        foreach (var offset in (int[])[0, 1, length / 3, length - 10])
        {
            await body.MoveToAsync(offset, stopped);
            Assert.Equal(whole[offset..(offset + 5)], (await body.ReadAsync(stopped))[..5].ToArray());
        }
        Assert.Equal(length, body.Length);
    }

    [Fact]
    public async Task SendsNoPartOfAVeryLargeBody_WhenItIsDamaged()
    {
        var (key, stopped) = (DiskLab.Key(1, 1), TestContext.Current.CancellationToken);
        _disk.Add(key, 65 << 20);
        await _disk.SettleAsync();
        await using (var file = File.OpenWrite(_disk.Files.Single()))
        {
            file.Position = file.Length / 2;
            file.WriteByte(77);
        }

        using (var body = (await _disk.Tier.FindAsync([new(key)], stopped))!.Value.Body)
            await Assert.ThrowsAsync<TruncatedBodyException>(async () => await body.MoveToAsync(60 << 20, stopped));

        Assert.Null(await _disk.Tier.FindAsync([new(key)], stopped));
    }

    [Fact]
    public async Task Misses_WhenTheFileBelongsToAnotherKey()
    {
        var (first, second) = (DiskLab.Key(1, 1), DiskLab.Key(1, 2));
        _disk.Add(first, FrameBytes);
        await _disk.SettleAsync();
        var file = _disk.Files.Single();
        _disk.Add(second, FrameBytes);
        await _disk.SettleAsync();
        File.Copy(file, _disk.Files.Single(f => f != file), overwrite: true);
        Assert.Null(await _disk.ReadAsync(second));
        Assert.NotNull(await _disk.ReadAsync(first));
    }

    [Fact]
    public async Task FindsTheFirstEntry_WithTheRequiredFormat()
    {
        var stored = DiskLab.Key(1, 1);
        var other = stored with { Representation = new BodyFormat("image/jp2", "1.2.840.10008.1.2.4.90") };
        _disk.Add(stored, FrameBytes);
        await _disk.SettleAsync();
        var asStored = new BodyFormat("application/octet-stream", "1.2.840.10008.1.2.1");
        Assert.Null(await _disk.Tier.FindAsync([new(other), new(stored, other.Representation.Format)], CancellationToken.None));
        Assert.Equal(stored, (await _disk.Tier.FindAsync([new(other), new(stored, asStored)], CancellationToken.None))!.Value.Key);
    }

    [Fact]
    public async Task StaysWithinTheBudget_AndEvictsWholeSeries()
    {
        await using var disk = new DiskLab(maxBytes: 4_000_000);
        for (var series = 0; series < 15; series++)
        {
            for (var i = 0; i < 20; i++) disk.Add(DiskLab.Key(series, i), FrameBytes);
            await disk.SettleAsync();
            Assert.InRange(disk.Writer.Bytes, 0, 4_000_000);
            Assert.InRange(disk.Files.Sum(f => new FileInfo(f).Length), 0, 4_000_000);
        }
        var left = new List<int>();
        for (var series = 0; series < 15; series++)
        {
            var found = 0;
            for (var i = 0; i < 20; i++) found += await disk.ReadAsync(DiskLab.Key(series, i)) is null ? 0 : 1;
            Assert.True(found is 0 or 20, $"series {series}: {found} of 20");
            if (found > 0) left.Add(series);
        }
        Assert.Equal(Enumerable.Range(15 - left.Count, left.Count), left);
        Assert.InRange(left.Count, 6, 9);
        Assert.Equal(15 * 20 - left.Count * 20, disk.Writer.Evictions);
        Assert.Equal(disk.Files.Count(), disk.Writer.Entries);
    }

    [Fact]
    public async Task EvictsTheLeastRecentlyUsedSeries()
    {
        var time = new FakeTimeProvider();
        await using var disk = new DiskLab(maxBytes: 4_000_000, time: time);
        for (var series = 0; series < 12; series++)
        {
            for (var i = 0; i < 20; i++) disk.Add(DiskLab.Key(series, i), FrameBytes);
            await disk.SettleAsync();
            time.Advance(TimeSpan.FromSeconds(10));
            Assert.NotNull(await disk.ReadAsync(DiskLab.Key(0, 0)));
        }
        Assert.NotNull(await disk.ReadAsync(DiskLab.Key(0, 19)));
        Assert.Null(await disk.ReadAsync(DiskLab.Key(1, 19)));
    }

    [Fact]
    public async Task KeepsASeriesUsedDaily_LongerThanOneUsedOnce()
    {
        var time = new FakeTimeProvider();
        await using var disk = new DiskLab(maxBytes: 4_000_000, time: time);
        for (var i = 0; i < 20; i++) disk.Add(DiskLab.Key(0, i), FrameBytes);
        for (var morning = 0; morning < 3; morning++)
        {
            await disk.SettleAsync();
            time.Advance(TimeSpan.FromHours(12));
            Assert.NotNull(await disk.ReadAsync(DiskLab.Key(0, 0)));
        }
        for (var series = 1; series < 15; series++)
        {
            time.Advance(TimeSpan.FromHours(1));
            for (var i = 0; i < 20; i++) disk.Add(DiskLab.Key(series, i), FrameBytes);
            await disk.SettleAsync();
        }
        Assert.NotNull(await disk.ReadAsync(DiskLab.Key(0, 19)));
    }

    [Fact]
    public async Task LimitsOneSeries_ToAQuarterOfTheBudget()
    {
        await using var disk = new DiskLab(maxBytes: 4_000_000);
        disk.Add(DiskLab.Key(1, 1), FrameBytes);
        for (var i = 0; i < 200; i++) disk.Add(DiskLab.Key(2, i), FrameBytes);
        await disk.SettleAsync();
        Assert.NotNull(await disk.ReadAsync(DiskLab.Key(1, 1)));
        Assert.InRange(disk.Writer.Bytes, 900_000, 1_400_000);
        Assert.True(disk.Writer.WriteFailures > 100);
    }

    [Fact]
    public async Task FindsEverything_AfterAKill()
    {
        for (var i = 0; i < 50; i++) _disk.Add(DiskLab.Key(i % 5, i), FrameBytes);
        await _disk.SettleAsync();
        var bytes = _disk.Writer.Bytes;
        File.WriteAllBytes(_disk.GetPath("tmp", "half"), new byte[1000]);
        await _disk.RestartAsync(inOrder: false);
        File.WriteAllBytes(_disk.GetPath("tmp", "other"), new byte[1000]);

        for (var i = 0; i < 50; i++) Assert.NotNull(await _disk.ReadAsync(DiskLab.Key(i % 5, i)));
        await Until.TrueAsync(() => !_disk.Writer.IsScanning && _disk.Writer.Entries == 50);
        Assert.Equal(bytes, _disk.Writer.Bytes);
        Assert.False(File.Exists(_disk.GetPath("tmp", "half")));
    }

    public static TheoryData<string> Losses => ["deleted", "garbage", "truncated", "other version", "wal garbage"];

    [Theory]
    [MemberData(nameof(Losses))]
    public async Task FindsAndRecountsEverything_WithoutItsIndex(string loss)
    {
        for (var i = 0; i < 50; i++) _disk.Add(DiskLab.Key(i % 5, i), FrameBytes);
        await _disk.SettleAsync();
        await _disk.EndAsync();
        var index = _disk.GetPath("entries.db");
        switch (loss)
        {
            case "deleted": File.Delete(index); break;
            case "garbage": File.WriteAllBytes(index, DiskLab.GetBody(DiskLab.Key(1, 1), 20_000)); break;
            case "truncated": File.WriteAllBytes(index, File.ReadAllBytes(index)[..5000]); break;
            case "wal garbage": File.WriteAllBytes(index + "-wal", DiskLab.GetBody(DiskLab.Key(1, 1), 20_000)); break;
            default:
                var bytes = File.ReadAllBytes(index);
                bytes[63] = 99;
                File.WriteAllBytes(index, bytes);
                break;
        }
        await using var again = new DiskLab(path: _disk.Path);

        for (var i = 0; i < 50; i++) Assert.NotNull(await again.ReadAsync(DiskLab.Key(i % 5, i)));
        await Until.TrueAsync(() => !again.Writer.IsScanning && again.Writer.Entries == 50);
        again.Add(DiskLab.Key(1, 99), FrameBytes);
        await again.SettleAsync();
        Assert.NotNull(await again.ReadAsync(DiskLab.Key(1, 99)));
        Assert.Equal(51, again.Writer.Entries);
    }

    [Fact]
    public async Task RemovesRowsWithoutFiles_AndFilesWithoutABackend()
    {
        for (var i = 0; i < 10; i++) _disk.Add(DiskLab.Key(i, 1), FrameBytes);
        _disk.Add(DiskLab.Key(77, 1, "west"), FrameBytes);
        await _disk.SettleAsync();
        await _disk.EndAsync(inOrder: false);
        foreach (var file in _disk.Files.Take(3).ToList()) Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
        await using var again = new DiskLab(path: _disk.Path);
        await Until.TrueAsync(() => !again.Writer.IsScanning && again.Writer.Entries == 8);
        Assert.Equal(8, again.Files.Count());
        await again.EndAsync();

        await using var without = new DiskLab(path: _disk.Path);
        without.Backends.Remove("west");
        without.Writer.Queue.RemoveUnconfigured();
        await without.SettleAsync();
        Assert.DoesNotContain(without.Writer.Shares, share => share.Backend.StartsWith("west", StringComparison.Ordinal));
        Assert.Equal(without.Files.Count(), without.Writer.Entries);
    }

    [Fact]
    public async Task RemovesEntries_AtOnceAndWithoutATrace()
    {
        for (var study = 1; study <= 3; study++)
        {
            for (var i = 0; i < 6; i++)
            {
                _disk.Add(DiskLab.Key(i % 2, i, study: study), FrameBytes);
                _disk.Add(DiskLab.Key(i % 2, i, "west", study), FrameBytes);
            }
        }
        // Also before they are written.
        var (two, path) = (Uid.Parse("1.2.2"), new SeriesPath(Uid.Parse("1.2.3"), Uid.Parse("1.2.3.0")));
        var removing = _disk.Tier.RemoveAsync(new(Study: two));
        Assert.Null(await _disk.ReadAsync(DiskLab.Key(0, 0, study: 2)));
        Assert.True(await removing);
        Assert.Equal(24, _disk.Files.Count());

        Assert.True(await _disk.Tier.RemoveAsync(new("east", path)));
        Assert.Null(await _disk.ReadAsync(DiskLab.Key(0, 0, study: 3)));
        Assert.NotNull(await _disk.ReadAsync(DiskLab.Key(0, 0, "west", 3)));
        Assert.Equal(21, _disk.Files.Count());

        Assert.True(await _disk.Tier.RemoveAsync(new("west", new InstancePath(path.Study, path.Series, Uid.Parse("1.2.3.0.2")))));
        Assert.Null(await _disk.ReadAsync(DiskLab.Key(0, 2, "west", 3)));
        Assert.NotNull(await _disk.ReadAsync(DiskLab.Key(0, 4, "west", 3)));
        Assert.Equal((20, 20), (_disk.Files.Count(), _disk.Writer.Entries));

        Assert.True(await _disk.Tier.RemoveAsync(new()));
        Assert.Equal((0, 0, 0), (_disk.Files.Count(), _disk.Writer.Entries, _disk.Writer.Bytes));
        _disk.Add(DiskLab.Key(0, 0), FrameBytes);
        await _disk.SettleAsync();
        Assert.NotNull(await _disk.ReadAsync(DiskLab.Key(0, 0)));
    }

    [Fact]
    public async Task LocksTheFolder_UntilTheProcessEnds()
    {
        _disk.Add(DiskLab.Key(1, 1), FrameBytes);
        await _disk.SettleAsync();
        await using var second = new DiskLab(path: _disk.Path);
        Assert.False(second.Folder.State.CanRead);
        Assert.Contains("another process", second.Folder.State.Reason, StringComparison.Ordinal);
        Assert.Null(await second.ReadAsync(DiskLab.Key(1, 1)));

        await _disk.EndAsync();
        await second.Folder.CheckAsync();
        Assert.True(second.Folder.State.CanWrite);
        Assert.NotNull(await second.ReadAsync(DiskLab.Key(1, 1)));
    }

    /// <summary>A client gets its last byte shortly before the body is queued for writing.</summary>
    [Fact]
    public async Task WaitsForRunningFetches_WhenStopped()
    {
        var fetching = _disk.Writer.Queue.TrackFetch();
        var stopping = _disk.EndAsync();
        Assert.False(stopping.IsCompleted);
        _disk.Add(DiskLab.Key(1, 1), FrameBytes);
        fetching.Dispose();
        await stopping;

        await using var again = new DiskLab(path: _disk.Path);
        Assert.NotNull(await again.ReadAsync(DiskLab.Key(1, 1)));
    }

    [Fact]
    public async Task LosesNothing_WhenStoppedTwiceAtOnce()
    {
        for (var round = 0; round < 5; round++)
        {
            await using var disk = new DiskLab();
            var fetching = disk.Writer.Queue.TrackFetch();
            for (var i = 0; i < 100; i++) disk.Add(DiskLab.Key(i % 7, i), 100);
            var stops = Enumerable.Range(0, 2).Select(_ => disk.Writer.StopAsync(CancellationToken.None)).ToList();
            fetching.Dispose();
            await Task.WhenAll(stops);
            await disk.RestartAsync();
            await Until.TrueAsync(() => disk.Writer.Entries == 100 && !disk.Writer.IsScanning);
            Assert.Equal(100, disk.Files.Count());
        }
    }

    [Fact]
    public async Task WaitsForThePreviousProcess_WhenStarted()
    {
        using var folder = new CacheFolder(_disk.Path, NullLogger<CacheFolder>.Instance);
        using var keeper = new CacheFolderMonitor(folder, TimeProvider.System);
        var starting = keeper.StartAsync(TestContext.Current.CancellationToken);
        await Until.TrueAsync(() => folder.IsOwnedByAnother);
        await _disk.EndAsync();
        await starting;
        Assert.True(folder.State.CanWrite);
        await keeper.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task LimitsThePendingRemovals()
    {
        await _disk.EndAsync();
        await using var full = new DiskLab(path: _disk.Path);
        full.Add(DiskLab.Key(9999, 1), FrameBytes);
        await full.SettleAsync();
        full.Folder.Fail(new IOException("gone bad"), wasWriting: true);
        for (var i = 0; i < 1500; i++)
            Assert.False(await full.Tier.RemoveAsync(new("east", new SeriesPath(Uid.Parse("1.2.3"), Uid.Parse($"1.2.3.{i}")))));
        Assert.Null(await full.ReadAsync(DiskLab.Key(9999, 1)));

        await full.Folder.CheckAsync();
        await Until.TrueAsync(() => !full.Files.Any());
        full.Add(DiskLab.Key(1, 1), FrameBytes);
        await Until.TrueAsync(async () => await full.ReadAsync(DiskLab.Key(1, 1)) is not null);
    }

    [Fact]
    public async Task RefusesAFolder_WithForeignFiles()
    {
        var path = Directory.CreateTempSubdirectory("not-a-cache-").FullName;
        await File.WriteAllTextAsync(Path.Join(path, "thesis.txt"), "mine", TestContext.Current.CancellationToken);
        await using (var disk = new DiskLab(path: path))
        {
            Assert.False(disk.Folder.State.CanRead);
            Assert.Contains("not empty", disk.Folder.State.Reason, StringComparison.Ordinal);
        }
        Assert.Equal(["thesis.txt"], Directory.EnumerateFileSystemEntries(path).Select(Path.GetFileName));
        Directory.Delete(path, recursive: true);
    }

    [Fact]
    public async Task RecreatesTheFolder_WhenItVanishes()
    {
        _disk.Add(DiskLab.Key(1, 1), FrameBytes);
        await _disk.SettleAsync();
        await Until.DeletedAsync(_disk.Path);
        Assert.Null(await _disk.ReadAsync(DiskLab.Key(1, 1)));
        _disk.Add(DiskLab.Key(1, 2), FrameBytes);
        await Until.TrueAsync(() => !_disk.Folder.State.CanWrite && _disk.Writer.WriteFailures == 1);

        await _disk.Folder.CheckAsync();
        _disk.Add(DiskLab.Key(1, 3), FrameBytes);
        await _disk.SettleAsync();
        Assert.NotNull(await _disk.ReadAsync(DiskLab.Key(1, 3)));
        Assert.Equal(1, _disk.Writer.Entries);
    }

    /// <summary>A pipe in place of an entry: opening it blocks, as on a disk that does not answer.</summary>
    [Fact]
    public async Task AvoidsAHangingDisk_UntilItAnswersAgain()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There are no pipes in folders.");
        _disk.Add(DiskLab.Key(1, 1), FrameBytes);
        _disk.Add(DiskLab.Key(2, 1), FrameBytes);
        await _disk.SettleAsync();
        var file = _disk.Files.Single(
            f => f.EndsWith(EntryFile.GetPath(DiskLab.Key(1, 1) with { Backend = "east@here" }), StringComparison.Ordinal));
        File.Delete(file);
        using (var mkfifo = System.Diagnostics.Process.Start("mkfifo", [file]))
            await mkfifo.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Null(await _disk.ReadAsync(DiskLab.Key(1, 1)));
        Assert.Equal("the disk does not answer", _disk.Folder.State.Reason);
        Assert.Null(await _disk.ReadAsync(DiskLab.Key(2, 1)));

        await _disk.Folder.CheckAsync();
        Assert.NotNull(await _disk.ReadAsync(DiskLab.Key(2, 1)));
        // Releases the hanging operation.
        await File.WriteAllBytesAsync(file, [], TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task RecreatesTheIndex_WhenItIsLostWhileRunning()
    {
        for (var i = 0; i < 10; i++) _disk.Add(DiskLab.Key(i, 1), FrameBytes);
        await _disk.SettleAsync();
        await using (var index = File.OpenWrite(_disk.GetPath("entries.db"))) index.Write(DiskLab.GetBody(DiskLab.Key(1, 1), 60_000));
        for (var i = 10; i < 20; i++)
        {
            _disk.Add(DiskLab.Key(i, 1), FrameBytes);
            await _disk.SettleAsync();
        }
        for (var i = 0; i < 20; i++) Assert.NotNull(await _disk.ReadAsync(DiskLab.Key(i, 1)));
        await Until.TrueAsync(() => !_disk.Writer.IsScanning && _disk.Writer.Entries == 20);
    }

    /// <summary>Flips one bit or truncates the file.</summary>
    private static void Damage(string file, Random random)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite);
        switch (random.Next(4))
        {
            case 0: stream.SetLength(0); return;
            case 1: stream.SetLength(stream.Length - 1); return;
            case 2: stream.SetLength(stream.Length / 2); return;
        }
        stream.Position = random.Next((int)stream.Length);
        var value = stream.ReadByte();
        stream.Position--;
        stream.WriteByte((byte)(value ^ (1 << random.Next(8))));
    }
}
