using System.Text.RegularExpressions;
using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The exact JSON of the proxy's own resources: programs read it, so names, order and nulls do not change.</summary>
public sealed partial class AnswerShapeWalks : IAsyncDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", instances: 2));

    private readonly ProxyHost _proxy;

    public AnswerShapeWalks() => _proxy = new ProxyHost(("east", _east.Address)) { Time = new FakeTimeProvider(Start) };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Fact]
    public Task Live() => ShowsAsync("/health/live", """{"status":"live"}""");

    [Fact]
    public Task Ready_BeforeAnyRequest() => ShowsAsync(
        "/health/ready",
        """
        {"status":"ready",
        "backends":{"east":{"state":"unknown","circuit":"closed","destinations":{"address":"unknown"}}},
        "search":{"identityConflicts":0},
        "store":{"studies":0,"bytes":#,"damaged":0},
        "disk":{"state":"not configured","reason":"Cache:Disk:Path is not set","entries":0,"bytes":#,"maxBytes":100663296000},
        "memory":{"entries":#,"bytes":#,"maxBytes":939524096},"viewer":null,"cluster":null}
        """);

    [Fact]
    public async Task Ready_WithABackend_UpAndThenDown()
    {
        const string Rest = """
            "search":{"identityConflicts":0},
            "store":{"studies":1,"bytes":#,"damaged":0},
            "disk":{"state":"not configured","reason":"Cache:Disk:Path is not set","entries":0,"bytes":#,"maxBytes":100663296000},
            "memory":{"entries":#,"bytes":#,"maxBytes":939524096},"viewer":null,"cluster":null}
            """;
        await _proxy.GetAsync("/dicomweb/studies");
        await ShowsAsync(
            "/health/ready",
            """
            {"status":"ready",
            "backends":{"east":{"state":"up","since":"2026-01-02T03:04:05+00:00","circuit":"closed","opened":0,"asked":1,"failed":0,
            "lastFailure":null,"destinations":{"address":"unknown"}}},
            """ + Rest);
        _east.Fail(500);
        await _proxy.GetAsync("/dicomweb/studies?PatientID=7");
        await ShowsAsync(
            "/health/ready",
            """
            {"status":"ready",
            "backends":{"east":{"state":"down","since":"2026-01-02T03:04:05+00:00","circuit":"closed","opened":0,"asked":2,"failed":1,
            "lastFailure":"BadStatus: status 500","destinations":{"address":"unknown"}}},
            """ + Rest);
    }

    [Fact]
    public async Task Cache_WithOneFrame()
    {
        await _proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1");
        await Until.TrueAsync(
            async () => (int)(await _proxy.GetAsync("/cache")).Json["backends"]!["east"]!["memory"]!["entries"]! == 1,
            "the frame is cached");
        await ShowsAsync(
            "/cache",
            """
            {"store":{"studies":1,"bytes":#,"maxBytes":134217728},
            "memory":{"entries":#,"bytes":#,"hits":0,"misses":1,"evictions":0,"hitRatio":0,"oldest":"2026-01-02T03:04:05+00:00",
            "maxBytes":1073741824,"inFlight":0,"ahead":0},
            "disk":{"entries":0,"bytes":#,"hits":0,"misses":0,"evictions":0,"hitRatio":null,"oldest":null,
            "maxBytes":107374182400,"ahead":0,"state":"not configured","reason":"Cache:Disk:Path is not set",
            "damaged":0,"unkept":#,"scanning":false},
            "backends":{"east":{"studies":1,
            "memory":{"entries":#,"bytes":#,"hits":0,"misses":1,"evictions":0,"hitRatio":0,"oldest":"2026-01-02T03:04:05+00:00"},
            "disk":{"entries":0,"bytes":#,"hits":0,"misses":0,"evictions":0,"hitRatio":null,"oldest":null}}}}
            """);
    }

    [Fact]
    public async Task Store_WithMetadata()
    {
        await _proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata");
        const string Lists = """
            "StudyInstanceUID":"1.2.1","seriesLists":[{"backend":"east","madeInClient":false,"series":[
            """;
        const string Series = """
            "SeriesInstanceUID":"1.2.1.1","NumberOfSeriesRelatedInstances":2,"madeInClient":false,"hasMetadata":true
            """;
        const string Instances = """
            "instances":[{"SOPInstanceUID":"1.2.1.1.1"},{"SOPInstanceUID":"1.2.1.1.2"}]
            """;
        await ShowsAsync("/store/studies", "[{" + Lists + "{" + Series + "}]}]}]");
        await ShowsAsync("/store/studies/1.2.1", "{" + Lists + "{" + Series + "," + Instances + "}]}]}");
        await ShowsAsync("/store/studies/1.2.1/series/1.2.1.1", "{" + Series + "," + Instances + ",\"backend\":\"east\"}");
    }

    [Fact]
    public async Task Prefetch_WithAJobThatCouldNotFetchItsStudy()
    {
        using var listener = await Listener.OpenAsync(_proxy, "?event=PREFETCH_PROGRESS");
        var created = await _proxy.SendAsync(
            HttpMethod.Post, "/prefetch", [("Content-Type", "application/json")], """{"studies":["1.2.9"],"priority":"now"}""");
        Assert.Equal((202, "application/json; charset=utf-8"), ((int)created.Status, created["Content-Type"]));
        var path = created["Location"];
        await Until.TrueAsync(async () => (string)(await _proxy.GetAsync(path)).Json["state"]! == "failed", "the job has ended");

        var progress = $$"""
            "id":"{{path["/prefetch/".Length..]}}","why":"asked","state":"failed","waiting":null,"reason":null,
            "studies":{"done":1,"total":1},"series":{"done":0,"total":0},"instances":{"done":0,"total":0},
            "frames":{"done":0,"total":0},"bytes":{"done":0,"total":0},"cached":0,"bytesPerSecond":0
            """;
        var job = "{" + progress + "," + """
            "root":"","StudyInstanceUIDs":["1.2.9"],"created":"2026-01-02T03:04:05+00:00","started":"2026-01-02T03:04:05+00:00",
            "ended":"2026-01-02T03:04:05+00:00","errors":[{"study":"1.2.9","item":null,"reason":"no backend has the study"}]}
            """;
        await ShowsAsync(path, job);
        await ShowsAsync("/prefetch", "[" + job + "]");
        await Until.TrueAsync(() => listener.Events.LastOrDefault() is { } last && (string)last.Data["job"]!["state"]! == "failed");
        Assert.Equal(
            """{"StudyInstanceUID":"1.2.9","job":{""" + Join(progress) + "}}", listener.Events.Last().Data.ToJsonString());
    }

    /// <summary>Expects this JSON, written in several lines; # stands for a number that depends on timing or platform.</summary>
    private async Task ShowsAsync(string path, string json)
    {
        var reply = await _proxy.GetAsync(path);
        Assert.Equal("application/json; charset=utf-8", reply["Content-Type"]);
        Assert.Equal(Join(json), Sizes().Replace(reply.Text, "#"));
    }

    private static string Join(string lines) => lines.ReplaceLineEndings("");

    [GeneratedRegex("(?<=\"bytes\":|\"memory\":{\"entries\":|\"unkept\":)[0-9]+")]
    private static partial Regex Sizes();
}
