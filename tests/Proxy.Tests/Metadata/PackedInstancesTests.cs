using System.Text;
using FsCheck.Xunit;
using Proxy.Dicom;
using Proxy.Metadata;
using Xunit;

namespace Proxy.Tests.Metadata;

public class PackedInstancesTests
{
    private readonly List<(Uid Uid, byte[] Json)> _slices = CtSeries.Instances(120);

    [Fact]
    public void ReturnsEachDataset()
    {
        var packed = Pack(_slices);
        foreach (var (uid, json) in _slices) Assert.Equal(json, packed.FindJson(uid)!.Value.ToArray());
    }

    [Fact]
    public void ReturnsAllDatasets_InOrder()
    {
        var packed = Pack(_slices);
        Assert.Equal(_slices.Select(s => s.Uid), packed.Uids);
        Assert.Equal(string.Join(',', _slices.Select(s => Encoding.UTF8.GetString(s.Json))), GetText(packed));
        Assert.Equal(Encoding.UTF8.GetByteCount(GetText(packed)), packed.TextBytes);
    }

    [Property(MaxTest = 100)]
    public bool GivesAnythingBack(string?[] texts)
    {
        var datasets = texts.Select((t, i) => (Uid: Uid.Parse($"1.{i}"), Json: Encoding.UTF8.GetBytes("{" + t))).ToList();
        var packed = Pack(datasets);
        return packed.Count == datasets.Count
            && datasets.All(d => packed.FindJson(d.Uid)!.Value.Span.SequenceEqual(d.Json))
            && GetText(packed) == string.Join(',', datasets.Select(d => Encoding.UTF8.GetString(d.Json)));
    }

    [Fact]
    public void ReturnsADataset_LargerThanABlock()
    {
        var random = new Random(1);
        var datasets = Enumerable.Range(0, 5).Select(i => (Uid.Parse($"1.{i}"), RandomBytes(random, i % 2 == 0 ? 300_000 : 10))).ToList();
        var packed = Pack(datasets);
        foreach (var (uid, json) in datasets) Assert.Equal(json, packed.FindJson(uid)!.Value.ToArray());
    }

    [Fact]
    public void FindsNothing_ForAnUnknownUid()
    {
        var packed = Pack(_slices);
        Assert.False(packed.Has(Uid.Parse("1.2")));
        Assert.Null(packed.FindJson(Uid.Parse("1.2")));
        Assert.Null(packed.FindJson(default));
        Assert.Empty(Pack([]).Uids);
        Assert.Equal(0, Pack([]).TextBytes);
        Assert.Empty(Pack([]).ReadText());
    }

    [Fact]
    public void KeepsTheLastDataset_OfAnInstanceAddedTwice()
    {
        var builder = new PackedInstances.Builder();
        builder.Add(Uid.Parse("1.1"), "{old}"u8);
        builder.Add(Uid.Parse("1.2"), "{}"u8);
        builder.Add(Uid.Parse("1.1"), "{new}"u8);
        Assert.Equal("{new},{}", GetText(builder.Build()));
    }

    [Fact]
    public void ReplacesOlderDatasets_AndAppendsNewOnes()
    {
        var packed = Pack(_slices)
            .With(new Dictionary<Uid, byte[]> { [_slices[50].Uid] = "{changed}"u8.ToArray(), [Uid.Parse("1.2")] = "{added}"u8.ToArray() });
        Assert.Equal([.. _slices.Select(s => s.Uid), Uid.Parse("1.2")], packed.Uids);
        Assert.Equal("{changed}", Encoding.UTF8.GetString(packed.FindJson(_slices[50].Uid)!.Value.Span));
        Assert.Equal("{added}", Encoding.UTF8.GetString(packed.FindJson(Uid.Parse("1.2"))!.Value.Span));
        Assert.Equal(_slices[119].Json, packed.FindJson(_slices[119].Uid)!.Value.ToArray());
    }

    [Fact]
    public void HasEqualHashes_ForEqualTextsOnly()
    {
        var packed = Pack(_slices);
        Assert.Equal(packed.Hash, Pack(CtSeries.Instances(120)).Hash);
        Assert.NotEqual(packed.Hash, Pack(_slices[..119]).Hash);
        Assert.NotEqual(packed.Hash, Pack([.. _slices[1..], _slices[0]]).Hash);
        Assert.Equal(packed.Hash, packed.With(new Dictionary<Uid, byte[]> { [_slices[3].Uid] = _slices[3].Json }).Hash);
        Assert.NotEqual(packed.Hash, packed.With(new Dictionary<Uid, byte[]> { [_slices[3].Uid] = "{}"u8.ToArray() }).Hash);
    }

    [Fact]
    public void TakesAtMostATwentiethOfTheJson_ForACtSeries()
    {
        var packed = Pack(_slices);
        var json = packed.TextBytes / 120;
        var held = packed.PackedBytes / 120;
        TestContext.Current.TestOutputHelper?.WriteLine($"{json} bytes of JSON an instance, {held} held");
        Assert.InRange(json, 6000, 7000);
        Assert.InRange(held, 1, json / 20);
    }

    [Fact]
    public void UnpacksEachBlockOnce_WhenAnInstanceIsAdded()
    {
        var packed = Pack(_slices);
        var before = GC.GetAllocatedBytesForCurrentThread();
        packed.With(new Dictionary<Uid, byte[]> { [Uid.Parse("1.2")] = "{}"u8.ToArray() });
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 8 * packed.TextBytes);
    }

    private static PackedInstances Pack(IEnumerable<(Uid Uid, byte[] Json)> datasets)
    {
        var builder = new PackedInstances.Builder();
        foreach (var (uid, json) in datasets) builder.Add(uid, json);
        return builder.Build();
    }

    private static string GetText(PackedInstances packed) => Encoding.UTF8.GetString([.. packed.ReadText().SelectMany(p => p.ToArray())]);

    private static byte[] RandomBytes(Random random, int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }
}
