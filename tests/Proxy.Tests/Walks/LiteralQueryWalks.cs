using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Finds names and descriptions in a PACS that does not decode a query, as Orthanc 1.10 does not.</summary>
public sealed class LiteralQueryWalks : IAsyncDisposable
{
    private const string Studies = "/dicomweb/studies";

    private readonly WireMockPacs _east = new(
        new HeldStudy("1.2.1") { Date = "20240103", PatientName = "山田^太郎" }.With("1.2.1.1"),
        new HeldStudy("1.2.2") { Date = "20240102", PatientName = "Müller^Jörg" }.With("1.2.2.1"),
        new HeldStudy("1.2.3") { Date = "20240101", PatientName = "Miller^Jim", Description = "CT Chest" }.With("1.2.3.1"));

    private readonly ProxyHost _proxy;

    public LiteralQueryWalks() => _proxy = new(("east", _east.Address)) { ["Search:Freshness"] = "00:00:00" };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    /// <summary>The fake PACS does not match descriptions: the proxy then checks once whether it ignores searches.</summary>
    [Theory]
    [InlineData("PatientName", "山田*", "1.2.1", 5)]
    [InlineData("PatientName", "*太郎", "1.2.1", 5)]
    [InlineData("PatientName", "*ü*", "1.2.2", 5)]
    [InlineData("PatientName", "北*", "", 5)]
    [InlineData("StudyDescription", "CT Chest", "1.2.3", 6)]
    public async Task MatchesHere_WhenThePacsTakesEscapesLiterally(string attribute, string value, string study, int all)
    {
        _east.Respond(request => request.Query.Contains('%', StringComparison.Ordinal) ? PacsAnswer.Json("[]") : null);

        foreach (var asked in (int[])[4, all])
        {
            var reply = await _proxy.GetAsync($"{Studies}?{attribute}={Uri.EscapeDataString(value)}");
            Assert.Equal(study.Split(',', StringSplitOptions.RemoveEmptyEntries), reply.Values("0020000D"));
            Assert.Empty(reply.Warnings);
            Assert.Equal(asked, _east.Requests.Count);
        }
    }

    [Fact]
    public async Task AsksOnceMore_WhenThePacsDecodes()
    {
        foreach (var asked in (int[])[2, 3])
        {
            Assert.Empty((await _proxy.GetAsync(Studies + "?PatientName=" + Uri.EscapeDataString("北*"))).Rows);
            Assert.Equal(asked, _east.Requests.Count);
        }
        Assert.Contains("PatientName=%2A", _east.Requests[1].Query, StringComparison.Ordinal);
    }
}
