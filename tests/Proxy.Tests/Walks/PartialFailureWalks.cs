using System.Text;
using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A failed PACS costs its own rows only, and the proxy never replaces its failure with an empty list.</summary>
public sealed class PartialFailureWalks(PartialFailureWalks.TwoPacs fixture) : IClassFixture<PartialFailureWalks.TwoPacs>
{
    private const string Search = "/dicomweb/studies?PatientID=P1";

    private static readonly HeldStudy EastStudy = new HeldStudy("1.2.1").With("1.2.1.1");

    private static readonly HeldStudy WestStudy = new HeldStudy("1.2.2").With("1.2.2.1");

    private static readonly Dictionary<string, PacsAnswer> BadAnswers = new()
    {
        ["500"] = PacsAnswer.Text(500, "text/plain", "no"),
        ["503"] = PacsAnswer.Text(503, "text/plain", "no"),
        ["401"] = PacsAnswer.Text(401, "text/plain", "who are you?"),
        ["403"] = PacsAnswer.Text(403, "text/plain", "not you"),
        ["404 at the root"] = PacsAnswer.NotFound,
        ["redirect"] = PacsAnswer.Text(302, "text/plain", "") with { Headers = [("Location", "http://127.0.0.1:9/dicom-web/studies")] },
        ["log-in page"] = PacsAnswer.Text(200, "text/html", "<html>Please log in</html>"),
        ["log-in page as JSON"] = PacsAnswer.Json("<html>Please log in</html>"),
        ["empty"] = PacsAnswer.Json(""),
        ["null"] = PacsAnswer.Json("null"),
        ["object"] = PacsAnswer.Json("{}"),
        ["array of null"] = PacsAnswer.Json("[null]"),
        ["truncated"] = PacsAnswer.Json("""[{"0020000D":{"vr":"UI","Value":["1.2.2"]}},{"0020000D":{"vr":"UI","Va"""),
        ["lacks its bracket"] = PacsAnswer.Json("""[{"0020000D":{"vr":"UI","Value":["1.2.2"]}}"""),
        ["depth 10,000"] = PacsAnswer.Json("[{\"00081115\":" + new string('[', 10_000) + new string(']', 10_000) + "}]"),
        ["not UTF-8"] = new(
            200, "application/dicom+json", Encoding.Latin1.GetBytes(
                """[{"0020000D":{"vr":"UI","Value":["1.2.2"]},"00081030":{"vr":"LO","Value":["Schädel"]}}]""")),
        ["an unrequested encoding"] = PacsAnswer.Json("[]") with { Headers = [("Content-Encoding", "br")] },
    };

    public static TheoryData<string> Names => [.. BadAnswers.Keys];

    /// <summary>One proxy for all faults; each test searches for a value that no earlier test used.</summary>
    public sealed class TwoPacs : IAsyncDisposable
    {
        public TwoPacs() => Proxy = new(("east", East.Address), ("west", West.Address));

        public WireMockPacs East { get; } = new(EastStudy);

        public WireMockPacs West { get; } = new(WestStudy);

        public ProxyHost Proxy { get; }

        public async ValueTask DisposeAsync()
        {
            await Proxy.DisposeAsync();
            East.Dispose();
            West.Dispose();
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task ReturnsTheOtherRowsAndNamesThePacs_WhenOneFails(string fault)
    {
        var search = $"{Search}&StudyDescription=one,{Uri.EscapeDataString(fault)}";
        fixture.West.Respond(BadAnswers[fault]);

        AssertOnlyEast(await fixture.Proxy.GetAsync(search));

        fixture.West.Recover();
        var recovered = await fixture.Proxy.GetAsync(search);
        Assert.Equal(2, recovered.Rows.Count);
        Assert.Empty(recovered.Warnings);
        Assert.Equal("", recovered["X-Failed-Backends"]);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task ReturnsAProblem_WhenEveryBackendFails(string fault)
    {
        fixture.East.Respond(BadAnswers[fault]);
        fixture.West.Respond(BadAnswers[fault]);

        var reply = await fixture.Proxy.GetAsync($"{Search}&StudyDescription=all,{Uri.EscapeDataString(fault)}");

        fixture.East.Recover();
        fixture.West.Recover();
        reply.IsProblem(502, names: "east");
        reply.IsProblem(502, names: "west");
    }

    [Fact]
    public async Task IgnoresRows_WhenTheyAreOfAnotherStudy()
    {
        using var east = new WireMockPacs(EastStudy);
        using var west = new WireMockPacs();
        await using var proxy = new ProxyHost(("east", east.Address), ("west", west.Address));
        west.Respond(PacsAnswer.Json("""[{"0020000D":{"vr":"UI","Value":["1.2.666"]}}]"""));

        AssertOnlyEast(await proxy.GetAsync("/dicomweb/studies?StudyInstanceUID=1.2.1"));
    }

    [Fact]
    public async Task NamesThePacs_WhenItIsDead()
    {
        using var east = new WireMockPacs(EastStudy);
        await using var proxy = new ProxyHost(("east", east.Address), ("west", DeadAddress()));

        AssertOnlyEast(await proxy.GetAsync(Search));
        AssertOnlyEast(await proxy.GetAsync(Search));
    }

    [Fact]
    public async Task StopsWaitingAtTheDeadline_WhenAPacsHangs()
    {
        using var east = new WireMockPacs(EastStudy);
        using var west = new WireMockPacs(WestStudy);
        var time = new FakeTimeProvider();
        await using var proxy = new ProxyHost(("east", east.Address), ("west", west.Address)) { Time = time };
        var gate = west.Hang();

        var search = proxy.GetAsync(Search);
        await Until.TrueAsync(async () => await proxy.AskedAsync("east") == 1, "the east has answered");
        await gate.LetTimePassAsync(time, search, "the deadline passes");

        AssertOnlyEast(await search);
        Assert.False(gate.IsOpen);
        west.Recover();
        Assert.Equal(2, (await proxy.GetAsync(Search)).Rows.Count);
    }

    [Fact]
    public async Task Returns503WithRetryAfter_WhenEveryPacsIsUnreachable()
    {
        await using var proxy = new ProxyHost(("east", DeadAddress()), ("west", DeadAddress()));

        var reply = await proxy.GetAsync(Search);

        reply.IsProblem(503);
        Assert.True(int.Parse(reply["Retry-After"], System.Globalization.CultureInfo.InvariantCulture) > 0);
        (await proxy.GetAsync("/dicomweb/studies/1.2.1/series")).IsProblem(503);
        (await proxy.GetAsync("/dicomweb/studies/1.2.1/metadata")).IsProblem(503);
        (await proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata")).IsProblem(503);
        (await proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1")).IsProblem(503);
    }

    [Fact]
    public async Task Returns504_WhenEveryPacsIsLate()
    {
        using var east = new WireMockPacs(EastStudy);
        using var west = new WireMockPacs(WestStudy);
        await using var proxy = new ProxyHost(("east", east.Address), ("west", west.Address)) { ["Search:Deadline"] = "00:00:00.5" };
        east.Hang();
        west.Hang();

        (await proxy.GetAsync(Search)).IsProblem(504);
        (await proxy.GetAsync("/dicomweb/studies/1.2.1/series")).IsProblem(504);
    }

    [Fact]
    public async Task Returns502_WhenABackendRefusesTheProxysCredentials()
    {
        using var east = new WireMockPacs(EastStudy);
        await using var proxy = new ProxyHost(("east", east.Address));
        east.Fail(401);

        foreach (var path in (string[])[
            "/studies", "/studies/1.2.1/series", "/studies/1.2.1/series/1.2.1.1/metadata",
            "/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1"])
        {
            var reply = await proxy.GetAsync("/dicomweb" + path);
            reply.IsProblem(502);
            Assert.Equal("", reply["WWW-Authenticate"]);
        }
    }

    [Fact]
    public async Task DropsTheRow_WhenItHasNoUid()
    {
        using var east = new WireMockPacs(EastStudy);
        using var west = new WireMockPacs();
        await using var proxy = new ProxyHost(("east", east.Address), ("west", west.Address));
        west.Respond(PacsAnswer.Json(
            """[{"00080020":{"vr":"DA","Value":["20240101"]}},""" +
            """{"0020000D":{"vr":"UI","Value":["../etc"]}},{"0020000D":{"vr":"UI","Value":["1.2.2"]}}]"""));

        var reply = await proxy.GetAsync(Search);

        Assert.Equal(["1.2.1", "1.2.2"], reply.Values("0020000D").Order());
        Assert.Contains("west: 2 results without a valid UID", Assert.Single(reply.Warnings));
    }

    /// <summary>An address without a listener.</summary>
    internal static string DeadAddress() => $"http://127.0.0.1:{FreePort.Next()}/dicom-web";

    private static void AssertOnlyEast(Reply reply)
    {
        Assert.Equal(200, (int)reply.Status);
        Assert.Equal(["1.2.1"], reply.Values("0020000D"));
        var warning = Assert.Single(reply.Warnings);
        Assert.StartsWith("299 ", warning);
        Assert.Contains("west", warning);
        Assert.Equal("west", reply["X-Failed-Backends"]);
        Assert.Equal("no-store", reply["Cache-Control"]);
    }
}
