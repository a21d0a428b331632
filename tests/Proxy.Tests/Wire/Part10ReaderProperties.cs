using FsCheck;
using FsCheck.Xunit;
using Proxy.Wire.Part10;
using Xunit;
using static Proxy.Tests.Wire.Part10File;

namespace Proxy.Tests.Wire;

/// <summary>Properties of <see cref="Part10Reader"/> for any input: it cuts no wrong frame, and its work is bounded.</summary>
public sealed class Part10ReaderProperties
{
    [Property(MaxTest = 300)]
    public void CutsTheWrittenFrames_ForAnyPieces(DoNotSize<int> any)
    {
        var random = new Random(any.Item);
        var (file, expected) = RandomFile(random);
        var whole = Part10File.FindFrames([file], out var refusal);
        Assert.Equal(FrameRefusal.None, refusal);
        Assert.Equal(expected, Part10File.Cut(file, whole!));
        Assert.Equal(expected, Part10File.Cut(file, Part10File.FindFrames(Pieces(file, random), out _)!));
        Assert.Equal(
            expected,
            Part10File.Cut(
                file, Part10Reader.FindFrames(file.Length, (at, to) => ReadSome(file, at, to[..random.Next(1, to.Length + 1)]), out _)!));
    }

    [Property(MaxTest = 100)]
    public void CutsNothing_OutOfAPrefix(DoNotSize<int> any)
    {
        var random = new Random(any.Item);
        var (file, _) = RandomFile(random, isPixelDataLast: true);
        for (var i = 0; i < 40; i++)
        {
            var prefix = file.AsMemory(0, i == 0 ? file.Length - 1 : random.Next(file.Length));
            Assert.Null(Part10File.FindFrames([prefix], out var refusal));
            Assert.NotEqual(FrameRefusal.None, refusal);
            // A source shorter than its declared length: if this reader does not notice, the reader of the frame does.
            AssertSound(Part10Reader.FindFrames(file.Length, (at, to) => ReadSome(prefix, at, to), out refusal), refusal, file.Length);
        }
    }

    [Property(MaxTest = 300)]
    public void RefusesADamagedFile_OrCutsWithinIt(DoNotSize<int> any)
    {
        var random = new Random(any.Item);
        var (file, _) = RandomFile(random);
        for (var i = 0; i < 40; i++)
        {
            var damaged = file.ToArray();
            for (var j = random.Next(1, 4); j > 0; j--)
            {
                // Heads are few among the bytes of values, and 0 and 255 are the most likely to mislead.
                var at = random.Next(3) == 0 ? random.Next(damaged.Length) : 132 + random.Next(Math.Min(400, damaged.Length - 132));
                damaged[at] = random.Next(4) switch
                {
                    0 => 0,
                    1 => 255,
                    2 => (byte)(damaged[at] ^ (1 << random.Next(8))),
                    _ => (byte)random.Next(256)
                };
            }
            AssertSound(damaged);
        }
    }

    [Fact]
    public void SurvivesEveryChangeOfOneByte()
    {
        foreach (var file in new[]
        {
            Part10File.Native(2, 2, frames: 2)
                .SetRaw(0x00081140, Open(0x00081140, "SQ", false, OpenItem(Element(0x00081150, "UI", [49, 0])))).ToArray(),
            Part10File.Native(2, 2, transferSyntax: Implicit).ToArray(),
            Part10File.Encapsulated(2, Offsets32(0, 10), [1, 2], [3, 4], [5, 6]).Set(0x7FE00001, "OV", Offsets64(0, 10))
                .Set(0x7FE00002, "OV", Offsets64(2, 4)).ToArray(),
        })
        {
            for (var at = 128; at < file.Length; at++)
            {
                var was = file[at];
                for (var value = 0; value < 256; value++)
                {
                    file[at] = (byte)value;
                    AssertSound(file);
                }
                file[at] = was;
            }
        }
    }

    [Property(MaxTest = 300)]
    public void RefusesNoiseBehindAPreamble(DoNotSize<int> any)
    {
        var random = new Random(any.Item);
        var noise = new byte[random.Next(4000)];
        random.NextBytes(noise);
        AssertSound([.. new byte[128], .. "DICM"u8, .. noise]);
        AssertSound([.. new Part10File(random.Next(2) == 0 ? Explicit : Implicit).ToArray(), .. noise]);
    }

    [Theory]
    [InlineData(Explicit, "SQ")]
    [InlineData(Explicit, "UN")]
    [InlineData(Implicit, "")]
    public void LimitsTheNestingOfSequences(string transferSyntax, string vr)
    {
        Assert.NotNull(Part10File.FindFrames([Nested(64)], out _));
        Assert.Null(Part10File.FindFrames([Nested(65)], out var refusal));
        Assert.Equal(FrameRefusal.TooMany, refusal);
        Assert.Null(Part10File.FindFrames([Nested(100_000)], out refusal));
        Assert.Equal(FrameRefusal.TooMany, refusal);

        byte[] Nested(int depth)
        {
            var isImplicit = transferSyntax == Implicit;
            var (head, inner, tail) = (
                Open(0x00091010, vr, isImplicit)[..^8], Open(0x00091010, vr, isImplicit || vr == "UN")[..^8],
                Open(0x00091010, vr, isImplicit)[^8..]);
            var (openItem, closeItem) = (OpenItem()[..8], OpenItem()[8..]);
            var bytes = new MemoryStream();
            for (var i = 0; i < depth; i++)
            {
                bytes.Write(i == 0 ? head : inner);
                bytes.Write(openItem);
            }
            for (var i = 0; i < depth; i++)
            {
                bytes.Write(closeItem);
                bytes.Write(tail);
            }
            return Part10File.Native(2, 2, transferSyntax: transferSyntax).SetRaw(0x00091010, bytes.ToArray()).ToArray();
        }
    }

    [Fact]
    public void LimitsTheNumberOfAttributes()
    {
        var head = new Part10File().SetRaw(0x00091010, Element(0x00091010, "SQ", [], length: Undefined)).ToArray();
        var item = Item([]);
        AssertEnds(head, item, most: 5_000_000);
    }

    [Fact]
    public void LimitsTheNumberOfFragments()
    {
        var head = new Part10File(JpegBaseline).SetRaw(0x7FE00010, Element(0x7FE00010, "OB", Item([]), length: Undefined)).ToArray();
        AssertEnds(head, Item([]), most: 1_200_000);
    }

    [Theory]
    [InlineData(200)]
    [InlineData(8_000_000)]
    [InlineData(int.MaxValue)]
    public void LimitsTheNumberOfFrames(int frames)
    {
        var file = Part10File.Native(1, 1, frames: frames, bytes: 16).ToArray();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Null(Part10File.FindFrames([file], out var refusal));
        Assert.Equal(FrameRefusal.TooMany, refusal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000);
    }

    [Theory]
    [InlineData("OB", 0xFFFFFFFEu)]
    [InlineData("OW", 0x7FFFFFFFu)]
    public void AllocatesNothing_ForADeclaredLength(string vr, uint length)
    {
        foreach (var tag in new[] { 0x00091010u, 0x7FE00001u, 0x7FE00010u })
        {
            var file = Part10File.Native(2, 2).SetRaw(tag, Element(tag, vr, [], length: length)).ToArray();
            var before = GC.GetAllocatedBytesForCurrentThread();
            Assert.Null(Part10File.FindFrames([file], out var refusal));
            Assert.Equal(FrameRefusal.Malformed, refusal);
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000);
        }
    }

    [Fact]
    public void ReadsAFileOnDisk_WithoutItsValues()
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(
                path, Part10File.Native(1000, 1000, frames: 3, bits: 16).Set(0x00091010, "OB", new byte[3_000_000]).ToArray());
            using var file = File.OpenHandle(path);
            var count = 0;
            var frames = Part10Reader.FindFrames(RandomAccess.GetLength(file), (at, to) =>
            {
                var some = RandomAccess.Read(file, to, at);
                count += some;
                return some;
            }, out _)!;

            Assert.InRange(count, 1, 16 * 1024);
            var frame = Assert.Single(frames.FindFrame(2)!.Value.Ranges.ToArray());
            var bytes = new byte[frame.Length];
            RandomAccess.Read(file, bytes, frame.Offset);
            Assert.True(bytes.AsSpan().SequenceEqual(Counting(6_000_000).AsSpan(2_000_000, 2_000_000)));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void PassesExceptionsOfTheSourceThrough() =>
        Assert.Throws<UnauthorizedAccessException>(
            () => Part10Reader.FindFrames(1000, (_, _) => throw new UnauthorizedAccessException(), out _));

    /// <summary>The result is frames in order within the file, or a refusal.</summary>
    private static void AssertSound(byte[] file) => AssertSound(Part10File.FindFrames([file], out var refusal), refusal, file.Length);

    private static void AssertSound(Part10Frames? frames, FrameRefusal refusal, int length)
    {
        Assert.Equal(frames is null, refusal != FrameRefusal.None);
        if (frames is null) return;
        Assert.InRange(frames.Count, 1, length / 8);
        var end = 132L;
        for (var number = 1; number <= frames.Count; number++)
        {
            var frame = frames.FindFrame(number)!.Value;
            Assert.True(frame.Length > 0);
            foreach (var range in frame.Ranges.Span)
            {
                Assert.True(range.Offset >= end && range.Length >= 0 && range.End <= length);
                end = range.End;
            }
        }
    }

    /// <summary>A file that repeats <paramref name="rest"/> behind <paramref name="head"/> for a terabyte.</summary>
    private static void AssertEnds(byte[] head, byte[] rest, int most)
    {
        var read = 0L;
        Assert.Null(Part10Reader.FindFrames(1L << 40, (at, to) =>
        {
            for (var i = 0; i < to.Length; i++, at++) to[i] = at < head.Length ? head[at] : rest[(at - head.Length) % rest.Length];
            read += to.Length;
            return to.Length;
        }, out var refusal));
        Assert.Equal(FrameRefusal.TooMany, refusal);
        Assert.InRange(read, 1, (long)most * rest.Length);
    }

    private static (byte[] File, List<string> Frames) RandomFile(Random random, bool isPixelDataLast = false)
    {
        var count = random.Next(1, 6);
        var isEncapsulated = random.Next(2) == 0;
        var (file, frames) = isEncapsulated ? RandomEncapsulated(random, count) : RandomNative(random, count);
        if (isEncapsulated || random.Next(2) == 0) AddAround(random, file, isImplicit: file.IsImplicit);
        if (!isPixelDataLast && random.Next(3) == 0) file.Set(0xFFFCFFFC, "OB", new byte[2 * random.Next(20)]);
        return (file.ToArray(), frames);
    }

    private static (Part10File File, List<string> Frames) RandomNative(Random random, int count)
    {
        ushort rows = (ushort)random.Next(1, 30), columns = (ushort)(2 * random.Next(1, 30)),
        samples = (ushort)(random.Next(3) == 0 ? 3 : 1), bits = (ushort)(random.Next(2) == 0 ? 8 : 16);
        var isHalf = samples == 3 && random.Next(2) == 0;
        var bytes = rows * columns * bits / 8 * (isHalf ? 2 : samples);
        var file = Part10File.Native(
            rows, columns, count, samples, bits, isHalf ? "YBR_FULL_422" : "RGB", random.Next(2) == 0 ? Explicit : Implicit, bytes * count);
        return (file, [.. Counting(bytes * count).Chunk(bytes).Select(Convert.ToHexString)]);
    }

    private static (Part10File File, List<string> Frames) RandomEncapsulated(Random random, int count)
    {
        var form = random.Next(3);
        var frames = new List<string>();
        var fragments = new List<byte[]>();
        var (offsets, lengths) = (new List<ulong>(), new List<ulong>());
        for (var i = 0; i < count; i++)
        {
            offsets.Add((ulong)fragments.Sum(f => f.Length + 8));
            var own = Enumerable.Range(0, form == 2
                && count > 1 ? 1 : random.Next(1, 4)).Select(_ => Counting(2 * random.Next(1, random.Next(10) == 0 ? 3000 : 50))).ToList();
            fragments.AddRange(own);
            frames.Add(Convert.ToHexString([.. own.SelectMany(f => f)]));
            lengths.Add((ulong)own.Sum(f => f.Length) - (ulong)random.Next(2));
        }
        var file = Part10File.Encapsulated(count, form == 0 ? Offsets32([.. offsets.Select(o => (uint)o)]) : [], [.. fragments]);
        if (form == 1) file.Set(0x7FE00001, "OV", Offsets64([.. offsets])).Set(0x7FE00002, "OV", Offsets64([.. lengths]));
        return (file, frames);
    }

    private static void AddAround(Random random, Part10File file, bool isImplicit)
    {
        for (var i = random.Next(12); i > 0; i--)
        {
            var tag = (random.Next(2) == 0 ? 0x00090000u : 0x00400000u) + (uint)random.Next(1, 0xFFFF);
            var value = new byte[2 * random.Next(random.Next(4) == 0 ? 6000 : 40)];
            random.NextBytes(value);
            file.SetRaw(tag, random.Next(4) switch
            {
                0 => Open(tag, "SQ", isImplicit, [.. Enumerable.Range(0, random.Next(4)).Select(_ => Inner())]),
                1 => Element(tag, "SQ", Item(Element(0x00081150, "UI", "1.2\0"u8.ToArray(), isImplicit)), isImplicit),
                2 => Open(tag, "UN", isImplicit, OpenItem(Element(0x00081150, "", value, isImplicit: true))),
                _ => Element(tag, random.Next(2) == 0 ? "OB" : "LT", value, isImplicit),
            });
        }

        byte[] Inner() => random.Next(2) == 0
            ? Item([1, 2, 3, 4])
            : OpenItem(
                Element(0x00280010, "US", UShort(77), isImplicit),
                Open(0x00289010, "SQ", isImplicit, OpenItem(Element(0x7FE00010, "OW", [1, 2], isImplicit))));
    }

    private static List<ReadOnlyMemory<byte>> Pieces(byte[] file, Random random)
    {
        var pieces = new List<ReadOnlyMemory<byte>>();
        for (int at = 0, length; at < file.Length; at += length)
        {
            length = Math.Min(random.Next(random.Next(3) == 0 ? 3 : 700), file.Length - at);
            pieces.Add(file.AsMemory(at, length));
        }
        return pieces;
    }

    private static int ReadSome(ReadOnlyMemory<byte> file, long at, Span<byte> to)
    {
        var count = (int)Math.Clamp(file.Length - at, 0, to.Length);
        if (count > 0) file.Span.Slice((int)at, count).CopyTo(to);
        return count;
    }
}
