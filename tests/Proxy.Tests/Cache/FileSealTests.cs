using FsCheck.Xunit;
using Microsoft.Win32.SafeHandles;
using Proxy.Cache.OnDisk;
using Proxy.Disk;
using Proxy.Tests.Disk;
using Xunit;

namespace Proxy.Tests.Cache;

/// <summary>The encrypted file of an entry: every part reads back, and every change of the file is detected.</summary>
public sealed class FileSealTests : IDisposable
{
    private const int Chunk = FileSeal.ChunkBytes;

    private static readonly byte[] Head = [.. Enumerable.Range(0, 200).Select(i => (byte)i)];

    private readonly KeyRing _keys = Keys.Ring(1);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("file-seal-");

    public static TheoryData<int> Lengths => [0, 1, 100, Chunk - 1, Chunk, Chunk + 1, 2 * Chunk, 3 * Chunk + 7];

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(Lengths))]
    public void ReadsWhatWasWritten(int length)
    {
        var body = GetBody(length);
        using var file = Write(body, [length]);

        Assert.Equal(FileOutput.GetFileBytes(_keys, Head.Length, length), RandomAccess.GetLength(file));
        Assert.Equal(body, ReadAll(file, length));
    }

    [Property(MaxTest = 60)]
    public void ReadsAnyPart_ForAnyCutsOfTheWriter(int length, int[] cuts, int offset, int count)
    {
        length = (int)((uint)length % (4 * Chunk));
        var body = GetBody(length);
        using var file = Write(body, cuts);
        using var seal = Open(file)!;
        offset = length == 0 ? 0 : (int)((uint)offset % (uint)length);
        count = (int)((uint)count % (2 * Chunk));
        var read = new List<byte>();
        var buffer = new byte[Math.Max(1, count / 3)];
        while (read.Count < count && seal.Read(file, length, offset + read.Count, buffer) is > 0 and var got) read.AddRange(buffer[..got]);

        Assert.Equal(body.Skip(offset).Take(Math.Max(0, read.Count)), read);
        Assert.True(read.Count >= Math.Min(count, length - offset));
    }

    /// <summary>Bytes that were appended can be read before the end, also those that wait in memory.</summary>
    [Property(MaxTest = 40)]
    public void ReadsABodyThatGrows(int[] cuts)
    {
        var body = GetBody(3 * Chunk + 5);
        using var file = Create();
        using var output = new FileOutput(file, _keys, Head.Length);
        var buffer = new byte[Chunk];
        foreach (var (start, end) in Cut(body.Length, cuts))
        {
            output.Append(body.AsSpan(start, end - start));
            foreach (var offset in (int[])[0, end / 2, end - 1])
            {
                var count = output.Read(offset, buffer);
                Assert.True(count > 0);
                Assert.Equal(body.AsSpan(offset, count), buffer.AsSpan(0, count));
            }
        }
        output.End(Head);
        Assert.Equal(1, output.Read(body.Length - 1, buffer));
        Assert.Equal(body[^1], buffer[0]);
        Assert.Equal(body, ReadAll(file, body.Length));
    }

    [Property(MaxTest = 200)]
    public void DetectsAFlippedBit(int position, int bit)
    {
        var body = GetBody(Chunk + 100);
        using var file = Write(body, []);
        var at = (uint)position % (uint)RandomAccess.GetLength(file);
        // The head and the prefix are few bytes among many.
        if (position % 2 == 0) at %= 400;
        var value = new byte[1];
        RandomAccess.Read(file, value, at);
        value[0] ^= (byte)(1 << (int)((uint)bit % 8));
        RandomAccess.Write(file, value, at);

        Assert.NotEqual(body, ReadAll(file, body.Length));
        Assert.True(ReadAll(file, body.Length) is null or { Length: 0 or Chunk });
    }

    [Fact]
    public void DetectsATruncation()
    {
        var body = GetBody(2 * Chunk);
        using var file = Write(body, []);
        using var seal = Open(file)!;
        // Without its last chunk, the body would be one that ends with the first.
        Assert.Equal(0, seal.Read(file, Chunk, 0, new byte[Chunk]));
        RandomAccess.SetLength(file, RandomAccess.GetLength(file) - 1);
        Assert.Equal(0, seal.Read(file, body.Length, Chunk, new byte[Chunk]));
    }

    [Fact]
    public void DetectsChunksInAnotherOrder()
    {
        using var file = Write(GetBody(3 * Chunk), []);
        using var seal = Open(file)!;
        var (first, second) = (new byte[FileSeal.SealedChunkBytes], new byte[FileSeal.SealedChunkBytes]);
        RandomAccess.Read(file, first, seal.Start);
        RandomAccess.Read(file, second, seal.Start + FileSeal.SealedChunkBytes);
        RandomAccess.Write(file, second, seal.Start);
        RandomAccess.Write(file, first, seal.Start + FileSeal.SealedChunkBytes);

        Assert.Equal(0, seal.Read(file, 3 * Chunk, 0, new byte[Chunk]));
        Assert.Equal(0, seal.Read(file, 3 * Chunk, Chunk, new byte[Chunk]));
        Assert.Equal(Chunk, seal.Read(file, 3 * Chunk, 2 * Chunk, new byte[Chunk]));
    }

    [Fact]
    public void DetectsAPartOfAnotherFile()
    {
        using var file = Write(GetBody(Chunk), []);
        using var other = Write(GetBody(Chunk), []);
        using var seal = Open(file)!;
        var chunk = new byte[FileSeal.SealedChunkBytes];
        RandomAccess.Read(other, chunk, seal.Start);
        RandomAccess.Write(file, chunk, seal.Start);
        Assert.Equal(0, seal.Read(file, Chunk, 0, new byte[Chunk]));

        var head = new byte[seal.Start - 56];
        RandomAccess.Read(other, head, 56);
        RandomAccess.Write(file, head, 56);
        Assert.Null(ReadAll(file, Chunk));
    }

    [Fact]
    public void EncryptsEqualBodiesDifferently()
    {
        using var file = Write(GetBody(500), []);
        using var other = Write(GetBody(500), []);

        Assert.NotEqual(ReadFile(file).Skip(56), ReadFile(other).Skip(56));
        Assert.Equal(-1, ReadFile(file).AsSpan().IndexOf(GetBody(500).AsSpan(0, 16)));
        Assert.Equal(-1, ReadFile(file).AsSpan().IndexOf(Head.AsSpan(0, 16)));
    }

    [Fact]
    public void IsLocked_WhenItsKeyIsMissing()
    {
        using var file = Write(GetBody(10), []);

        Assert.True(FileSeal.IsLocked(ReadFile(file), Keys.Ring(2)));
        Assert.Null(FileSeal.TryRead(ReadFile(file), Keys.Ring(2)));
        Assert.False(FileSeal.IsLocked(ReadFile(file), Keys.Ring(2, 1)));
        Assert.NotNull(FileSeal.TryRead(ReadFile(file), Keys.Ring(2, 1)));
    }

    private static byte[] GetBody(int length)
    {
        var body = new byte[length];
        new Random(length).NextBytes(body);
        return body;
    }

    private static IEnumerable<(int Start, int End)> Cut(int length, int[] cuts)
    {
        var at = 0;
        foreach (var cut in cuts.Select(cut => (int)((uint)cut % (uint)Math.Max(1, length))).Append(length).Order())
        {
            if (cut > at) yield return (at, cut);
            at = Math.Max(at, cut);
        }
    }

    private static byte[] ReadFile(SafeFileHandle file)
    {
        var bytes = new byte[RandomAccess.GetLength(file)];
        RandomAccess.Read(file, bytes, 0);
        return bytes;
    }

    private SafeFileHandle Create() => File.OpenHandle(
        Path.Join(_folder.FullName, Guid.NewGuid().ToString()), FileMode.CreateNew, FileAccess.ReadWrite);

    private SafeFileHandle Write(byte[] body, int[] cuts)
    {
        var file = Create();
        using var output = new FileOutput(file, _keys, Head.Length);
        foreach (var (start, end) in Cut(body.Length, cuts)) output.Append(body.AsSpan(start, end - start));
        output.End(Head);
        return file;
    }

    private FileSeal? Open(SafeFileHandle file) => FileSeal.TryRead(ReadFile(file), _keys);

    /// <summary>The body up to the first damage; null when the head is damaged.</summary>
    private byte[]? ReadAll(SafeFileHandle file, int length)
    {
        using var seal = Open(file);
        if (seal?.OpenHead(ReadFile(file)) is not { } head || !head.AsSpan().SequenceEqual(Head)) return null;
        var (body, buffer) = (new MemoryStream(), new byte[Chunk]);
        while (seal.Read(file, length, body.Length, buffer) is > 0 and var count) body.Write(buffer, 0, count);
        return body.ToArray();
    }
}
