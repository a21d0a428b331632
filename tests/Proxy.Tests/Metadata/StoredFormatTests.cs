using FsCheck.Xunit;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Metadata.Persistence;
using Xunit;

namespace Proxy.Tests.Metadata;

/// <summary>The format is read as written; truncated, mutated or foreign bytes are damaged, and never a different study.</summary>
public class StoredFormatTests
{
    private static readonly string[] Names = ["east", "north", "west"];

    [Property(MaxTest = 300)]
    public bool AStudyComesBack_WithEverything(int seed)
    {
        var study = RandomStudies.Make(seed);
        var (head, packed) = Write(study);
        return RandomStudies.Describe(Read(head, packed, out var isWhole)!) == RandomStudies.Describe(study) && isWhole;
    }

    [Property(MaxTest = 300)]
    public bool PackedInstancesComeBack_WithEverything(int seed)
    {
        var packed = RandomStudies.Packed(new Random(seed));
        return RandomStudies.Describe(PackedFormat.Read(PackedFormat.Write(packed))) == RandomStudies.Describe(packed);
    }

    [Property(MaxTest = 500)]
    public bool AMutatedStudyIsDamaged(int seed, int at, byte mask)
    {
        var study = RandomStudies.Make(seed);
        var (head, packed) = Write(study);
        Mutate(head, at, mask);
        return Read(head, packed, out var isWhole) is null ? !isWhole : mask == 0;
    }

    [Property(MaxTest = 500)]
    public bool MutatedInstancesAreDamaged(int seed, int at, byte mask)
    {
        var bytes = PackedFormat.Write(RandomStudies.Packed(new Random(seed)));
        Mutate(bytes, at, mask);
        return PackedFormat.Read(bytes) is null || mask == 0;
    }

    [Fact]
    public void DetectsEveryTruncation()
    {
        var (head, packed) = Write(RandomStudies.Make(7));
        for (var i = 0; i < head.Length; i++)
        {
            Assert.Null(Read(head[..i], packed, out var isWhole));
            Assert.False(isWhole);
        }
        var bytes = PackedFormat.Write(DicomMetadataStoreTests.Pack("1.2.3", "1.2.4"));
        for (var i = 0; i < bytes.Length; i++) Assert.Null(PackedFormat.Read(bytes.AsSpan(0, i)));
        Assert.Null(PackedFormat.Read([.. bytes, 0]));
        Assert.Null(Read([.. head, 0], packed, out _));
    }

    /// <summary>Forged bytes with a valid checksum: no number in them is trusted.</summary>
    [Property(MaxTest = 1000)]
    public bool AnyBytesWithARightChecksum_ReadOrAreDamaged(byte[] body, int seed, int at, byte mask)
    {
        var (head, packed) = Write(RandomStudies.Make(seed));
        var instances = PackedFormat.Write(RandomStudies.Packed(new Random(seed)));
        var before = GC.GetAllocatedBytesForCurrentThread();
        Read(Forge(StudyFormat.Revision, body), packed, out _);
        PackedFormat.Read(Forge(PackedFormat.Revision, body));
        Read(Forge(StudyFormat.Revision, Mutate(head[StoredWriter.HeadBytes..], at, mask)), packed, out _);
        PackedFormat.Read(Forge(PackedFormat.Revision, Mutate(instances[StoredWriter.HeadBytes..], at, mask)));
        return GC.GetAllocatedBytesForCurrentThread() - before < 200_000
            + 64 * (body.Length + head.Length + instances.Length + packed.Values.Sum(p => p.Length));
    }

    [Fact]
    public void RejectsAnotherRevision()
    {
        var (head, packed) = Write(RandomStudies.Make(7));
        Assert.Null(Read(Forge(StudyFormat.Revision + 1, head[StoredWriter.HeadBytes..]), packed, out var isWhole));
        Assert.False(isWhole);
        Assert.Null(PackedFormat.Read(
            Forge(PackedFormat.Revision + 1, PackedFormat.Write(DicomMetadataStoreTests.Pack("1.2.3"))[StoredWriter.HeadBytes..])));
    }

    [Fact]
    public void DropsAList_WhenItsInstancesAreMissing()
    {
        var study = Enumerable.Range(0, 100).Select(seed => RandomStudies.Make(seed))
            .First(s => s.SeriesLists.Count > 1 && s.SeriesLists.Values.Count(l => l.Series.Values.Any(e => e.Metadata is not null)) == 1);
        var lacking = study.SeriesLists.Values.Single(l => l.Series.Values.Any(e => e.Metadata is not null)).Backend;
        var (head, packed) = Write(study);
        foreach (var key in packed.Keys.Where(k => !k.IsRows).ToList()) packed.Remove(key);

        var read = Read(head, packed, out var isWhole)!;

        Assert.False(isWhole);
        Assert.Equal(study.SeriesLists.Keys.Where(b => b != lacking), read.SeriesLists.Keys);
    }

    [Fact]
    public void IgnoresDataOfAnUnconfiguredBackend()
    {
        var study = Enumerable.Range(0, 100).Select(seed => RandomStudies.Make(seed)).First(s => s.SeriesLists.Count == 3
            && s.Owners.ContainsValue("west"));
        var (head, packed) = Write(study);

        var read = StudyFormat.Read(
            study.Uid, head, id => id == 2 ? null : Names[id], key => PackedFormat.Read(packed[key]), out var isWhole)!;

        Assert.True(isWhole);
        Assert.Equal(["east", "north"], read.SeriesLists.Keys);
        Assert.DoesNotContain("west", read.Owners.Values);
        Assert.Equal(
            2, StudyFormat.GetPacked(study, name => name == "west" ? null : 1).Select(p => p.Key.Backend).Append(2).Distinct().Count());
    }

    /// <summary>
    /// Written by the first persistent version. It stays readable, or the revision changes and it is a counted miss.
    /// </summary>
    [Fact]
    public void ReadsRevision1()
    {
        var lines = File.ReadAllLines(Path.Combine(Golden.Folder(), "study-1.txt"));
        var packed = new Dictionary<PackedKey,
        byte[]>
        {
            [new(0, Uid.Parse("1.2.1"), false)] = Convert.FromBase64String(lines[1]),
            [new(2, Uid.Parse("1.2.1"), true)] = Convert.FromBase64String(lines[2])
        };

        var study = Read(Convert.FromBase64String(lines[0]), packed, out var isWhole)!;

        Assert.True(isWhole);
        Assert.Equal(RandomStudies.Describe(Golden.Study()), RandomStudies.Describe(study));
    }

    internal static (byte[] Head, Dictionary<PackedKey, byte[]> Packed) Write(Study study) =>
        (StudyFormat.Write(study, FindId), StudyFormat.GetPacked(study, FindId)
            .ToDictionary(p => p.Key, p => PackedFormat.Write(p.Packed)));

    private static int? FindId(string name) => Array.IndexOf(Names, name);

    internal static Study? Read(byte[] head, Dictionary<PackedKey, byte[]> packed, out bool isWhole) => StudyFormat.Read(
        Uid.Parse("1.2"), head, id => id < Names.Length ? Names[id] : null,
        key => packed.TryGetValue(key, out var bytes) ? PackedFormat.Read(bytes) : null, out isWhole);

    private static byte[] Mutate(byte[] bytes, int at, byte mask)
    {
        if (bytes.Length > 0) bytes[(uint)at % (uint)bytes.Length] ^= mask;
        return bytes;
    }

    private static byte[] Forge(int revision, byte[] body)
    {
        var writer = new StoredWriter((byte)revision, body.Length);
        writer.WriteRaw(body);
        return writer.Seal();
    }
}
