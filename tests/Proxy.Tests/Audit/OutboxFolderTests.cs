using System.Text;
using System.Text.Json;
using Proxy.Audit;
using Proxy.Audit.Delivery;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Audit;

/// <summary>The outbox keeps records until every sink has them, through kills and faults.</summary>
public sealed class OutboxFolderTests : IAsyncDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("outbox-").FullName;

    public async ValueTask DisposeAsync() => await Until.DeletedAsync(_path);

    [Fact]
    public void GivesEachSinkEachRecord_InOrder()
    {
        using var folder = Open();
        folder.Append(Lines("a", "b", "c"));

        Assert.Equal(["a", "b"], Take(folder, "x", 2));
        Assert.Equal(["c"], Take(folder, "x", 2));
        Assert.Empty(Take(folder, "x", 2));
        Assert.Equal(["a", "b", "c"], Take(folder, "y", 9));
    }

    [Fact]
    public void GivesARecordAgain_UntilItIsCommitted()
    {
        using (var folder = Open())
        {
            folder.Append(Lines("a", "b"));
            _ = Take(folder, "x", 1);
            Assert.Single(folder.Read("x", 9).Records);
        }

        using var next = Open();

        Assert.Equal(["b"], Take(next, "x", 9));
        Assert.Equal(["a", "b"], Take(next, "y", 9));
    }

    /// <summary>A process that is killed leaves any prefix of its last write.</summary>
    [Fact]
    public void CutsOffATornLine_AndContinuesBehindTheLastWholeOne()
    {
        var whole = Lines("a");
        for (var torn = 1; torn < whole.Length; torn += 7)
        {
            var path = Path.Combine(_path, $"torn{torn}");
            using (var folder = new OutboxFolder(path, 1 << 20, ["x"])) folder.Append(whole);
            using (var file = new FileStream(Directory.GetFiles(path, "*.log").Single(), FileMode.Append))
                file.Write(whole.AsSpan(0, torn));

            using var next = new OutboxFolder(path, 1 << 20, ["x"]);
            next.Append(Lines("b"));

            Assert.Equal(["a", "b"], Take(next, "x", 9));
        }
    }

    [Fact]
    public void LeavesOutADamagedLine_AndCountsIt()
    {
        using var folder = Open();
        folder.Append([.. Lines("a"), .. "garbage\n"u8, .. Lines("b")]);

        var (records, _, damaged) = folder.Read("x", 9);

        Assert.Equal(["a", "b"], records.Select(r => r.Id));
        Assert.Equal(1, damaged);
    }

    [Fact]
    public void DeletesSegmentsThatEverySinkHas()
    {
        using var folder = new OutboxFolder(_path, 1 << 16, ["x", "y"]);
        for (var i = 0; i < 100; i++) folder.Append(Lines($"{i}"));
        var all = folder.Bytes;

        Assert.Equal(100, TakeAll(folder, "x").Count);
        Assert.Equal((all, 0, all), (folder.Bytes, folder.CountPending("x"), folder.CountPending("y")));
        Assert.Equal(100, TakeAll(folder, "y").Count);

        Assert.True(folder.Bytes < all / 2);
        Assert.Equal(0, folder.CountPending("y"));
    }

    [Fact]
    public void DropsTheOldestRecords_AndCountsThem()
    {
        using var folder = new OutboxFolder(_path, 1 << 16, ["x", "y"]);
        for (var i = 0; i < 100; i++) folder.Append(Lines($"{i}"));
        _ = TakeAll(folder, "x");

        var lost = folder.DropOldest();

        Assert.InRange(lost, 1, 99);
        Assert.Equal(Enumerable.Range(lost, 100 - lost).Select(i => $"{i}"), TakeAll(folder, "y"));
    }

    [Fact]
    public void DropsEverything_WhenOneSegmentIsLeft()
    {
        using var folder = Open();
        folder.Append(Lines("a", "b"));

        Assert.Equal(2, folder.DropOldest());
        folder.Append(Lines("c"));

        Assert.Equal(["c"], Take(folder, "x", 9));
    }

    [Fact]
    public void StartsAtTheOldestRecord_WhenAPositionIsDamaged()
    {
        using (var folder = Open())
        {
            folder.Append(Lines("a"));
            _ = Take(folder, "x", 9);
        }
        File.WriteAllText(Path.Combine(_path, "x.position"), "7 nonsense");

        using var next = Open();

        Assert.Equal(["a"], Take(next, "x", 9));
    }

    private static List<string> TakeAll(OutboxFolder folder, string sink)
    {
        var all = new List<string>();
        while (Take(folder, sink, 16) is { Count: > 0 } some) all.AddRange(some);
        return all;
    }

    private static List<string> Take(OutboxFolder folder, string sink, int max)
    {
        var (records, end, _) = folder.Read(sink, max);
        if (records.Count > 0) folder.Commit(sink, end);
        return records.ConvertAll(record => record.Id);
    }

    private static byte[] Lines(params IEnumerable<string> ids) => Encoding.UTF8.GetBytes(string.Concat(
        ids.Select(id => JsonSerializer.Serialize(SampleRecords.Frames with { Id = id }, AuditJson.Default.AuditRecord) + "\n")));

    private OutboxFolder Open() => new(_path, 1 << 20, ["x", "y"]);
}
