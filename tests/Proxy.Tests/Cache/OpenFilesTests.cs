using Microsoft.Extensions.Time.Testing;
using Proxy.Cache;
using Proxy.Cache.OnDisk;
using Proxy.Dicom;
using Proxy.Tests.Disk;
using Xunit;

namespace Proxy.Tests.Cache;

/// <summary>Verified files stay open after a hit, and none outlives its entry.</summary>
public sealed class OpenFilesTests : IAsyncDisposable
{
    private const int FrameBytes = 100_000;

    private readonly DiskLab _disk = new();
    private readonly EntryKey _key = DiskLab.Key(1, 1);

    public OpenFilesTests() => Assert.SkipUnless(OperatingSystem.IsLinux(), "Other systems do not tell about deleted files.");

    public ValueTask DisposeAsync() => _disk.DisposeAsync();

    public static TheoryData<string> Removals => ["all", "backend", "study", "study of a backend", "series", "instance"];

    private OpenFiles Open => _disk.Writer.OpenFiles;

    [Fact]
    public async Task SendsTheNextHit_FromTheOpenFile()
    {
        await KeepOpenAsync();
        using var body = await FindAsync();
        Assert.True(body!.CanSend);
        Assert.Equal(DiskLab.GetBody(_key, FrameBytes), await DiskLab.ReadAsync(body));
        Assert.Equal(1, Open.Count);
    }

    [Theory]
    [MemberData(nameof(Removals))]
    public async Task FindsNothing_AfterAPurge(string which)
    {
        await KeepOpenAsync();
        var series = new SeriesPath(Uid.Parse("1.2.1"), Uid.Parse("1.2.1.1"));
        Removal removal = which switch
        {
            "all" => new(),
            "backend" => new("east"),
            "study" => new(null, series.Study),
            "study of a backend" => new("east", series.Study),
            "series" => new("east", series),
            _ => new("east", new InstancePath(series.Study, series.Series, Uid.Parse("1.2.1.1.1"))),
        };
        Assert.True(await _disk.Tier.RemoveAsync(removal));
        Assert.Equal(0, Open.Count);
        Assert.Null(await _disk.ReadAsync(_key));
    }

    [Fact]
    public async Task SendsABodyToItsEnd_WhenItIsPurgedMeanwhile()
    {
        await KeepOpenAsync();
        var body = await FindAsync();
        var handle = body!.File!.Handle;
        Assert.True(await _disk.Tier.RemoveAsync(new()));
        Assert.Equal(DiskLab.GetBody(_key, FrameBytes), await DiskLab.ReadAsync(body));
        Assert.False(handle.IsClosed);
        body.Dispose();
        Assert.True(handle.IsClosed);
    }

    [Fact]
    public async Task FindsTheNewBody_WhenAnEntryIsReplaced()
    {
        await KeepOpenAsync();
        byte[] changed = [.. DiskLab.GetBody(_key, FrameBytes).Reverse()];
        await _disk.Tier.AddAsync(
            _key, new(new("application/octet-stream", "1.2.840.10008.1.2.1", FrameBytes), [changed], FrameBytes, DiskLab.Stored));
        await _disk.SettleAsync();
        Assert.Equal(0, Open.Count);
        Assert.Equal(changed, await _disk.ReadAsync(_key));
    }

    [Fact]
    public async Task FindsNothing_WhenAnotherProgramDeletesTheFile()
    {
        await KeepOpenAsync();
        File.Delete(_disk.Files.Single());
        Assert.Null(await _disk.ReadAsync(_key));
        Assert.Equal(0, Open.Count);
    }

    [Fact]
    public async Task VerifiesAgain_WhenAnotherProgramWritesToTheFile()
    {
        await KeepOpenAsync();
        var path = _disk.Files.Single();
        var bytes = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        bytes[^1] ^= 1;
        await File.WriteAllBytesAsync(path, bytes, TestContext.Current.CancellationToken);
        File.SetLastWriteTimeUtc(path, new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc));
        Assert.Null(await _disk.ReadAsync(_key));
        Assert.Equal(1, _disk.Tier.Damaged);
        Assert.Equal(0, Open.Count);
    }

    [Fact]
    public async Task FindsNothing_WhenTheFolderHasHadAnotherOwner()
    {
        await KeepOpenAsync();
        Assert.Null(Open.Find(Stored, _disk.Folder.OwnershipEpoch + 1));
        Assert.Equal(0, Open.Count);
    }

    [Fact]
    public async Task KeepsNoFile_ThatWasRemovedWhileALookupOpenedIt()
    {
        await KeepOpenAsync();
        using var body = await FindAsync();
        var before = Open.Changes;
        Open.CloseBelow(_disk.Files.Single());
        Open.Keep(Stored, body!.File!, before);
        Assert.Equal(0, Open.Count);
    }

    [Fact]
    public async Task ClosesIdleFiles()
    {
        await KeepOpenAsync();
        using var body = await FindAsync();
        var time = new FakeTimeProvider();
        using var files = new OpenFiles(time);
        files.Keep(Stored, body!.File!, files.Changes);
        time.Advance(OpenFiles.IdleTime / 2);
        files.Find(Stored, _disk.Folder.OwnershipEpoch)!.Release();
        time.Advance(OpenFiles.IdleTime / 2);
        Assert.Equal(1, files.Count);
        time.Advance(OpenFiles.IdleTime / 2);
        Assert.Equal(0, files.Count);
        Assert.False(body.File!.Handle.IsClosed);
    }

    [Fact]
    public async Task ClosesTheLeastRecentlyUsed_AboveTheMaximum()
    {
        await KeepOpenAsync();
        using var body = await FindAsync();
        var path = _disk.Files.Single();
        var time = new FakeTimeProvider();
        using var files = new OpenFiles(time);
        for (var i = 1; i <= OpenFiles.MaxFiles + 1; i++)
        {
            var file = new OpenFile(File.OpenHandle(path), body!.File!.Found, path);
            files.Keep(DiskLab.Key(1, i), file, files.Changes);
            file.Release();
            time.Advance(TimeSpan.FromTicks(1));
        }
        Assert.InRange(files.Count, 1, OpenFiles.MaxFiles);
        Assert.Null(files.Find(DiskLab.Key(1, 1), ownershipEpoch: 0));
        Assert.NotNull(files.Find(DiskLab.Key(1, OpenFiles.MaxFiles + 1), ownershipEpoch: 0));
    }

    [Fact]
    public async Task KeepsNoEncryptedFile()
    {
        await using var disk = new DiskLab(keys: Keys.Ring(1));
        disk.Add(_key, 2_000_000);
        await disk.SettleAsync();
        for (var i = 0; i < 3; i++) Assert.Equal(DiskLab.GetBody(_key, 2_000_000), await disk.ReadAsync(_key));
        Assert.Equal(0, disk.Writer.OpenFiles.Count);
    }

    /// <summary>The key on disk.</summary>
    private EntryKey Stored => _key with { Backend = "east@here" };

    private async Task KeepOpenAsync()
    {
        _disk.Add(_key, FrameBytes);
        await _disk.SettleAsync();
        // The first hit verifies the body, the second one opens the file to send from it.
        Assert.NotNull(await _disk.ReadAsync(_key));
        Assert.NotNull(await _disk.ReadAsync(_key));
        Assert.Equal(1, Open.Count);
    }

    private async Task<FileBody?> FindAsync() =>
        (await _disk.Tier.FindAsync([new(_key)], TestContext.Current.CancellationToken))?.Body as FileBody;
}
