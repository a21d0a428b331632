using Microsoft.Extensions.DependencyInjection;
using Proxy.Events;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>HEAD of bodies: the headers of a GET, without making the body (RFC 9110 §9.3.2).</summary>
public sealed class HeadWalks : IDisposable
{
    private const string Instance = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1";
    private const string AsStored = "application/octet-stream; transfer-syntax=*";

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With(new HeldSeries("1.2.1.1", "CT", 1) { Frames = 3 }));

    private readonly ProxyHost _proxy;

    public HeadWalks() => _proxy = new(("east", _east.Address));

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    [Theory]
    [InlineData(Instance, "application/dicom; transfer-syntax=*")]
    [InlineData(Instance, "multipart/related; type=\"application/dicom\"; transfer-syntax=*")]
    [InlineData(Instance + "/frames/1", AsStored)]
    [InlineData(Instance + "/frames/1", "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*")]
    [InlineData(Instance + "/frames/1,2,3", "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*")]
    public async Task AnswersHeadLikeGet_AndCachesTheBody(string path, string accept)
    {
        var head = await _proxy.SendAsync(HttpMethod.Head, path, [("Accept", accept)]);
        await Until.TrueAsync(async () =>
            (await _proxy.SendAsync(HttpMethod.Head, path, [("Accept", accept)])).CacheStatus == "Proxy; hit");
        var asked = _east.Count("/1.2.1.1.1") + _east.Count("/frames/1");
        var get = await _proxy.GetAsync(path, ("Accept", accept));

        Assert.Empty(head.Body);
        Assert.NotEmpty(get.Body);
        foreach (var header in (string[])["Content-Type", "Content-Length", "ETag", "Vary", "Accept-Ranges", "Content-Disposition"])
            Assert.Equal(get.Comparable[header], head.Comparable[header]);
        Assert.Equal(1, asked);
        Assert.Equal(1, _east.Count("/1.2.1.1.1") + _east.Count("/frames/1"));
    }

    /// <summary>The proxy's own endpoints.</summary>
    [Fact]
    public async Task AnswersHeadLikeGet_OutsideOfDicomWeb()
    {
        await _proxy.GetAsync(Instance + "/metadata");
        var job = (string)(await _proxy.SendAsync(
            HttpMethod.Post, "/prefetch", [("Content-Type", "application/json")], """{"studies":["1.2.1"]}""")).Json["id"]!;
        foreach (var path in (string[])[
            "/", "/page/any/app.js", "/favicon.svg", "/health/live", "/health/ready", "/cache", "/store/studies", "/store/studies/1.2.1",
            "/store/studies/1.2.1/series/1.2.1.1", "/store/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1",
            $"/store/instance?imageId=wadors:{Instance}/frames/1", "/prefetch", "/prefetch/" + job, "/openapi.json", "/metrics",
            "/ohif/app-config.js"])
        {
            var (head, get) = (await _proxy.SendAsync(HttpMethod.Head, path, []), await _proxy.GetAsync(path));

            Assert.True((int)head.Status == 200, $"{path}: {head.Status}");
            Assert.Empty(head.Body);
            foreach (var header in (string[])["Content-Type", "Cache-Control", "X-Backend", "Content-Security-Policy"])
                Assert.Equal(get[header], head[header]);
        }
        foreach (var path in (string[])["/store/studies/9.9", "/prefetch/none", "/store/studies/x"])
            Assert.InRange((int)(await _proxy.SendAsync(HttpMethod.Head, path, [])).Status, 400, 404);
    }

    [Fact]
    public async Task StreamsNoEvents_ForHead()
    {
        var reply = await _proxy.SendAsync(HttpMethod.Head, "/events", []);

        Assert.Equal((200, "text/event-stream", "no-store"), ((int)reply.Status, reply["Content-Type"], reply["Cache-Control"]));
        Assert.Equal(0, _proxy.Services.GetRequiredService<EventStreams>().Open);
        Assert.Equal(400, (int)(await _proxy.SendAsync(HttpMethod.Head, "/events?event=NONE", [])).Status);
    }

    [Fact]
    public async Task AsksForOneFrameOnly_ForHeadOfAList()
    {
        await _proxy.SendAsync(
            HttpMethod.Head, Instance + "/frames/1,2,3",
            [("Accept", "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*")]);

        Assert.Equal((1, 0, 0), (_east.Count("/frames/1"), _east.Count("/frames/2"), _east.Count("/frames/3")));
    }
}
