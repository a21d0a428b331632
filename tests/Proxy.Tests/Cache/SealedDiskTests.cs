using System.Text;
using Proxy.Cache;
using Proxy.Cache.OnDisk;
using Proxy.Tests.Disk;
using Xunit;

namespace Proxy.Tests.Cache;

/// <summary>The disk tier in an encrypted folder.</summary>
public sealed class SealedDiskTests : IAsyncDisposable
{
    private readonly DiskLab _disk = new(keys: Keys.Ring(1));

    public static TheoryData<int> Lengths => [0, 1, 5000, FileSeal.ChunkBytes, 1024 * 1024, 3_000_000];

    public ValueTask DisposeAsync() => _disk.DisposeAsync();

    [Theory]
    [MemberData(nameof(Lengths))]
    public async Task FindsABody_AlsoAfterARestart(int length)
    {
        var key = DiskLab.Key(1, 1);
        _disk.Add(key, length);
        Assert.Equal(DiskLab.GetBody(key, length), await _disk.ReadAsync(key));
        await _disk.RestartAsync();
        await _disk.SettleAsync();

        Assert.Equal(DiskLab.GetBody(key, length), await _disk.ReadAsync(key));
        Assert.Equal((0, 1), (_disk.Tier.Damaged, _disk.Writer.Entries));
    }

    [Fact]
    public async Task ReadsFromAnOffset_AndCutsRanges()
    {
        var key = DiskLab.Key(1, 1);
        _disk.Add(key, 3_000_000);
        await _disk.SettleAsync();
        var whole = DiskLab.GetBody(key, 3_000_000);
        using (var body = (await FindAsync(key))!)
        {
            await body.MoveToAsync(1_234_567, CancellationToken.None);
            Assert.Equal(whole[1_234_567..], await DiskLab.ReadAsync(body));
        }
        using var cut = (await FindAsync(key))!.Cut(new("text/plain", null, 30), [(70_000, 20), (65_515, 10)]);
        byte[] expected = [.. whole[70_000..70_020], .. whole[65_515..65_525]];
        Assert.Equal(expected, await DiskLab.ReadAsync(cut));
    }

    [Fact]
    public async Task StoresABodyThatArrivesInAFile_AndReadsItMeanwhile()
    {
        var (key, body) = (DiskLab.Key(1, 1), new byte[1_000_003]);
        new Random(1).NextBytes(body);
        using var spool = (Spool)(await _disk.Tier.BeginAsync(key, new("application/octet-stream", null, null)))!;
        for (var at = 0; at < body.Length; at += 70_001)
        {
            Assert.True(await spool.AppendAsync(body.AsMemory(at, Math.Min(70_001, body.Length - at))));
            var buffer = new byte[16];
            Assert.Equal(16, await spool.ReadAsync(at + 100, buffer, CancellationToken.None));
            Assert.Equal(body[(at + 100)..(at + 116)], buffer);
        }
        spool.End(DiskLab.Stored);
        Assert.True(await _disk.Tier.AddAsync(spool, () => false));

        Assert.Equal(body, await _disk.ReadAsync(key));
        Assert.Empty(FindPlain(body));
    }

    [Theory]
    [InlineData(20_000)]
    [InlineData(3_000_000)]
    public async Task MissesAndDeletesADamagedFile(int length)
    {
        var random = new Random(length);
        for (var i = 0; i < 20; i++) _disk.Add(DiskLab.Key(1, i), length);
        await _disk.SettleAsync();
        foreach (var path in _disk.Files.ToList())
        {
            await using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
            file.Position = random.NextInt64(file.Length);
            var value = file.ReadByte();
            file.Position--;
            file.WriteByte((byte)(value ^ 1 << random.Next(8)));
        }

        for (var i = 0; i < 20; i++) Assert.Null(await _disk.ReadAsync(DiskLab.Key(1, i)));
        // A flip in the id of the key looks like a missing key: a miss, not a damage.
        Assert.InRange(_disk.Tier.Damaged, 18, 20);
    }

    [Fact]
    public async Task ReadsEntriesOfOlderKeys_AndWritesWithTheNewOne()
    {
        _disk.Add(DiskLab.Key(1, 1), 5000);
        await _disk.EndAsync();
        var old = await ReadFolderKeyAsync();
        await using (var rotated = new DiskLab(path: _disk.Path, keys: Keys.Ring(2, 1)))
        {
            Assert.NotNull(await rotated.ReadAsync(DiskLab.Key(1, 1)));
            rotated.Add(DiskLab.Key(1, 2), 5000);
        }
        Assert.NotEqual(old, await ReadFolderKeyAsync());

        await using var without = new DiskLab(path: _disk.Path, keys: Keys.Ring(2));
        await without.SettleAsync();
        // The entry of the removed key is a miss and no damage; the index, whose own key is encrypted by the new key, is still valid.
        Assert.Null(await without.ReadAsync(DiskLab.Key(1, 1)));
        Assert.NotNull(await without.ReadAsync(DiskLab.Key(1, 2)));
        Assert.Equal(0, without.Tier.Damaged);
        Assert.Equal(2, without.Writer.Entries);
        without.Add(DiskLab.Key(1, 1), 5000);
        await without.SettleAsync();
        Assert.NotNull(await without.ReadAsync(DiskLab.Key(1, 1)));
    }

    [Fact]
    public async Task StartsEmpty_WhenNoKeyOfTheFolderIsLeft()
    {
        _disk.Add(DiskLab.Key(1, 1), 5000);
        await _disk.EndAsync();

        await using var other = new DiskLab(path: _disk.Path, keys: Keys.Ring(2));
        await other.SettleAsync();
        Assert.Null(await other.ReadAsync(DiskLab.Key(1, 1)));
        Assert.Equal(0, other.Writer.Entries);
        other.Add(DiskLab.Key(1, 1), 5000);
        await other.RestartAsync();
        Assert.NotNull(await other.ReadAsync(DiskLab.Key(1, 1)));
    }

    [Fact]
    public async Task DeletesUnencryptedEntries_WhenEncryptionIsSwitchedOn()
    {
        await using var plain = new DiskLab();
        var key = DiskLab.Key(1, 1);
        plain.Add(key, 5000);
        await plain.EndAsync();
        Assert.NotEmpty(Keys.FindFiles(plain.Path, DiskLab.GetBody(key, 5000)[..16], Encoding.ASCII.GetBytes("1.2.1.1")));

        await using (var encrypted = new DiskLab(path: plain.Path, keys: Keys.Ring(1)))
        {
            Assert.Empty(encrypted.Files);
            Assert.Null(await encrypted.ReadAsync(key));
            encrypted.Add(key, 5000);
        }
        Assert.Empty(Keys.FindFiles(plain.Path, DiskLab.GetBody(key, 5000)[..16], Encoding.ASCII.GetBytes("1.2.1")));
    }

    [Fact]
    public async Task IsNotUsed_WhenItIsEncryptedAndHasNoKey()
    {
        _disk.Add(DiskLab.Key(1, 1), 5000);
        await _disk.EndAsync();

        await using (var plain = new DiskLab(path: _disk.Path))
        {
            Assert.Equal("unusable", plain.Folder.State.Name);
            Assert.Contains("Cache:Encryption", plain.Folder.State.Reason, StringComparison.Ordinal);
            Assert.Null(await plain.ReadAsync(DiskLab.Key(1, 1)));
        }
        await using var again = new DiskLab(path: _disk.Path, keys: Keys.Ring(1));
        Assert.NotNull(await again.ReadAsync(DiskLab.Key(1, 1)));
    }

    [Fact]
    public async Task RemovesAStudy_AndVerifiesTheRest()
    {
        _disk.Add(DiskLab.Key(1, 1), 5000);
        _disk.Add(DiskLab.Key(1, 1, study: 2), 3_000_000);
        await _disk.SettleAsync();
        await _disk.Tier.RemoveAsync(new(Study: Proxy.Dicom.Uid.Parse("1.2.1")));

        Assert.Equal((1, 0), (_disk.Writer.Entries, _disk.Tier.Damaged));
        Assert.Single(_disk.Writer.GetSharesOfStudy("1.2.2"));
        Assert.Equal(0, EntryVerification.Run(_disk.Path, Keys.Ring(1), CancellationToken.None).Damaged);
        Assert.Equal(1, EntryVerification.Run(_disk.Path, Keys.Ring(2), CancellationToken.None).Damaged);
    }

    private async Task<ICachedBody?> FindAsync(EntryKey key) => (await _disk.Tier.FindAsync([new(key)], CancellationToken.None))?.Body;

    private IEnumerable<string> FindPlain(byte[] body) => Keys.FindFiles(_disk.Path, body[1000..1016], body[^16..], "1.2.1"u8.ToArray());

    private Task<byte[]> ReadFolderKeyAsync() => File.ReadAllBytesAsync(_disk.GetPath("folder.key"));
}
