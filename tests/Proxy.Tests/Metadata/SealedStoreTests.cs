using System.Text;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Tests.Disk;
using Xunit;
using static Proxy.Tests.Metadata.DicomMetadataStoreTests;

namespace Proxy.Tests.Metadata;

/// <summary>The store in an encrypted folder.</summary>
public sealed class SealedStoreTests : IDisposable
{
    private static readonly Uid Study = Uid.Parse("1.2.777777");
    private static readonly SeriesPath Path = new(Study, Uid.Parse("1.2.777777.1"));

    private readonly StoreFolder _folder = new() { Keys = Keys.Ring(1) };

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void RestoresAStudy_AfterARestartAndARotation()
    {
        var store = _folder.Start();
        Fill(store);
        var before = RandomStudies.Describe(store.GetStudy(Study)!);
        Assert.True(store.Flush());

        foreach (var keys in (int[][])[[1], [2, 1], [2]])
        {
            _folder.Keys = Keys.Ring(keys);
            Assert.Equal(before, RandomStudies.Describe(_folder.Start().GetStudy(Study)!));
        }
        Assert.Equal(0, _folder.Counters.StoreDamage);
    }

    [Fact]
    public void HasNoPlainText_NeitherInTheDatabaseNorInItsLog()
    {
        var store = _folder.Start();
        Fill(store);
        Assert.True(store.Flush());
        Assert.True(File.Exists(_folder.Database + "-wal"));

        Assert.Empty(FindPlain());
        _folder.End();
        Assert.Empty(FindPlain());
    }

    [Fact]
    public void HasNothing_WhenItsKeyIsMissing()
    {
        var store = _folder.Start();
        Fill(store);
        store.Flush();
        _folder.Keys = Keys.Ring(3);

        store = _folder.Start();
        Assert.Null(store.GetStudy(Study));
        Fill(store);
        Assert.True(store.Flush());
        Assert.NotNull(_folder.Start().GetStudy(Study));
    }

    [Fact]
    public async Task ListsUidsInOrder()
    {
        var store = _folder.Start();
        for (var i = 1; i <= 1200; i++) store.AddStudy("east", Instance($"1.2.{i}", $"1.2.{i}.1", $"1.2.{i}.1.1"));
        store.Flush();
        store = _folder.Start();
        store.AddStudy("east", Instance("1.2.5000", "1.2.5000.1", "1.2.5000.1.1"));

        var uids = await store.ReadUidsAsync(CancellationToken.None).ToListAsync(TestContext.Current.CancellationToken);

        Assert.Equal(1201, uids.Count);
        Assert.Equal(uids.Order(), uids);
        await store.RemoveStudyAsync(uids[600]);
        Assert.Equal(1200, (await store.ReadUidsAsync(CancellationToken.None).ToListAsync(TestContext.Current.CancellationToken)).Count);
    }

    [Fact]
    public void MissesAStudy_WhoseRowWasExchanged()
    {
        var store = _folder.Start();
        Fill(store);
        store.AddStudy("east", Instance("1.2.9", "1.2.9.1", "1.2.9.1.1"));
        store.Flush();
        _folder.End();
        using (var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={_folder.Database};Pooling=False"))
        {
            connection.Open();
            using var swap = connection.CreateCommand();
            swap.CommandText = """
                CREATE TEMP TABLE heads AS SELECT id, head FROM study;
                UPDATE study SET head = (SELECT head FROM heads WHERE heads.id <> study.id);
                """;
            swap.ExecuteNonQuery();
        }

        store = _folder.Start();
        Assert.Null(store.GetStudy(Study));
        Assert.Equal(1, _folder.Counters.StoreDamage);
    }

    private static void Fill(DicomMetadataStore store)
    {
        store.SetSeriesMetadata("east", Study, [Series("1.2.777777.1", 2, "ZZCANARY")]);
        store.AddInstances("east", Path, Pack("1.2.777777.1.1", "1.2.777777.1.2"), null, store.GetSeries(Path)!.Summary);
    }

    private IEnumerable<string> FindPlain() =>
        Keys.FindFiles(_folder.Path, new[] { "777777", "ZZCANARY", "SOPInstance", "00080018" }.Select(Encoding.ASCII.GetBytes));
}
