using System.Text;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Time.Testing;
using Proxy.Dicom;
using Proxy.Metadata;
using Xunit;
using static Proxy.Tests.Metadata.DicomMetadataStoreTests;

namespace Proxy.Tests.Metadata;

/// <summary>The store on disk: data that survives a restart, and data that does not.</summary>
public sealed class PersistentStoreTests : IDisposable
{
    private static readonly Uid Study = Uid.Parse("1.2");
    private static readonly SeriesPath Path = new(Study, Uid.Parse("1.2.1"));

    private readonly StoreFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void RestoresAStudyAndItsAge_AfterARestart()
    {
        var time = new FakeTimeProvider(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        var store = _folder.Start(time: time);
        store.SetSeriesMetadata("east", Study, [Series("1.2.1", 2, "DOE")]);
        store.AddInstances("east", Path, Pack("1.2.1.1", "1.2.1.2"), new Validators("\"a\"", null), store.GetSeries(Path)!.Summary);
        store.AddStudy("west", Instance("1.2", "1.2.1", "1.2.1.1"));
        store.AddInstanceRows("west", [Instance("1.2", "1.2.1", "1.2.1.1")]);
        store.SetOwner("west", Path);
        var before = RandomStudies.Describe(store.GetStudy(Study)!);
        Assert.True(store.Flush());

        time.Advance(TimeSpan.FromHours(1));
        store = _folder.Start(time: time);

        Assert.Equal(before, RandomStudies.Describe(store.GetStudy(Study)!));
        Assert.Equal("west", store.GetStudy(Study)!.Owners[Path.Series]);
        Assert.False(store.GetStudy(Study)!.GetList("east").IsFresh(TimeSpan.FromHours(1), time.GetUtcNow()));
        Assert.Equal(0, _folder.Counters.StoreDamage);
    }

    [Fact]
    public void LosesChanges_ThatWereNotFlushed()
    {
        var store = _folder.Start();
        Add(store, 1);
        store = _folder.Start();
        Assert.Null(store.GetStudy(StudyUid(1)));
        Assert.Equal(0, store.Count);
    }

    [Fact]
    public void WritesNoInstances_WhenMetadataIsConfirmed()
    {
        var store = _folder.Start();
        store.AddInstances("east", Path, Pack("1.2.1.1"));
        store.Flush();
        Execute("UPDATE packed SET bytes = zeroblob(7)");

        store.Confirm("east", Path, DateTimeOffset.UnixEpoch);
        store.Flush();

        Assert.Equal(1L, Execute("SELECT count(*) FROM packed WHERE bytes = zeroblob(7)"));
    }

    [Fact]
    public void ReadsAnEvictedStudyFromDisk()
    {
        var store = _folder.Start(maxBytes: 20_000);
        for (var i = 1; i <= 400; i++)
        {
            Add(store, i);
            if (i % 50 == 0) store.Flush();
        }
        Assert.InRange(store.Bytes, 0, 20_000);
        Assert.Equal(400, store.Count);
        for (var i = 1; i <= 400; i++)
            Assert.Equal($"1.2.1.{i}", store.GetSeries(new(StudyUid(i), Path.Series))!.Metadata!.Uids.Single().ToString());
        Assert.InRange(store.Bytes, 1, 20_000);
        Assert.Equal(Enumerable.Range(1, 400).Select(StudyUid).Order(), store.ReadUids());
        Assert.Equal(400, store.ReadStudies().Count);
    }

    [Fact]
    public void UpdatesAnEvictedStudy_FromItsCopyOnDisk()
    {
        var store = _folder.Start();
        store.AddInstances("east", Path, Pack("1.2.1.1"));
        store.Flush();
        store = _folder.Start();

        store.AddInstances("west", [Instance("1.2", "1.2.2", "1.2.2.1")]);
        store.Confirm("east", Path, DateTimeOffset.UnixEpoch);
        store.Flush();
        store = _folder.Start();

        Assert.Equal(DateTimeOffset.UnixEpoch, store.GetSeries(Path)!.MetadataConfirmedAt);
        Assert.Equal(["east", "west"], store.GetStudy(Study)!.SeriesLists.Keys);
    }

    [Fact]
    public void EvictsNothing_WhenListingAllStudies()
    {
        var store = _folder.Start(maxBytes: 20_000);
        for (var i = 1; i <= 100; i++) Add(store, i);
        store.Flush();
        var bytes = store.Bytes;
        Assert.Equal(100, store.ReadStudies().Count);
        Assert.Equal(bytes, store.Bytes);
    }

    [Fact]
    public void PersistsRemovedSeriesAndRows()
    {
        var store = _folder.Start();
        store.AddInstances("east", [Instance("1.2", "1.2.1", "1.2.1.1"), Instance("1.2", "1.2.2", "1.2.2.1")]);
        store.AddStudy("east", Instance("1.2", "1.2.1", "1.2.1.1"));
        store.Flush();
        store.RemoveSeries("east", Path);
        store.RemoveStudyRow("east", Study);
        store.Flush();
        store = _folder.Start();

        Assert.Equal(["1.2.2"], store.GetStudy(Study)!.GetList("east").Series.Keys.Select(u => u.ToString()));
        Assert.Null(store.GetStudy(Study)!.GetList("east").StudyRow);
        Assert.Equal(1L, Execute("SELECT count(*) FROM packed"));
    }

    [Fact]
    public void RemovesAStudy_FromMemoryAndDisk()
    {
        var store = _folder.Start();
        for (var i = 1; i <= 3; i++) Add(store, i);
        store.Flush();
        Assert.True(store.RemoveStudy(StudyUid(1)));
        Assert.Equal([StudyUid(2), StudyUid(3)], store.ReadUids());
        Assert.Equal(2L, Execute("SELECT count(*) FROM study") * Execute("SELECT count(*) FROM packed") / 2);
        store.Flush();
        Assert.True(store.RemoveAll());
        Assert.Equal(0, store.Count);
        Assert.Equal(0, store.Bytes);
        store.Flush();
        Assert.Equal(0L, Execute("SELECT count(*) FROM study") + Execute("SELECT count(*) FROM packed"));
    }

    [Fact]
    public void RemovesABackend_AndTheStudiesOnlyItHeld()
    {
        var store = _folder.Start(maxBytes: 20_000);
        for (var i = 1; i <= 120; i++) Add(store, i);
        Add(store, 7, "west");
        store.Flush();

        store.RemoveBackend("EAST".ToLowerInvariant());

        Assert.Null(store.GetStudy(StudyUid(1)));
        Assert.Equal(["west"], store.GetStudy(StudyUid(7))!.SeriesLists.Keys);
        for (var i = 0; i < 5; i++) store.Flush();
        Assert.Equal(1, store.Count);
        Assert.Equal(1L, Execute("SELECT count(*) FROM packed"));
        Assert.Equal(0L, Execute("SELECT count(*) FROM backend WHERE identity IS NULL"));

        // It may be configured again, and starts without data.
        Add(store, 7);
        store.Flush();
        store = _folder.Start();
        Assert.Equal(["east", "west"], store.GetStudy(StudyUid(7))!.SeriesLists.Keys);
        Assert.Equal(0, _folder.Counters.StoreDamage);
    }

    [Fact]
    public void HidesDataOfAPacs_WhenItsNameIsReused()
    {
        var store = _folder.Start();
        Add(store, 1);
        Add(store, 2, "west");
        store.SetOwner("east", new(StudyUid(2), Path.Series));
        store.Flush();
        _folder.Identities["east"] = "east@2";
        store = _folder.Start();

        Assert.Null(store.GetStudy(StudyUid(1)));
        Assert.Empty(store.GetStudy(StudyUid(2))!.Owners);
        for (var i = 0; i < 5; i++) store.Flush();
        Assert.Equal([StudyUid(2)], store.ReadUids());
        Assert.Equal(0, _folder.Counters.StoreDamage);
    }

    [Fact]
    public void EvictsTheLeastRecentlyUsedStudies_FromDisk()
    {
        const int Budget = 400_000;
        var store = _folder.Start(maxDiskBytes: Budget);
        for (var i = 1; i <= 400; i++) Add(store, i, padding: 3000);
        store.Flush();
        Assert.InRange(_folder.File.UsedBytes, Budget / 2, Budget);
        store = _folder.Start(maxDiskBytes: Budget);
        Assert.Null(store.GetStudy(StudyUid(1)));
        Assert.NotNull(store.GetStudy(StudyUid(400)));
        var oldest = store.ReadUids().Min(uid => int.Parse(uid.ToString()[4..], System.Globalization.CultureInfo.InvariantCulture));

        // A study used by a later process is evicted after one that was only written later.
        Assert.NotNull(store.GetStudy(StudyUid(oldest)));
        store.Flush(withUses: true);
        for (var i = 401; i <= 430; i++) Add(store, i, padding: 3000);
        store.Flush();
        store = _folder.Start(maxDiskBytes: Budget);
        Assert.NotNull(store.GetStudy(StudyUid(oldest)));
        Assert.Null(store.GetStudy(StudyUid(oldest + 1)));

        store.Resize(1 << 30, Budget / 4);
        store.Flush();
        Assert.InRange(_folder.File.UsedBytes, 1, Budget / 4);
    }

    [Theory]
    [InlineData("UPDATE study SET head = substr(head, 1, 20)", false)]
    [InlineData("UPDATE study SET head = x'02' || substr(head, 2)", false)]
    [InlineData("UPDATE study SET head = 'text'", false)]
    [InlineData("UPDATE packed SET bytes = zeroblob(length(bytes)) WHERE backend = 1", true)]
    [InlineData("UPDATE packed SET series = 'x' WHERE backend = 1", true)]
    [InlineData("DELETE FROM packed WHERE backend = 1", true)]
    [InlineData("UPDATE packed SET backend = 9 WHERE backend = 1", true)]
    public void CountsAndRemovesDamagedStudies(string damage, bool otherStays)
    {
        var store = _folder.Start();
        Add(store, 1);
        Add(store, 1, "west");
        store.Flush();
        Execute(damage);
        store = _folder.Start();

        Assert.Equal(otherStays ? ["west"] : [], store.GetStudy(StudyUid(1))?.SeriesLists.Keys ?? []);
        Assert.Equal(1, _folder.Counters.StoreDamage);
        store.Flush();
        store.GetStudy(StudyUid(1));

        // After another answer from the backend it is there again.
        Add(store, 1);
        store.Flush();
        store = _folder.Start();
        Assert.Contains("east", store.GetStudy(StudyUid(1))!.SeriesLists.Keys);
        Assert.Equal(1, _folder.Counters.StoreDamage);
    }

    [Fact]
    public void RecreatesTheDatabase_WhenItIsInvalid()
    {
        var store = _folder.Start();
        Add(store, 1);
        store.Flush();
        _folder.End();
        File.WriteAllBytes(_folder.Database, Encoding.ASCII.GetBytes(new string('x', 10_000)));

        store = _folder.Start();

        Assert.Null(store.GetStudy(StudyUid(1)));
        Add(store, 1);
        Assert.True(store.Flush());
        Assert.NotNull(_folder.Start().GetStudy(StudyUid(1)));
    }

    [Fact]
    public void Continues_WhenTheDatabaseVanishes()
    {
        var store = _folder.Start(maxBytes: 20_000);
        for (var i = 1; i <= 100; i++) Add(store, i);
        foreach (var file in Directory.GetFiles(_folder.Path, "studies.db*")) File.Delete(file);

        for (var i = 101; i <= 200; i++) Add(store, i);
        store.Flush();
        Assert.NotNull(store.GetStudy(StudyUid(200)));
        store = _folder.Start();
        Add(store, 1);
        Assert.True(store.Flush());
        Assert.NotNull(_folder.Start().GetStudy(StudyUid(1)));
    }

    [Fact]
    public async Task WritesAllStudies_WhenTheFolderIsAcquiredAgain()
    {
        var store = _folder.Start();
        Add(store, 1);
        store.Flush();
        Directory.Delete(_folder.Path, recursive: true);
        await _folder.Folder.CheckAsync();

        Assert.True(store.Flush());
        Assert.NotNull(_folder.Start().GetStudy(StudyUid(1)));
    }

    [Fact]
    public void Continues_WithoutAUsableDisk()
    {
        var store = _folder.Start(maxBytes: 20_000);
        Add(store, 1);
        store.Flush();
        _folder.Folder.Fail(new IOException("gone"), wasWriting: false);

        Assert.NotNull(store.GetStudy(StudyUid(1)));
        Assert.False(store.Flush());
        for (var i = 2; i <= 200; i++) Add(store, i);
        Assert.InRange(store.Bytes, 1, 20_000);
        Assert.Null(store.GetStudy(StudyUid(1)));
        Assert.False(store.RemoveStudy(StudyUid(200)));
        Assert.False(store.RemoveAll());
        Assert.Equal(0, store.Bytes);
    }

    [Fact]
    public async Task RemovesAStudy_OnceTheDiskCanBeWritten()
    {
        var store = _folder.Start();
        for (var i = 1; i <= 3; i++) Add(store, i);
        Assert.True(store.Flush());
        _folder.Folder.Fail(new IOException("full"), wasWriting: true);

        Assert.False(store.RemoveStudy(StudyUid(1)));
        // The file can still be read.
        Assert.Null(store.GetStudy(StudyUid(1)));
        Assert.Equal([StudyUid(2), StudyUid(3)], store.ReadStudies().Select(study => study.Uid));
        await _folder.Folder.CheckAsync();
        Assert.True(store.Flush());
        Assert.Equal([StudyUid(2), StudyUid(3)], _folder.Start().ReadStudies().Select(study => study.Uid));
    }

    [Fact]
    public async Task WritesPendingChanges_WhenTheDiskIsBack()
    {
        var store = _folder.Start();
        _folder.Folder.Fail(new IOException("full"), wasWriting: true);
        Add(store, 1);
        Assert.False(store.Flush());
        await _folder.Folder.CheckAsync();
        Assert.True(store.Flush());
        Assert.NotNull(_folder.Start().GetStudy(StudyUid(1)));
    }

    private long Execute(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={_folder.Database};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar() as long? ?? 0;
    }

    private static Uid StudyUid(int i) => Uid.Parse($"1.2.{i}");

    private static void Add(DicomMetadataStore store, int i, string backend = "east", int padding = 0)
    {
        var random = new Random(i);
        store.AddInstances(
            backend,
            [Instance(
                StudyUid(i).ToString(), "1.2.1", $"1.2.1.{i}",
                new string([.. Enumerable.Range(0, padding).Select(_ => (char)random.Next('0', 'z')).Where(char.IsLetterOrDigit)]))]);
    }
}
