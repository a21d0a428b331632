using System.Net;
using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>What a client deleted or rejected through the proxy is gone at once.</summary>
public sealed class ForwardedChangeWalks : IAsyncDisposable
{
    private const string Root = "/backends/east/dicomweb";
    private const string Study = "/dicomweb/studies/1.2.1";
    private const string Series = Study + "/series/1.2.1.1";

    private static readonly (string, string) AsStored =
        ("Accept", "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*");

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 2).With("1.2.1.2", "CT", 2));

    private readonly ProxyHost _proxy;

    public ForwardedChangeWalks() => _proxy = new(("east", _east.Address))
    {
        Time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(56)),
        ["Backends:east:Forward"] = "true",
        ["Search:Freshness"] = "01:00:00",
        ["Cache:Metadata:Freshness"] = "01:00:00",
    };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Theory]
    [InlineData(200, true)]
    [InlineData(500, true)]
    [InlineData(200, false)]
    public async Task ForgetsADeletedStudy_InAnyOutcome(int status, bool deniesUnknownStudies)
    {
        await ReadAsync();
        if (!deniesUnknownStudies)
            _east.On("1.2.1/series", r => _east.Archive.Answer("studies", "", "").Body.Length > 2 ? null : PacsAnswer.Json("[]"));
        using var listener = await Listener.OpenAsync(_proxy);
        Change("1.2.1", status, () => _east.Archive.Drop("1.2.1"));

        Assert.Equal(status, (int)(await _proxy.SendAsync(HttpMethod.Delete, Root + "/studies/1.2.1", [])).Status);

        Assert.Empty((await _proxy.GetAsync("/dicomweb/studies")).Rows);
        (await _proxy.GetAsync(Series + "/metadata")).IsProblem(404);
        (await _proxy.GetAsync(Series + "/instances/1.2.1.1.1/frames/1", AsStored)).IsProblem(404);
        await Until.TrueAsync(() => listener.Names.Contains("STUDY_REMOVED"));
        Assert.Equal(["SERIES_REMOVED", "SERIES_REMOVED", "STUDY_REMOVED"], listener.Names);
    }

    [Fact]
    public async Task RaisesNoEvent_ForAStudyThatNoClientHasSeen()
    {
        await _proxy.SendAsync(HttpMethod.Post, "/prefetch", [("Content-Type", "application/json")], """{"studies":["1.2.1"]}""");
        await Until.TrueAsync(async () => (await _proxy.GetAsync("/store/studies/1.2.1")).Text.Contains("1.2.1.2.2"));
        using var listener = await Listener.OpenAsync(_proxy, "?event=SERIES_REMOVED,STUDY_REMOVED");
        Change("1.2.1", 200, () => _east.Archive.Drop("1.2.1"));

        await _proxy.SendAsync(HttpMethod.Delete, Root + "/studies/1.2.1", []);
        await Until.TrueAsync(async () => !(await _proxy.GetAsync("/store/studies/1.2.1")).Text.Contains("1.2.1.2"));
        // A second change, which clients have seen, tells that the events of the first one have passed.
        _east.Hold(new HeldStudy("1.2.5").With("1.2.5.1"));
        await _proxy.GetAsync("/dicomweb/studies/1.2.5/series");
        Change("1.2.5", 200, () => _east.Archive.Drop("1.2.5"));
        await _proxy.SendAsync(HttpMethod.Delete, Root + "/studies/1.2.5", []);

        await Until.TrueAsync(() => listener.Names.Contains("STUDY_REMOVED"));
        Assert.All(listener.Events, e => Assert.Equal("1.2.5", e.Data["StudyInstanceUID"]!.GetValue<string>()));
    }

    [Fact]
    public async Task ForgetsARejectedInstance_AndKeepsThePixelsOfOthers()
    {
        await ReadAsync();
        Change("reject/113001%5EDCM", 204, () => _east.Hold(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 1).With("1.2.1.2", "CT", 2)));

        var reply = await _proxy.SendAsync(
            HttpMethod.Post, Root + "/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.2/reject/113001%5EDCM", []);

        Assert.Equal(HttpStatusCode.NoContent, reply.Status);
        Assert.Equal(["1.2.1.1.1"], (await _proxy.GetAsync(Series + "/metadata")).Values("00080018"));
        (await _proxy.GetAsync(Series + "/instances/1.2.1.1.2/frames/1", AsStored)).IsProblem(404);
        Assert.Equal(HttpStatusCode.OK, (await _proxy.GetAsync(Series + "/instances/1.2.1.1.1/frames/1", AsStored)).Status);
        Assert.Equal(1, _east.Count("1.2.1.1.1/frames/1"));
    }

    private void Change(string pathEnd, int status, Action change) => _east.On(pathEnd, request =>
    {
        if (request.Method == "GET") return null;
        change();
        return PacsAnswer.Text(status, "application/json", "");
    });

    private async Task ReadAsync()
    {
        await _proxy.GetAsync("/dicomweb/studies");
        await _proxy.GetAsync(Series + "/metadata");
        foreach (var instance in (string[])["1.2.1.1.1", "1.2.1.1.2"])
            await _proxy.GetAsync($"{Series}/instances/{instance}/frames/1", AsStored);
    }
}
