using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>
/// The proxy never caches a truncated body and never ends it as complete: a small one is a 502; for a large one the client's
/// connection breaks.
/// </summary>
public sealed class BrokenFrameWalks(BrokenFrameWalks.OnePacs fixture) : IClassFixture<BrokenFrameWalks.OnePacs>
{
    private static readonly (string, string) AsStored = (
        "Accept", "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*");

    private static readonly byte[] Small = Pixels.In(HeldSeries.StoredTransferSyntax, "small", 4000);

    private static readonly byte[] Large = Pixels.In(HeldSeries.StoredTransferSyntax, "large", 600_000);

    private static readonly HeldSeries Held = new("1.2.1.1", "US", 1) { Frames = 1000 };

    private static int _frames;

    private readonly RawPacs _east = fixture.East;

    /// <summary>A frame that no other test requests.</summary>
    private readonly int _frame = Interlocked.Increment(ref _frames);

    private string Path => $"/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/{_frame}";

    /// <summary>One proxy for all faults, and one for those that end with the timeout: it is short there alone.</summary>
    public sealed class OnePacs : IAsyncDisposable
    {
        public OnePacs()
        {
            Patient = new(("east", East.Address));
            Hasty = new(("east", East.Address)) { ["Backends:east:Timeout"] = "00:00:03" };
        }

        public RawPacs East { get; } = new(new HeldStudy("1.2.1").With(Held));

        public ProxyHost Patient { get; }

        public ProxyHost Hasty { get; }

        public async ValueTask DisposeAsync()
        {
            await Patient.DisposeAsync();
            await Hasty.DisposeAsync();
            East.Dispose();
        }
    }

    private static Dictionary<string, Func<RawConnection, byte[], Task>> Faults { get; } = new()
    {
        ["no closing delimiter"] = async (c, body) =>
        {
            await c.SendAsync(Head("Connection: close"));
            await c.SendAsync(body);
            c.Close();
        },
        ["half a closing delimiter"] = async (c, body) =>
        {
            await c.SendAsync(Head("Connection: close"));
            await c.SendAsync(body);
            await c.SendAsync("\r\n--b-");
            c.Close();
        },
        ["reset in the middle"] = async (c, body) =>
        {
            await c.SendAsync(Head("Connection: close"));
            await c.SendAsync(body);
            c.Reset();
        },
        ["content length too long"] = async (c, body) =>
        {
            await c.SendAsync(Head($"Content-Length: {body.Length + 10_000}"));
            await c.SendAsync(body);
            await c.SendAsync("\r\n--b--\r\n");
            c.Close();
        },
        ["content length too short"] = async (c, body) =>
        {
            await c.SendAsync(Head($"Content-Length: {body.Length / 2}"));
            await c.SendAsync(body);
            await c.SendAsync("\r\n--b--\r\n");
        },
        ["the last chunk is missing"] = async (c, body) =>
        {
            await c.SendAsync(Head("Transfer-Encoding: chunked", isChunked: true));
            await c.SendAsync($"{body.Length:x}\r\n");
            await c.SendAsync(body);
            await c.SendAsync("\r\n");
            c.Close();
        },
        ["cut in a chunk"] = async (c, body) =>
        {
            await c.SendAsync(Head("Transfer-Encoding: chunked", isChunked: true));
            await c.SendAsync($"{body.Length * 2:x}\r\n");
            await c.SendAsync(body);
            c.Close();
        },
        ["a chunk's size is not a number"] = async (c, body) =>
        {
            await c.SendAsync(Head("Transfer-Encoding: chunked", isChunked: true));
            await c.SendAsync($"{body.Length:x}\r\n");
            await c.SendAsync(body);
            await c.SendAsync("\r\n-5\r\n");
        },
        ["the part is shorter than it says"] = async (c, body) =>
        {
            await c.SendAsync(Head("Connection: close", partLength: body.Length + 1));
            await c.SendAsync(body);
            await c.SendAsync("\r\n--b--\r\n");
            c.Close();
        },
        ["the part is longer than it says"] = async (c, body) =>
        {
            await c.SendAsync(Head("Connection: close", partLength: body.Length - 1));
            await c.SendAsync(body);
            await c.SendAsync("\r\n--b--\r\n");
            c.Close();
        },
        ["one extra part"] = async (c, body) =>
        {
            await c.SendAsync(Head("Connection: close"));
            await c.SendAsync(body);
            await c.SendAsync("\r\n--b\r\n\r\nmore\r\n--b--\r\n");
            c.Close();
        },
        ["it stops in the middle"] = async (c, body) =>
        {
            await c.SendAsync(Head("Connection: close"));
            await c.SendAsync(body);
            await c.WaitForDisconnectAsync();
        },
    };

    private static Dictionary<string, (int Status, Func<RawConnection, Task> Script)> InvalidAnswers { get; } = new()
    {
        ["two lengths"] = (
            502,
            c => c.SendAsync(
                "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!")),
        ["two lengths in one"] = (
            502, c => c.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 5, 6\r\n\r\nhello!")),
        ["a negative length"] = (
            502, c => c.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: -5\r\n\r\nhello")),
        ["a length that is not a number"] = (
            502, c => c.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 5x\r\n\r\nhello")),
        ["a single part without a length"] = (502, async c =>
        {
            await c.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n\r\nhello");
            c.Close();
        }
        ),
        ["no part"] = (
            502, c => c.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: multipart/related; boundary=b\r\nContent-Length: 7\r\n\r\n--b--\r\n")),
        ["no boundary"] = (
            502, c => c.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: multipart/related\r\nContent-Length: 7\r\n\r\n--b--\r\n")),
        ["a page"] = (502, c => c.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>")),
        ["not HTTP"] = (502, async c =>
        {
            await c.SendAsync("SSH-2.0-OpenSSH_9.2\r\n");
            c.Close();
        }
        ),
        ["headers without an end"] = (
            502, c => c.SendAsync("HTTP/1.1 200 OK\r\n" + string.Concat(Enumerable.Repeat($"X-Long: {new string('x', 1000)}\r\n", 100)))),
        ["nothing"] = (503, c =>
        {
            c.Close();
            return Task.CompletedTask;
        }
        ),
        ["a stall after the head"] = (504, async c =>
        {
            await c.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 5\r\n\r\n");
            await c.WaitForDisconnectAsync();
        }
        ),
        ["a stall before the head"] = (504, c => c.WaitForDisconnectAsync()),
    };

    public static TheoryData<string> FaultNames => [.. Faults.Keys];

    public static TheoryData<string> InvalidAnswerNames => [.. InvalidAnswers.Keys];

    [Theory]
    [MemberData(nameof(FaultNames))]
    public async Task BreaksTheClientsConnectionAndCachesNothing_WhenALargeBodyIsTruncated(string fault)
    {
        _east.On($"/frames/{_frame}", c => Faults[fault](c, Large));

        // A reset may overtake bytes sent before it. Then the proxy has sent nothing yet and returns a problem.
        if (await AskAsync(fault) is { } reply)
        {
            Assert.Equal("reset in the middle", fault);
            Assert.InRange((int)reply.Status, 502, 503);
        }

        await AssertFetchedAgainAsync(fault);
    }

    [Theory]
    [MemberData(nameof(FaultNames))]
    public async Task Returns502AndCachesNothing_WhenASmallBodyIsTruncated(string fault)
    {
        _east.On($"/frames/{_frame}", c => Faults[fault](c, Small));

        // If the PACS pauses before the fault, the proxy may have sent a 200 already; then the client's connection breaks.
        if (await AskAsync(fault) is { } reply) Assert.InRange((int)reply.Status, 502, 504);

        await AssertFetchedAgainAsync(fault);
    }

    [Theory]
    [MemberData(nameof(InvalidAnswerNames))]
    public async Task ReturnsAProblemAndCachesNothing_WhenTheAnswerIsInvalid(string fault)
    {
        _east.On($"/frames/{_frame}", InvalidAnswers[fault].Script);

        (await GetProxy(fault).GetAsync(Path, AsStored)).IsProblem(InvalidAnswers[fault].Status, names: "east");

        await AssertFetchedAgainAsync(fault);
    }

    private ProxyHost GetProxy(string fault) =>
        fault is "it stops in the middle" or "a stall after the head" or "a stall before the head" ? fixture.Hasty : fixture.Patient;

    /// <summary>The reply; null if the connection broke.</summary>
    private async Task<Reply?> AskAsync(string fault)
    {
        try
        {
            return await GetProxy(fault).GetAsync(Path, AsStored);
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private async Task AssertFetchedAgainAsync(string fault)
    {
        _east.Recover();
        var again = await GetProxy(fault).GetAsync(Path, AsStored);
        Assert.Equal("Proxy; fwd=miss; stored", again.CacheStatus);
        Assert.Equal(Held.GetFrame("1.2.1.1.1", _frame), Assert.Single(Parts.Read(again)).Body);
    }

    private static string Head(string header, bool isChunked = false, int? partLength = null)
    {
        var length = partLength is null ? "" : $"Content-Length: {partLength}\r\n";
        var part =
            $"--b\r\nContent-Type: application/octet-stream; transfer-syntax={HeldSeries.StoredTransferSyntax}\r\n{length}\r\n";
        return "HTTP/1.1 200 OK\r\nContent-Type: multipart/related; type=\"application/octet-stream\"; boundary=b\r\n" +
            $"{header}\r\n\r\n{(isChunked ? $"{part.Length:x}\r\n{part}\r\n" : part)}";
    }
}
