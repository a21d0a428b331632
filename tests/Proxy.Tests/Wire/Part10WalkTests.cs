using System.Text;
using FsCheck;
using FsCheck.Xunit;
using Proxy.Dicom;
using Proxy.Wire.Part10;
using Xunit;
using static Proxy.Tests.Wire.Part10File;

namespace Proxy.Tests.Wire;

/// <summary>A file that ends inside an element is cut; anything that is not understood is not called cut.</summary>
public sealed class Part10WalkTests
{
    private const string BigEndian = "1.2.840.10008.1.2.2";

    private static readonly string[] Syntaxes = [Explicit, Implicit, JpegBaseline];

    [Property(MaxTest = 200)]
    public void EveryPrefixThatEndsInsideAnElementIsCut_AndTheWholeFileIsNot(DoNotSize<int> any)
    {
        var random = new Random(any.Item);
        var syntax = Syntaxes[random.Next(Syntaxes.Length)];
        var (file, ends) = RandomFile(syntax, random);

        Assert.False(IsCut(syntax, file, random));
        for (var i = 0; i < 60; i++)
        {
            var length = i == 0 ? file.Length - 1 : random.Next(file.Length);
            // The first bytes of some tags cannot be told from padding.
            var tail = file[ends.Where(end => end <= length).DefaultIfEmpty(0).Max()..length];
            var isCut = IsCut(syntax, file[..length], random);
            if (tail.All(b => b is 0 or 13 or 10) && length >= ends[0]) Assert.Equal(length == ends[0], isCut);
            else Assert.True(isCut, $"{length} of {file.Length} in {syntax}");
        }
    }

    [Property(MaxTest = 200)]
    public void NoiseAndDamageEndTheWalk(DoNotSize<int> any)
    {
        var random = new Random(any.Item);
        var (file, _) = RandomFile(Explicit, random);
        for (var i = 0; i < 20; i++)
        {
            var damaged = file.ToArray();
            for (var j = random.Next(1, 5); j > 0; j--) damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            foreach (var syntax in (string[])[.. Syntaxes, BigEndian])
                Assert.Equal(IsCut(syntax, damaged, random), IsCut(syntax, damaged, random));
        }
    }

    [Theory]
    [InlineData(Explicit)]
    [InlineData(Implicit)]
    public void PaddingBehindTheDatasetIsFine(string syntax)
    {
        var random = new Random(1);
        foreach (var trailer in (byte[][])[[0], new byte[2], new byte[7], new byte[8], new byte[3000], [13, 10]])
            Assert.False(IsCut(syntax, [.. Simple(syntax), .. trailer], random), $"{trailer.Length}");

        byte[] padded = [.. Simple(syntax), .. Element(0xFFFCFFFC, "OB", new byte[100], syntax == Implicit)];
        Assert.False(IsCut(syntax, padded, random));
        Assert.False(IsCut(syntax, [.. padded, .. new byte[50]], random));
    }

    [Fact]
    public void ABigEndianDatasetIsFollowed()
    {
        byte[] meta = new Part10File(BigEndian).Remove(0x00080018).ToArray();
        byte[] file =
            [.. meta, 0, 8, 0, 0x18, .. "UI"u8, 0, 4, .. "1.2\0"u8, 0x7F, 0xE0, 0, 0x10, .. "OW"u8, 0, 0, 0, 0, 1, 0, .. new byte[256]];

        Assert.False(IsCut(BigEndian, file, new(1)));
        Assert.All(
            (int[])[meta.Length, meta.Length + 9, meta.Length + 20, file.Length - 1],
            n => Assert.True(IsCut(BigEndian, file[..n], new(1))));
    }

    /// <summary>The file meta group alone is no object.</summary>
    [Fact]
    public void AFileWithoutADatasetIsCut() => Assert.True(IsCut(Explicit, new Part10File().Remove(0x00080018).ToArray(), new(1)));

    [Theory]
    [InlineData("1.2.840.10008.1.2.1.99")]
    [InlineData("1.2.840.10008.1.2.4.95")]
    [InlineData("1.2.840.113619.5.2")]
    public void WhatIsDeflatedOrPrivateCannotBeTold(string syntax) => Assert.False(IsCut(syntax, Simple(Explicit)[..^5], new(1)));

    [Fact]
    public void UnknownVrsAndBrokenOrderCannotBeTold()
    {
        byte[] unknown = [.. Simple(Explicit), .. Element(0x7FE10010, "ZZ", [])[..8]];
        Assert.False(IsCut(Explicit, unknown, new(1)));
        Assert.False(IsCut(Implicit, [.. Simple(Implicit), .. Element(0x00080016, "UI", new byte[9999], true)[..40]], new(1)));
        // An implicit dataset that is written with VRs.
        Assert.False(IsCut(Implicit, [.. Simple(Implicit), .. Element(0x7FE10010, "LO", "text"u8.ToArray())], new(1)));
        // A sequence of UN that is written with VRs (PS3.5 §6.2.2 has none there).
        var items = OpenItem(Element(0x00080050, "LO", "text"u8.ToArray()));
        Assert.False(IsCut(Explicit, [.. Simple(Explicit), .. Open(0x7FE10010, "UN", false, items)], new(1)));
    }

    [Theory]
    [InlineData(200, true)]
    [InlineData(100_000, false)]
    public void NestingIsFollowedToADepth(int depth, bool isCut)
    {
        var file = new MemoryStream();
        file.Write(Simple(Explicit));
        for (var i = 0; i < depth; i++)
        {
            file.Write(Open(0x7FE10010, "SQ", false).AsSpan()[..^8]);
            file.Write(OpenItem().AsSpan()[..8]);
        }
        Assert.Equal(isCut, IsCut(Explicit, file.ToArray(), new(1)));
    }

    /// <summary>A file of 64 MB in pieces of 64 KB, and 300,000 small elements; quadratic work would take hours.</summary>
    [Fact]
    public void WalksLargeInput()
    {
        var walk = new Part10Walk(Uid.Parse(Explicit));
        walk.Add(Simple(Explicit));
        walk.Add(Element(0x7FE00010, "OW", [], length: 64 << 20));
        var piece = new byte[64 << 10];
        for (var i = 0; i < 1024; i++) walk.Add(piece);
        Assert.False(walk.IsCut);

        byte[] items = [.. Enumerable.Repeat(OpenItem(Element(0x00080050, "LO", "text"u8.ToArray())), 100_000).SelectMany(i => i)];
        walk = new(Uid.Parse(Explicit));
        walk.Add(Simple(Explicit));
        walk.Add(Open(0x7FE10010, "SQ", false).AsSpan()[..^8]);
        walk.Add(items);
        Assert.True(walk.IsCut);
    }

    private static byte[] Simple(string syntax) => new Part10File(syntax).ToArray();

    /// <summary>The file in pieces of any size.</summary>
    private static bool IsCut(string syntax, byte[] file, Random random)
    {
        var walk = new Part10Walk(Uid.Parse(syntax));
        for (var at = 0; at < file.Length;)
        {
            var count = Math.Min(random.Next(3) == 0 ? 1 : random.Next(1, 300), file.Length - at);
            walk.Add(file.AsSpan(at, count));
            at += count;
        }
        return walk.IsCut;
    }

    /// <summary>A file, and where the meta group and each element of its dataset end.</summary>
    private static (byte[] File, List<int> Ends) RandomFile(string syntax, Random random)
    {
        var isImplicit = syntax == Implicit;
        var file = new List<byte>(new Part10File(syntax).Remove(0x00080018).ToArray());
        List<int> ends = [file.Count];
        var tag = 0x00080005u;
        for (var i = random.Next(1, 12); i > 0; i--)
        {
            file.AddRange(RandomElement(tag, isImplicit, random, depth: 0));
            ends.Add(file.Count);
            tag += (uint)random.Next(1, 0x80000);
        }
        if (syntax == JpegBaseline)
        {
            file.AddRange(Fragments(0x7FE00010, Offsets32(0), [.. Enumerable.Range(0, random.Next(4)).Select(_ => Noise(random, 100))]));
            ends.Add(file.Count);
        }
        return ([.. file], ends);
    }

    private static byte[] RandomElement(uint tag, bool isImplicit, Random random, int depth) => random.Next(depth < 4 ? 7 : 4) switch
    {
        0 => Element(tag, "LO", Encoding.ASCII.GetBytes(new string('x', 2 * random.Next(10))), isImplicit),
        1 => Element(tag, "UN", Noise(random, 400), isImplicit),
        2 => Element(tag, "OW", Noise(random, 400), isImplicit),
        3 => Element(tag, "US", UShort((ushort)random.Next(65536)), isImplicit),
        4 => Element(tag, "SQ", Item(RandomElement(0x00080005, isImplicit, random, depth + 1)), isImplicit),
        5 => Open(tag, "UN", isImplicit, RandomItems(isImplicit: true, random, depth)),
        _ => Open(tag, "SQ", isImplicit, RandomItems(isImplicit, random, depth)),
    };

    private static byte[][] RandomItems(bool isImplicit, Random random, int depth) =>
    [
        .. Enumerable.Range(0, random.Next(3)).Select(_ => RandomElement(0x00080005, isImplicit, random, depth + 1))
            .Select(element => random.Next(2) == 0 ? Item(element) : OpenItem(element)),
    ];

    private static byte[] Noise(Random random, int most)
    {
        var bytes = new byte[2 * random.Next(most / 2)];
        random.NextBytes(bytes);
        return bytes;
    }
}
