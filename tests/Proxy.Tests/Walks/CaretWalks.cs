using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Finds a name with <c>^</c> in a PACS that does not decode <c>%5E</c>, and in one that refuses the raw character.</summary>
public sealed class CaretWalks : IAsyncDisposable
{
    private const string Named = "/dicomweb/studies?PatientName=DOE%5EJANE";

    private readonly RawPacs _east = new(new HeldStudy("1.2.1"));

    private readonly ProxyHost _proxy;

    public CaretWalks() => _proxy = new(("east", _east.Address)) { ["Search:Freshness"] = "00:00:00" };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Fact]
    public async Task TriesTheRawCharacterAndRemembersIt_WhenTheEscapeFindsNothing()
    {
        _east.On(
            "studies",
            connection => _east.Requests[^1].Target.Contains("%5E", StringComparison.Ordinal)
                ? RespondAsync(connection, 200)
                : _east.AnswerAsync(connection));

        Assert.Equal(["1.2.1"], (await _proxy.GetAsync(Named)).Values("0020000D"));
        Assert.Equal(["1.2.1"], (await _proxy.GetAsync(Named + "&limit=5")).Values("0020000D"));
        Assert.Empty((await _proxy.GetAsync("/dicomweb/studies?PatientName=UNKNOWN%5EJANE")).Rows);
        Assert.Equal(["DOE%5EJANE", "DOE^JANE", "DOE^JANE", "UNKNOWN^JANE"], Names);
    }

    [Fact]
    public async Task SendsOnlyTheEscape_WhenItFindsResults()
    {
        Assert.Equal(["1.2.1"], (await _proxy.GetAsync(Named)).Values("0020000D"));
        Assert.Empty((await _proxy.GetAsync("/dicomweb/studies?PatientName=UNKNOWN%5EJANE")).Rows);
        Assert.Equal(["DOE%5EJANE", "UNKNOWN%5EJANE"], Names);
    }

    [Fact]
    public async Task ReportsNoFailureAndRemembers_WhenThePacsRefusesTheRawCharacter()
    {
        _east.On(
            "studies",
            connection => RespondAsync(connection, _east.Requests[^1].Target.Contains('^', StringComparison.Ordinal) ? 400 : 200));

        for (var i = 0; i < 2; i++)
        {
            var reply = await _proxy.GetAsync(Named);
            Assert.Empty(reply.Rows);
            Assert.Equal("", reply["X-Failed-Backends"]);
        }
        Assert.Equal(["DOE%5EJANE", "DOE^JANE", "DOE%5EJANE"], Names);
    }

    [Fact]
    public async Task FallsBackToTheEscape_WhenThePacsStopsAcceptingTheRawCharacter()
    {
        _east.On(
            "studies",
            connection => _east.Requests[^1].Target.Contains("%5E", StringComparison.Ordinal)
                ? RespondAsync(connection, 200)
                : _east.AnswerAsync(connection));
        await _proxy.GetAsync(Named);
        _east.On(
            "studies",
            connection => _east.Requests[^1].Target.Contains('^', StringComparison.Ordinal)
                ? RespondAsync(connection, 400)
                : _east.AnswerAsync(connection));

        Assert.Equal(["1.2.1"], (await _proxy.GetAsync(Named)).Values("0020000D"));
    }

    private IEnumerable<string> Names => _east.Requests.Select(r => r.Target.Split("PatientName=")[1].Split('&')[0]);

    private static Task RespondAsync(RawConnection connection, int status) =>
        connection.SendAsync($"HTTP/1.1 {status} Status\r\nContent-Type: application/dicom+json\r\nContent-Length: 2\r\n\r\n[]");
}
