using System.Text;
using FsCheck;
using FsCheck.Xunit;
using Proxy.Backends.Transport;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Backends;

public class KeepAliveStreamTests
{
    private const string Head = "HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\nKeep-Alive: timeout=1\r\nContent-Length: 30\r\n\r\n";
    private const string HeadAsRead = "HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\nKeep-Alivx: timeout=1\r\nContent-Length: 30\r\n\r\n";
    private const string Body = "a\r\nKeep-Alive: timeout=1\r\n\r\nbc";

    [Property(MaxTest = 200)]
    public async Task HidesTheHeaderAndKeepsTheBody_InPiecesOfAnySize(DoNotSize<int> any) =>
        Assert.Equal(HeadAsRead + Body, await AskAsync(Head + Body, any.Item, most: 12));

    [Fact]
    public async Task HidesTheHeader_WhenTheAnswerArrivesInOnePiece() =>
        Assert.Equal(HeadAsRead + Body, await AskAsync(Head + Body, 1, most: 100_000));

    [Theory]
    [InlineData("keep-alive: timeout=1")]
    [InlineData("KEEP-ALIVE: timeout=1")]
    [InlineData("Keep-Alive:timeout=1, max=5")]
    public async Task HidesTheHeader_InAnySpelling(string header)
    {
        var read = await AskAsync($"HTTP/1.1 200 OK\r\n{header}\r\n\r\n", 1, 100);
        Assert.DoesNotContain("\nkeep-alive:", read, StringComparison.OrdinalIgnoreCase);
        Assert.EndsWith("\r\n\r\n", read, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nX-Keep-Alive: 1\r\nServer: keep-alive\r\n\r\n")]
    [InlineData("HTTP/1.1 204 No Content\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nKeep-Aliv: 1\r\nKeep: alive\r\n\r\n")]
    public async Task KeepsOtherHeaders(string head) => Assert.Equal(head, await AskAsync(head, 1, 3));

    [Property(MaxTest = 100)]
    public async Task ChangesEveryHeadAndNoBody_OnOneConnection(DoNotSize<int> any)
    {
        var seed = any.Item;
        // Three answers, each after a request; every body holds a line that looks like the header.
        using var connection = new KeepAliveStream(
            PieceStream.Random(Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(Head + Body, 3))), seed, most: 9));
        for (var i = 0; i < 3; i++)
        {
            await connection.WriteAsync("GET / HTTP/1.1\r\n\r\n"u8.ToArray());
            Assert.Equal(HeadAsRead + Body, await ReadAsync(connection, Head.Length + Body.Length));
        }
    }

    /// <summary>
    /// An archive may answer before it has read the whole request (413, 401): its body arrives while the request's body is written.
    /// </summary>
    [Property(MaxTest = 100)]
    public async Task KeepsTheBody_WhileTheRequestIsStillBeingSent(DoNotSize<int> any)
    {
        using var connection = new KeepAliveStream(
            PieceStream.Random(Encoding.ASCII.GetBytes(Head + Body + HeadAsRead), any.Item, most: 9));
        await WriteAsync(connection, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n0123456789", any.Item);
        Assert.Equal(HeadAsRead, await ReadAsync(connection, Head.Length));
        await WriteAsync(connection, "0123456789\r\n\r\n012345", any.Item);
        Assert.Equal(Body[..10], await ReadAsync(connection, 10));
        await WriteAsync(connection, "0123456789--", any.Item);
        Assert.Equal(Body[10..], await ReadAsync(connection, Body.Length - 10));
    }

    [Fact]
    public async Task HidesTheHeaderAgain_AfterARequestWithABody()
    {
        using var connection = new KeepAliveStream(PieceStream.Random(Encoding.ASCII.GetBytes(Head + Body + Head + Body), 1, most: 9));
        await WriteAsync(connection, "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n0123", 1);
        Assert.Equal(HeadAsRead + Body, await ReadAsync(connection, Head.Length + Body.Length));
        await WriteAsync(connection, "GET / HTTP/1.1\r\n\r\n", 1);
        Assert.Equal(HeadAsRead + Body, await ReadAsync(connection, Head.Length + Body.Length));
    }

    [Theory]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")]
    public async Task ChangesNothing_AfterARequestWithoutAKnownLength(string request)
    {
        using var connection = new KeepAliveStream(PieceStream.Random(Encoding.ASCII.GetBytes(Head + Body + Head), 1, most: 9));
        await WriteAsync(connection, request, 1);
        Assert.Equal(HeadAsRead, await ReadAsync(connection, Head.Length));
        await WriteAsync(connection, "4\r\n\r\n\r\n\r\n0\r\n\r\n", 1);
        Assert.Equal(Body + Head, await ReadAsync(connection, Body.Length + Head.Length));
    }

    [Fact]
    public async Task HidesTheHeader_AfterAnInterimAnswer()
    {
        const string Interim = "HTTP/1.1 100 Continue\r\n\r\n";
        Assert.Equal(Interim + HeadAsRead + Body, await AskAsync(Interim + Head + Body, 1, 7));
    }

    [Fact]
    public void HidesTheHeader_InSynchronousReads()
    {
        using var connection = new KeepAliveStream(new MemoryStreamOf(Head));
        connection.Write("GET / HTTP/1.1\r\n\r\n"u8);
        var buffer = new byte[1000];
        Assert.Equal(HeadAsRead, Encoding.ASCII.GetString(buffer, 0, connection.Read(buffer, 0, buffer.Length)));
    }

    /// <summary>Writes in pieces of one to seven bytes.</summary>
    private static async Task WriteAsync(Stream connection, string text, int seed)
    {
        var random = new Random(seed);
        for (int at = 0, next; at < text.Length; at = next)
        {
            next = Math.Min(text.Length, at + random.Next(1, 8));
            await connection.WriteAsync(Encoding.ASCII.GetBytes(text[at..next]));
        }
    }

    private static async Task<string> AskAsync(string answer, int seed, int most)
    {
        using var connection = new KeepAliveStream(PieceStream.Random(Encoding.ASCII.GetBytes(answer), seed, most));
        await connection.WriteAsync("GET / HTTP/1.1\r\n\r\n"u8.ToArray());
        return await ReadAsync(connection, answer.Length);
    }

    private static async Task<string> ReadAsync(Stream connection, int count)
    {
        var buffer = new byte[count];
        await connection.ReadExactlyAsync(buffer);
        return Encoding.ASCII.GetString(buffer);
    }

    private sealed class MemoryStreamOf(string text) : MemoryStream(Encoding.ASCII.GetBytes(text))
    {
        public override void Write(ReadOnlySpan<byte> buffer) { }
    }
}
