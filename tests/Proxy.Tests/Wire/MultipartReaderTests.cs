using System.Text;
using FsCheck;
using FsCheck.Xunit;
using Proxy.Wire;
using Xunit;

namespace Proxy.Tests.Wire;

public class MultipartReaderTests
{
    private const string Boundary = "b-1";

    private static readonly int[] Sizes = [1, 3, 20, 500, 100_000];

    private static CancellationToken Stopped => TestContext.Current.CancellationToken;

    [Property(MaxTest = 200)]
    public async Task ReadsWrittenPartsBack_ForAnyChunking(DoNotSize<int> any)
    {
        var seed = any.Item;
        var random = new Random(seed);
        var boundary = RandomBoundary(random);
        var parts = RandomParts(random, boundary);
        var read = await ReadAsync(PieceStream.Random(Write(boundary, parts), seed, most: Sizes[random.Next(Sizes.Length)]), boundary);
        Assert.Equal(parts.Select(Convert.ToHexString), read.Select(p => Convert.ToHexString(p.Body)));
        Assert.All(read, p => Assert.Equal("application/octet-stream", p.Type));
        Assert.Equal(parts.Select(p => (long?)p.Length), read.Select(p => p.Length));
    }

    [Property(MaxTest = 60)]
    public async Task RefusesAPrefix(DoNotSize<int> any)
    {
        var seed = any.Item;
        var random = new Random(seed);
        var whole = Write(Boundary, RandomParts(random, Boundary)).AsMemory();
        // The last line end belongs to no part: a body without it is complete.
        whole = whole[..^2];
        for (var i = 0; i < 30; i++)
        {
            var cut = whole[..(i == 0 ? whole.Length - 1 : random.Next(whole.Length))];
            await Assert.ThrowsAsync<MalformedAnswerException>(() => ReadAsync(PieceStream.Random(cut, seed, 300), Boundary));
        }
    }

    [Property(MaxTest = 500)]
    public async Task RefusesADamagedBody_OrReadsOtherParts(DoNotSize<int> any)
    {
        var seed = any.Item;
        var random = new Random(seed);
        var body = Write(Boundary, [new byte[random.Next(40)], new byte[random.Next(40)]]);
        for (var i = random.Next(1, 4); i > 0; i--) body[random.Next(body.Length)] = (byte)random.Next(256);
        try
        {
            await ReadAsync(new MemoryStream(body), Boundary);
        }
        catch (MalformedAnswerException)
        {
        }
    }

    [Theory]
    [InlineData("ignored\r\n--b-1\r\n\r\nx\r\n--b-1--")]
    [InlineData("\r\n--b-1\r\n\r\nx\r\n--b-1--\r\n")]
    [InlineData("--b-1\r\n\r\nx\r\n--b-1--epilogue\r\n--b-1\r\nmore")]
    [InlineData("--b-1  \t\r\n\r\nx\r\n--b-1--")]
    [InlineData("--b-10\r\n\r\n--b-1\r\n\r\nx\r\n--b-1--")]
    public async Task SkipsPreambleAndEpilogue(string body) => Assert.Equal(["x"], await ReadTextAsync(body));

    [Theory]
    [InlineData("\r\n--b-1x")]
    [InlineData("\r\n--b-")]
    [InlineData("\r\n--")]
    [InlineData("\r\n")]
    [InlineData("--b-1")]
    [InlineData("--b-1--")]
    [InlineData("\n--b-1\n")]
    [InlineData("\r--b-1--")]
    [InlineData("\r\n--b-1 x")]
    [InlineData("\r\n--b-1\n")]
    [InlineData("\r\n--b-1-")]
    [InlineData("\r\n\r\n--b-11\r\n")]
    public async Task ReadsALineLikeTheDelimiterAsData(string data) =>
        Assert.Equal(
            [$"a{data}z", data], await ReadTextAsync($"--b-1\r\n\r\na{data}z\r\n--b-1\r\nContent-Type: a/b\r\n\r\n{data}\r\n--b-1--"));

    [Fact]
    public async Task AcceptsAPartWithoutHeadersOrBody()
    {
        var parts = await ReadAsync(Bytes("--b-1\r\n\r\nx\r\n--b-1\r\nContent-Type: a/b\r\n\r\n\r\n--b-1\r\n\r\n\r\n--b-1--"), Boundary);
        Assert.Equal([("x", null), ("", "a/b"), ("", null)], parts.Select(p => (Encoding.ASCII.GetString(p.Body), p.Type)));
    }

    [Fact]
    public async Task AcceptsABodyWithoutParts() => Assert.Empty(await ReadTextAsync("--b-1--\r\n"));

    [Fact]
    public async Task ReadsABodyThatLooksLikeHeaders() =>
        Assert.Equal(["\r\nContent-Type: a/b\r\n\r\n"], await ReadTextAsync("--b-1\r\n\r\n\r\nContent-Type: a/b\r\n\r\n\r\n--b-1--"));

    [Fact]
    public async Task ReadsANestedMultipartAsData() =>
        Assert.Equal(
            ["--b-2\r\n\r\nx\r\n--b-2--"],
            await ReadTextAsync("--b-1\r\nContent-Type: multipart/related; boundary=b-2\r\n\r\n--b-2\r\n\r\nx\r\n--b-2--\r\n--b-1--"));

    [Theory]
    [InlineData("Content-Type: image/jp2; transfer-syntax=1.2\r\nContent-Length: 1", "image/jp2", 1L)]
    [InlineData("content-length:1\r\nCONTENT-TYPE:image/jp2", "image/jp2", 1L)]
    [InlineData("Content-Length: one", null, null)]
    [InlineData("Content-Length: -1", null, null)]
    [InlineData("Content-Length: +1", null, null)]
    [InlineData("X-Other: y\r\nno colon here\r\n: nothing", null, null)]
    [InlineData("Content-Type: nonsense", null, null)]
    public async Task ReadsThePartsOwnHeaders(string headers, string? type, long? length)
    {
        var part = Assert.Single(await ReadAsync(Bytes($"--b-1\r\n{headers}\r\n\r\nx\r\n--b-1--"), Boundary));
        Assert.Equal((type, length), (part.Type, part.Length));
    }

    [Fact]
    public async Task AcceptsABoundaryOf70SpecialCharacters()
    {
        var boundary = "=_'()+_,-./:?" + new string('x', 56) + "=";
        Assert.Equal(70, boundary.Length);
        Assert.Equal([[1, 2], []], (await ReadAsync(new MemoryStream(Write(boundary, [[1, 2], []])), boundary)).Select(p => p.Body));
    }

    [Theory]
    [InlineData("--b-1\n\nx\n--b-1--\n")]
    [InlineData("--b-1\r\n\r\nx\n--b-1--\n")]
    [InlineData("")]
    [InlineData("--b-1")]
    [InlineData("--b-1-")]
    [InlineData("--other\r\n\r\nx\r\n--other--")]
    [InlineData("<html>Please log in</html>")]
    [InlineData("x--b-1--")]
    public async Task RefusesABodyWithoutDelimiters(string body) =>
        await Assert.ThrowsAsync<MalformedAnswerException>(() => ReadTextAsync(body));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    public void RefusesABodyWithoutBoundary(string? boundary) =>
        Assert.Throws<MalformedAnswerException>(() => new MultipartReader(Stream.Null, boundary));

    [Fact]
    public void RefusesATooLongBoundary() =>
        Assert.Throws<MalformedAnswerException>(() => new MultipartReader(Stream.Null, new string('b', 201)));

    [Fact]
    public async Task RefusesTooLongHeaders()
    {
        await Assert.ThrowsAsync<MalformedAnswerException>(() => ReadTextAsync("--b-1\r\nX: " + new string('x', 200_000)));
        Assert.Equal(["x"], await ReadTextAsync("--b-1\r\nX: " + new string('x', 15_000) + "\r\n\r\nx\r\n--b-1--"));
    }

    [Fact]
    public async Task ReadsAHundredThousandTinyParts()
    {
        using var reader = new MultipartReader(
            new MemoryStream(Write(Boundary, [.. Enumerable.Repeat(new byte[] { 1 }, 100_000)])), Boundary);
        var count = 0;
        while (await reader.ReadPartAsync(Stopped) is not null) count++;
        Assert.Equal(100_000, count);
    }

    [Fact]
    public async Task UsesOneBuffer_ForALargePart()
    {
        const int Bytes = 200 * 1024 * 1024;
        var piece = new byte[60_000];
        var sent = 0;
        var stream = new EndlessStream(buffer =>
        {
            var text = sent == 0 ? "--b-1\r\n\r\n"u8 : sent >= Bytes ? "\r\n--b-1--"u8 : piece;
            text = text[..Math.Min(text.Length, buffer.Length)];
            text.CopyTo(buffer.Span);
            sent += text.Length;
            return text.Length;
        });
        using var reader = new MultipartReader(stream, Boundary);
        var read = 0L;
        var some = new byte[64 * 1024];
        var before = GC.GetAllocatedBytesForCurrentThread();

        await reader.ReadPartAsync(Stopped);
        for (int count; (count = await reader.ReadBodyAsync(some, Stopped)) > 0;) read += count;

        Assert.True(read >= Bytes - piece.Length);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2 * 1024 * 1024);
    }

    private static MemoryStream Bytes(string text) => new(Encoding.Latin1.GetBytes(text));

    private static async Task<List<string>> ReadTextAsync(string body) =>
        [.. (await ReadAsync(Bytes(body), Boundary)).Select(p => Encoding.Latin1.GetString(p.Body))];

    private static async Task<List<(string? Type, long? Length, byte[] Body)>> ReadAsync(Stream stream, string boundary)
    {
        using var reader = new MultipartReader(stream, boundary);
        var parts = new List<(string?, long?, byte[])>();
        while (await reader.ReadPartAsync(Stopped) is { } part)
        {
            var body = new MemoryStream();
            for (ReadOnlyMemory<byte> piece; !(piece = await reader.ReadBodyAsync(Stopped)).IsEmpty;) body.Write(piece.Span);
            parts.Add((part.ContentType?.Type, part.Length, body.ToArray()));
        }
        Assert.Null(await reader.ReadPartAsync(Stopped));
        return parts;
    }

    private static byte[] Write(string boundary, IReadOnlyList<byte[]> parts)
    {
        var writer = new MultipartWriter(boundary);
        var body = new MemoryStream();
        for (var i = 0; i < parts.Count; i++)
        {
            body.Write(writer.CreatePartHead(i == 0, "application/octet-stream", "http://h/x", parts[i].Length));
            body.Write(parts[i]);
        }
        body.Write(writer.End());
        return body.ToArray();
    }

    private static string RandomBoundary(Random random)
    {
        const string Characters = "'()+_,-./:=?0aZ";
        return string.Concat(Enumerable.Range(0, random.Next(1, 71)).Select(_ => Characters[random.Next(Characters.Length)]));
    }

    /// <summary>
    /// Bytes with many fragments of delimiters; the total length sometimes exceeds the reader's buffer.
    /// </summary>
    private static List<byte[]> RandomParts(Random random, string boundary)
    {
        var parts = new List<byte[]>();
        for (var i = random.Next(1, 6); i > 0; i--)
        {
            var body = new MemoryStream();
            for (var j = random.Next(20); j > 0; j--)
            {
                body.Write(random.Next(6) switch
                {
                    0 => "\r\n--"u8,
                    1 => Encoding.Latin1.GetBytes("--" + boundary),
                    2 => Encoding.Latin1.GetBytes("\r\n--" + boundary[..^1]),
                    3 => "\r\r\n"u8,
                    4 => new byte[random.Next(20) == 0 ? 90_000 : 9],
                    _ => "\r\n-"u8,
                });
            }
            var bytes = body.ToArray();
            // A writer chooses a boundary that does not occur in the data.
            if (bytes.AsSpan().IndexOf(Encoding.Latin1.GetBytes("\r\n--" + boundary)) < 0
                && !bytes.AsSpan().StartsWith(Encoding.Latin1.GetBytes("--" + boundary)))
                parts.Add(bytes);
        }
        return parts.Count == 0 ? [[]] : parts;
    }

    /// <summary>A stream whose bytes come from a function.</summary>
    private sealed class EndlessStream(Func<Memory<byte>, int> give) : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            ValueTask.FromResult(give(buffer));
    }
}
