using System.Net;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Whole studies that are not cached, from a PACS that is slow, beside one that is dead, and the like.</summary>
public sealed class StudyOutageWalks : IAsyncDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";
    private const string Whole = "studies/1.2.1";
    private const string List = "1.2.1/series";
    private const string Accept = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";
    private const string Head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/related; type=\"application/dicom\"; boundary=b\r\n\r\n";

    private static readonly HeldSeries Held = new("1.2.1.1", "CT", 3);

    private readonly RawPacs _east = new(new HeldStudy("1.2.1").With(Held));
    private readonly Gate _rest = new();
    private ProxyHost _proxy = null!;

    public StudyOutageWalks()
    {
        // The first instance, and half of the second; the rest comes when the gate opens.
        _east.On(Whole, async connection =>
        {
            var files = Held.InstanceUids.Select(uid => StudyRequestWalks.Described(uid, "east").Set(0x7FE00010, "OW", Pixels()).ToArray());
            var body = StudyRequestWalks.Answer(files).Body;
            await connection.SendAsync(Head);
            await connection.SendAsync(body[..(body.Length / 2)]);
            await _rest.PassAsync();
            await connection.SendAsync(body[(body.Length / 2)..]);
            connection.Close();
        });
    }

    public async ValueTask DisposeAsync()
    {
        _rest.Open();
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Fact]
    public async Task SendsWhatHasArrived_BeforeTheOnlyPacsHasListedTheStudy()
    {
        Start(null);
        var list = new Gate();
        _east.On(List, async connection =>
        {
            await list.PassAsync();
            var answer = _east.Archive.Answer(Whole + "/series", "", "application/dicom+json");
            await connection.SendAsync(
                $"HTTP/1.1 200 OK\r\nContent-Type: {answer.ContentType}\r\nContent-Length: {answer.Body.Length}\r\n\r\n");
            await connection.SendAsync(answer.Body);
        });

        using var reply = await _proxy.OpenAsync(Study, ("Accept", Accept));
        await using var body = await reply.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
        var text = await ReadUntilAsync(body, "1.2.1.1.2");
        Assert.DoesNotContain("1.2.1.1.3", text, StringComparison.Ordinal);
        _rest.Open();
        await ReadUntilAsync(body, "1.2.1.1.3");
        list.Open();

        Assert.EndsWith("--\r\n", await ReadUntilAsync(body, null), StringComparison.Ordinal);
    }

    [Fact]
    public async Task BreaksTheAnswer_WhenTheOnlyPacsDoesNotListTheStudy()
    {
        var time = new FakeTimeProvider();
        Start(time);
        _rest.Open();
        _east.On(List, connection => connection.SendAsync("HTTP/1.1 500 Error\r\nContent-Length: 0\r\n\r\n"));

        // The request for the list is repeated after a pause.
        await AssertBreaksAsync(time);
    }

    [Fact]
    public async Task BreaksTheAnswer_WhenThePacsHangsWithinAnInstance()
    {
        var time = new FakeTimeProvider();
        Start(time);
        _proxy["Backends:east:Timeout"] = "00:00:02";

        await AssertBreaksAsync(time);
    }

    [Fact]
    public async Task ServesTheStudyAndNamesThePacs_WhenAnotherOneIsDead()
    {
        Start(null, ("west", PartialFailureWalks.DeadAddress()));
        ServeSeries();

        AssertWhole(await _proxy.GetAsync(Study, ("Accept", Accept)));
    }

    [Fact]
    public async Task ServesTheStudyAndNamesThePacs_WhenAnotherOneHangs()
    {
        using var west = new WireMockPacs();
        var (gate, time) = (west.Hang(), new FakeTimeProvider());
        Start(time, ("west", west.Address));
        _proxy["Search:Deadline"] = "00:00:02";
        ServeSeries();

        var getting = _proxy.GetAsync(Study, ("Accept", Accept));
        // No time passes while the other PACS answers.
        await Until.TrueAsync(
            async () => (await _proxy.GetAsync("/store/studies/1.2.1")).Status == HttpStatusCode.OK, "the other one has listed it");
        await Until.TrueAsync(
            () =>
            {
                var isGivenUp = _east.Count("/metadata") > 0;
                if (gate.Arrived > 0 && !isGivenUp) time.Advance(TimeSpan.FromMilliseconds(100));
                return isGivenUp;
            },
            "the hanging PACS is given up");

        AssertWhole(await getting);
        gate.Open();
    }

    private void Start(FakeTimeProvider? time, params IEnumerable<(string Name, string Address)> others)
    {
        _proxy = new ProxyHost([("east", _east.Address), .. others]) { Time = time };
        _proxy["Cache:Disk:Path"] = Path.Combine(_proxy.Root, "cache");
    }

    /// <summary>The answer begins, and breaks as time passes.</summary>
    private async Task AssertBreaksAsync(FakeTimeProvider time)
    {
        using var reply = await _proxy.OpenAsync(Study, ("Accept", Accept));
        var reading = reply.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        await _rest.LetTimePassAsync(time, reading, "the answer ends");

        await Assert.ThrowsAsync<HttpRequestException>(() => reading);
    }

    private void ServeSeries()
    {
        var answer = StudyRequestWalks.Answer(Held.InstanceUids.Select(uid => StudyRequestWalks.File(uid, "east")));
        _east.On("series/1.2.1.1", connection => SendAsync(connection, answer));
    }

    private static void AssertWhole(Reply reply)
    {
        Assert.Equal(3, Parts.Read(reply).Count);
        Assert.Contains("west", reply["Warning"]);
    }

    private static async Task SendAsync(RawConnection connection, PacsAnswer answer)
    {
        await connection.SendAsync(Head);
        await connection.SendAsync(answer.Body);
        connection.Close();
    }

    private static byte[] Pixels() => new byte[40_000];

    /// <summary>Reads until the text has arrived, or, for null, to the end.</summary>
    private static async Task<string> ReadUntilAsync(Stream body, string? end)
    {
        var text = new StringBuilder();
        var buffer = new byte[64 * 1024];
        while (end is null || !text.ToString().Contains(end, StringComparison.Ordinal))
        {
            var count = await body.ReadAsync(buffer, TestContext.Current.CancellationToken);
            if (count == 0) break;
            text.Append(Encoding.Latin1.GetString(buffer, 0, count));
        }
        return text.ToString();
    }
}
