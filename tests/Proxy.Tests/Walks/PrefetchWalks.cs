using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Proxy.Backends;
using Proxy.Prefetch;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Prefetching of studies before a viewer opens them: which studies, for which viewer, and the answers a viewer sees.</summary>
public sealed class PrefetchWalks : IAsyncDisposable
{
    private const string Ohif = "multipart/related; type=application/octet-stream; transfer-syntax=*";

    private readonly WireMockPacs _east = new(Enumerable.Range(1, 6).Select(n => new HeldStudy($"1.2.{n}")
    {
        Date = $"2024010{7 - n}",
        PatientId = $"P{n}"
    }.With($"1.2.{n}.1", "CT", 3).With($"1.2.{n}.2", "MR", 1)));

    /// <summary>Another hospital, where the same patient ID belongs to another patient.</summary>
    private readonly WireMockPacs _west = new(
        new HeldStudy("1.3.1") { Date = "20200101", PatientId = "P1", Issuer = "WEST" }.With("1.3.1.1", "CT", 2));

    private readonly ProxyHost _proxy;

    public PrefetchWalks() => _proxy = new(("east", _east.Address), ("west", _west.Address));

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
        _west.Dispose();
    }

    [Fact]
    public async Task PrefetchesTheNextStudiesOfTheWorkList()
    {
        _proxy["Prefetch:NextStudies"] = "2";
        await _proxy.GetAsync("/dicomweb/studies");
        await _proxy.GetAsync("/dicomweb/studies/1.2.2/series");
        await DoneAsync("next");
        Assert.DoesNotContain(
            _east.Requests,
            r => r.Path.Contains("1.2.5", StringComparison.Ordinal) || r.Path.Contains("studies/1.2.1/", StringComparison.Ordinal));
        var asked = Asked();

        foreach (var study in (string[])["1.2.3", "1.2.4"])
        {
            var series = await _proxy.GetAsync($"/dicomweb/studies/{study}/series");
            Assert.Equal([$"{study}.1", $"{study}.2"], series.Values("0020000E"));
            var metadata = await _proxy.GetAsync($"/dicomweb/studies/{study}/series/{study}.1/metadata");
            Assert.Equal("Proxy; hit; detail=prefetched", metadata.CacheStatus);
            for (var i = 1; i <= 3; i++) Assert.Equal("Proxy; hit; detail=prefetched", (await FrameAsync(study, i)).CacheStatus);
        }
        Assert.Equal(asked, Asked());

        int Asked() => _east.Requests.Count(r => r.Path.Contains(
            "studies/1.2.3/", StringComparison.Ordinal) || r.Path.Contains("studies/1.2.4/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task KeepsWorkLists_WhenTheCacheIsPurged()
    {
        _proxy["Prefetch:NextStudies"] = "2";
        await _proxy.GetAsync("/dicomweb/studies");
        Assert.Equal(204, (int)(await _proxy.SendAsync(HttpMethod.Delete, "/cache", [])).Status);
        await _proxy.GetAsync("/dicomweb/studies/1.2.2/series");
        await DoneAsync("next");
        Assert.Contains(_east.Requests, r => r.Path.Contains("studies/1.2.3/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task PrefetchesNothing_WhenTheViewerHasNoWorkList()
    {
        _proxy["Prefetch:NextStudies"] = "2";
        await _proxy.GetAsync("/dicomweb/studies", ("User-Agent", "another"));
        await _proxy.GetAsync("/dicomweb/studies?PatientID=P1");
        await _proxy.GetAsync("/dicomweb/studies/1.2.2/series");
        // Jobs planned for the first request are in the list before the job of this one.
        await _proxy.GetAsync("/dicomweb/studies/1.2.2/series", ("User-Agent", "another"));
        await DoneAsync("next");
        Assert.Single(await JobsAsync());
    }

    [Fact]
    public async Task PrefetchesOnlyFromTheBackendsOfTheRoot()
    {
        _east.Hold(new HeldStudy("1.3.1") { Date = "20240104", PatientId = "P1" }.With("1.3.1.1", "CT", 2));
        _proxy["Prefetch:NextStudies"] = "6";
        await _proxy.GetAsync("/backends/east/dicomweb/studies");
        await _proxy.GetAsync("/backends/east/dicomweb/studies/1.2.1/series");
        await DoneAsync("next");
        Assert.Empty(_west.Requests);
        Assert.Contains(_east.Requests, r => r.Path.Contains("1.3.1.1/instances", StringComparison.Ordinal));
    }

    [Fact]
    public async Task CancelsThePreviousJob_WhenTheViewerMovesOn()
    {
        _proxy["Prefetch:NextStudies"] = "1";
        var gate = _east.Hang("/1.2.2.1.1/frames/1");
        await _proxy.GetAsync("/dicomweb/studies");
        await _proxy.GetAsync("/dicomweb/studies/1.2.1/series");
        await Until.TrueAsync(() => gate.Arrived == 1);
        await _proxy.GetAsync("/dicomweb/studies/1.2.4/series");
        await Until.TrueAsync(async () => (await JobsAsync()).Count(j => (string)j!["state"]! is "done" or "cancelled") == 2);
        Assert.Equal(["1.2.5 done", "1.2.2 cancelled"], (await JobsAsync()).Select(j => $"{j!["StudyInstanceUIDs"]![0]} {j["state"]}"));
    }

    [Fact]
    public async Task KeepsTheJob_WhenAnotherViewerOfTheSameListNeedsIt()
    {
        var time = new FakeTimeProvider();
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address))
        {
            Time = time,
            ["Prefetch:NextStudies"] = "1",
            // Longer than the time that passes below: requests have deadlines, too.
            ["Backends:east:Timeout"] = "00:10:00",
            ["Search:Deadline"] = "00:10:00",
        };
        var gate = _east.Hang("/1.2.2.1.1/frames/1");
        foreach (var viewer in (string[])["one", "other"])
        {
            await proxy.GetAsync("/dicomweb/studies", ("User-Agent", viewer));
            await proxy.GetAsync("/dicomweb/studies/1.2.1/series", ("User-Agent", viewer));
        }
        await PassAsync(() => Task.FromResult(gate.Arrived == 1));
        // The plans run in order: when the third viewer's job is done, the other two are planned.
        await proxy.GetAsync("/dicomweb/studies", ("User-Agent", "third"));
        await proxy.GetAsync("/dicomweb/studies/1.2.5/series", ("User-Agent", "third"));
        await PassAsync(async () => await FindStateAsync("1.2.6") == "done");
        await proxy.GetAsync("/dicomweb/studies/1.2.4/series", ("User-Agent", "one"));
        await PassAsync(async () => await FindStateAsync("1.2.5") == "done");
        Assert.Equal("running", await FindStateAsync("1.2.2"));
        gate.Open();

        // A job waits until its viewer has been still for a while, and the hanging one leaves room to the others after 15 s.
        Task PassAsync(Func<Task<bool>> isReached) => Until.TrueAsync(() =>
        {
            time.Advance(TimeSpan.FromMilliseconds(200));
            return isReached();
        });

        async Task<string?> FindStateAsync(string study) => (await proxy.GetAsync("/prefetch")).Json.AsArray()
            .Where(j => (string)j!["StudyInstanceUIDs"]![0]! == study).Select(j => (string)j!["state"]!).SingleOrDefault();
    }

    [Fact]
    public async Task PrefetchesPriorsFromEveryBackend_ButNotOfAnotherPatientWithTheSameId()
    {
        _east.Hold(new HeldStudy("1.2.9") { Date = "20100101", PatientId = "P1" }.With("1.2.9.1", "CT", 1));
        _west.Hold(new HeldStudy("1.3.9") { Date = "20090101", PatientId = "P1" }.With("1.3.9.1", "CT", 1));
        _proxy["Prefetch:Priors"] = "2";
        await _proxy.GetAsync("/dicomweb/studies");
        await _proxy.GetAsync("/dicomweb/studies/1.2.1/series");
        await DoneAsync("priors");
        Assert.Equal(["1.2.9", "1.3.9"], (await JobsAsync()).Single()!["StudyInstanceUIDs"]!.AsArray().Select(s => (string)s!));
        Assert.DoesNotContain(_west.Requests, r => r.Path.Contains("1.3.1/", StringComparison.Ordinal));
        foreach (var study in (string[])["1.2.9", "1.3.9"])
            Assert.Equal("Proxy; hit; detail=prefetched", (await FrameAsync(study, 1)).CacheStatus);
    }

    [Fact]
    public async Task PrefetchesPriors_WhenTheStudyWasInNoList()
    {
        _east.Hold(new HeldStudy("1.2.9") { Date = "20100101", PatientId = "P1" }.With("1.2.9.1", "CT", 1));
        _proxy["Prefetch:Priors"] = "2";
        await _proxy.GetAsync("/dicomweb/studies/1.2.1/series");
        await DoneAsync("priors");
        Assert.Equal("1.2.9", (string)(await JobsAsync()).Single()!["StudyInstanceUIDs"]![0]!);
    }

    [Fact]
    public async Task ReportsProgressOfAJob()
    {
        var gate = _east.Hang("/1.2.1.1.2/frames/1");
        var job = await PostAsync("""{"studies":["1.2.1","1.2.2"],"priority":"now"}""");
        await Until.TrueAsync(() => gate.Arrived == 1);
        await Until.TrueAsync(async () => (int)(await JobAsync(job))["frames"]!["done"]! == 3);
        var running = await JobAsync(job);
        Assert.Equal(("asked", "running"), ((string)running["why"]!, (string)running["state"]!));
        Assert.Equal("0/2 1/2 3/4 3/4 6000/8000", Progress(running));
        gate.Open();
        await DoneAsync("asked");
        Assert.Equal("2/2 4/4 8/8 8/8 16000/16000", Progress(await JobAsync(job)));
        Assert.Empty((await JobAsync(job))["errors"]!.AsArray());
    }

    [Fact]
    public async Task RemovesAJob_WhenItIsCancelledWhileItWaits()
    {
        var gate = _east.Hang("/metadata");
        var prefetcher = _proxy.Services.GetRequiredService<Prefetcher>();
        foreach (var n in Enumerable.Range(1, 8)) await PostAsync($$"""{"studies":["1.2.1","1.7.{{n}}"]}""");
        var waiting = await PostAsync("""{"studies":["1.2.2"]}""");
        await Until.TrueAsync(() => gate.Arrived > 0 && prefetcher.WaitingCount == 1);

        await _proxy.SendAsync(HttpMethod.Delete, waiting, []);

        Assert.Equal(0, prefetcher.WaitingCount);
        gate.Open();
    }

    [Fact]
    public async Task PrefetchesPriorsOfOnePacs_WhenAnotherIsBusy()
    {
        _east.Hold(new HeldStudy("1.2.9") { Date = "20100101", PatientId = "P1" }.With("1.2.9.1", "CT", 1));
        _proxy["Prefetch:Priors"] = "2";
        var busy = _west.Hang("workitems");
        _proxy["Backends:west:Forward"] = "true";
        await _proxy.GetAsync("/dicomweb/studies");
        var client = _proxy.GetAsync("/backends/west/dicomweb/workitems");
        await Until.TrueAsync(() => busy.Arrived == 1);
        var scheduler = _proxy.Services.GetRequiredService<BackendScheduler>();

        await _proxy.GetAsync("/dicomweb/studies/1.2.1/series");
        await Until.TrueAsync(() => _east.Requests.Any(r => r.Query.Contains("PatientID=P1", StringComparison.Ordinal)));
        await Until.TrueAsync(() => scheduler.CountRunning("east") == 0);
        busy.Open();
        await client;

        await DoneAsync("priors");
        Assert.Equal(0, scheduler.CountRunning("west"));
    }

    [Fact]
    public async Task ReportsEachFailedItemAndFetchesTheRest()
    {
        _east.Fail(500, "/1.2.1.1.2/frames/1");
        var job = await PostAsync("""{"studies":["1.2.1","1.9.9"]}""");
        await DoneAsync("asked");
        var errors = (await JobAsync(job))["errors"]!.AsArray();
        Assert.Equal(
            ["1.2.1 series/1.2.1.1/instances/1.2.1.1.2/frames/1 status 500 for this object", "1.9.9  no backend has the study"],
            errors.Select(e => $"{e!["study"]} {e["item"]} {e["reason"]}"));
        Assert.Equal(1, _east.Count("/1.2.1.1.2/frames/1"));
        Assert.Equal("Proxy; hit; detail=prefetched", (await FrameAsync("1.2.1", 3)).CacheStatus);
    }

    [Fact]
    public async Task AbandonsASeriesAndKeepsThePacsUp_WhenItsFramesTimeOut()
    {
        _proxy["Prefetch:MaxConcurrentRequests"] = "1";
        _east.Hold(new HeldStudy("1.4.1").With("1.4.1.1", "CT", 40).With("1.4.1.2", "CT", 2));
        _east.Respond(
            request => request.Path.Contains("/1.4.1.1.", StringComparison.Ordinal) ? PacsAnswer.Text(504, "text/plain", "no") : null);
        var job = await PostAsync("""{"studies":["1.4.1"]}""");
        await DoneAsync("asked");
        Assert.InRange(_east.Requests.Count(r => r.Path.Contains("/1.4.1.1.", StringComparison.Ordinal)), 5, 25);
        Assert.Contains(
            (await JobAsync(job))["errors"]!.AsArray(), e => (string)e!["reason"]! == "skipped the rest after 5 consecutive failures");
        Assert.Equal(2, _east.Requests.Count(r => r.Path.Contains("/1.4.1.2.", StringComparison.Ordinal)));
        var health = (await _proxy.GetAsync("/health/ready")).Json["backends"]!["east"]!;
        Assert.Equal("up closed 0", $"{health["state"]} {health["circuit"]} {health["opened"]}");
    }

    [Fact]
    public async Task AbandonsASeriesAndFetchesTheOthers_WhenItsFramesFail()
    {
        _proxy["Prefetch:MaxConcurrentRequests"] = "1";
        _east.Hold(new HeldStudy("1.4.1").With("1.4.1.1", "CT", 40).With("1.4.1.2", "CT", 2));
        for (var i = 1; i <= 40; i++) _east.Fail(500, $"/1.4.1.1.{i}/frames/1");
        var job = await PostAsync("""{"studies":["1.4.1"]}""");
        await DoneAsync("asked");
        Assert.Equal(5, _east.Requests.Count(r => r.Path.Contains("/1.4.1.1.", StringComparison.Ordinal)));
        Assert.Equal("skipped the rest after 5 consecutive failures", (string)(await JobAsync(job))["errors"]!.AsArray()[^1]!["reason"]!);
        Assert.Equal("1/1 1/2 7/42 7/42 4000/74000", Progress(await JobAsync(job)));
        // Failures of prefetch requests do not count against the PACS.
        Assert.Equal("closed", (string)(await _proxy.GetAsync("/health/ready")).Json["backends"]!["east"]!["circuit"]!);
    }

    [Fact]
    public async Task FailsTheJob_WhenNoBackendHoldsTheStudy()
    {
        var job = await PostAsync("""{"studies":["1.9.9"]}""");
        await Until.TrueAsync(async () => (string)(await JobAsync(job))["state"]! == "failed");
    }

    [Fact]
    public async Task LimitsConcurrentRequests()
    {
        _proxy["Prefetch:MaxConcurrentRequests"] = "3";
        _east.Hold(new HeldStudy("1.4.1").With("1.4.1.1", "CT", 40));
        await PostAsync("""{"studies":["1.4.1","1.2.1"]}""");
        await PostAsync("""{"studies":["1.2.2","1.2.3"]}""");
        await Until.TrueAsync(async () => (await JobsAsync()).Count(j => (string)j!["state"]! == "done") == 2);
        Assert.InRange(_east.Peak, 1, 3);
    }

    [Fact]
    public async Task EndsAJob_AtItsLimits()
    {
        _proxy["Prefetch:MaxInstances"] = "5";
        _east.Hold(new HeldStudy("1.4.1").With("1.4.1.1", "CT", 6).With("1.4.1.2", "CT", 2));
        var job = await PostAsync("""{"studies":["1.4.1"]}""");
        await DoneAsync("asked");
        Assert.Contains(
            "exceeds the limit of 5 instances", (string)Assert.Single((await JobAsync(job))["errors"]!.AsArray())!["reason"]!,
            StringComparison.Ordinal);
        Assert.Equal(2, _east.Count("/frames/1"));
    }

    [Fact]
    public async Task SendsNoMoreRequests_WhenAJobIsCancelled()
    {
        var gate = _east.Hang("/frames/1");
        var job = await PostAsync("""{"studies":["1.2.1","1.2.2"]}""");
        await Until.TrueAsync(() => gate.Arrived == 4);

        Assert.Equal(204, (int)(await _proxy.SendAsync(HttpMethod.Delete, job, [])).Status);

        Assert.Equal("cancelled", (string)(await JobAsync(job))["state"]!);
        _east.Recover();
        await _proxy.GetAsync("/dicomweb/studies");
        Assert.Equal(4, _east.Count("/frames/1"));
        // A second DELETE removes the job from the list.
        await _proxy.SendAsync(HttpMethod.Delete, job, []);
        (await _proxy.GetAsync(job)).IsProblem(404);
        (await _proxy.SendAsync(HttpMethod.Delete, job, [])).IsProblem(404);
    }

    [Theory]
    [InlineData("", "body")]
    [InlineData("[]", "body")]
    [InlineData("{", "body")]
    [InlineData("{}", "studies")]
    [InlineData("""{"studies":[]}""", "studies")]
    [InlineData("""{"studies":"1.2.3"}""", "studies")]
    [InlineData("""{"studies":["1.2.x"]}""", "studies")]
    [InlineData("""{"studies":[1.2]}""", "studies")]
    [InlineData("""{"studies":["1.2.3"],"priority":"soon"}""", "priority")]
    [InlineData("""{"studies":["1.2.3"],"priority":1}""", "priority")]
    public async Task Returns400_WhenTheJobIsInvalid(string body, string names) =>
        (await _proxy.SendAsync(HttpMethod.Post, "/prefetch", [], body)).IsProblem(400, names);

    [Fact]
    public async Task Returns413_WhenTheBodyIsTooLarge() =>
        (await _proxy.SendAsync(HttpMethod.Post, "/prefetch", [], new string(' ', 200_000))).IsProblem(413, "body");

    [Fact]
    public async Task CreatesOneJob_WhenTheSameRequestIsSentTwice()
    {
        var gate = _east.Hang("/frames/1");
        var job = await PostAsync("""{"studies":["1.2.1","1.2.1"]}""");
        Assert.Equal(job, await PostAsync("""{"studies":["1.2.1"]}"""));
        gate.Open();
        await DoneAsync("asked");
        Assert.NotEqual(job, await PostAsync("""{"studies":["1.2.1"]}"""));
    }

    [Fact]
    public async Task FetchesNothing_WhenTheStudyIsCached()
    {
        await PostAsync("""{"studies":["1.2.1"]}""");
        await DoneAsync("asked");
        var asked = _east.Requests.Count;
        var again = await PostAsync("""{"studies":["1.2.1"]}""");
        await Until.TrueAsync(async () => (string)(await JobAsync(again))["state"]! == "done");
        Assert.Equal("1/1 2/2 4/4 4/4 0/0", Progress(await JobAsync(again)));
        Assert.Equal(asked, _east.Requests.Count);
    }

    [Fact]
    public async Task PrefetchesTheStudiesOfARule_InItsTimeWindow()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2024, 1, 6, 19, 0, 0, TimeSpan.Zero));
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address))
        {
            Time = time,
            ["Prefetch:Rules:night:From"] = "20:00",
            ["Prefetch:Rules:night:To"] = "06:00",
            ["Prefetch:Rules:night:MaxAge"] = "2",
            ["Prefetch:Rules:night:Modalities:0"] = "CT",
            ["Prefetch:Rules:night:Description"] = "che*",
            ["Prefetch:Rules:night:Backends:0"] = "east",
        };
        _east.Hold(
            new HeldStudy("1.5.1") { Date = "20240106", Description = "Knee" }.With("1.5.1.1"),
            new HeldStudy("1.5.2") { Date = "20240106" }.With("1.5.2.1", "MR"));
        await proxy.GetAsync("/health/live");
        time.Advance(TimeSpan.FromMinutes(30));
        Assert.Empty(_east.Requests);
        await Until.TrueAsync(async () =>
        {
            var jobs = (await proxy.GetAsync("/prefetch")).Json.AsArray();
            // Stop the clock once the job has begun: requests to the PACS have deadlines, too.
            if (jobs.Count == 0) time.Advance(TimeSpan.FromMinutes(1));
            return jobs.Any(j => (string)j!["state"]! == "done");
        });
        var job = Assert.Single((await proxy.GetAsync("/prefetch")).Json.AsArray())!;
        Assert.Equal("rule", (string)job["why"]!);
        Assert.Equal(["1.2.1", "1.2.2"], job["StudyInstanceUIDs"]!.AsArray().Select(s => (string)s!));
        Assert.Empty(_west.Requests);
    }

    private Task<Reply> FrameAsync(string study, int instance) =>
        _proxy.GetAsync($"/dicomweb/studies/{study}/series/{study}.1/instances/{study}.1.{instance}/frames/1", ("Accept", Ohif));

    private async Task<string> PostAsync(string body)
    {
        var answer = await _proxy.SendAsync(HttpMethod.Post, "/prefetch", [], body);
        Assert.Equal(202, (int)answer.Status);
        Assert.Equal(answer["Location"], "/prefetch/" + answer.Json["id"]);
        return answer["Location"];
    }

    private async Task<JsonNode> JobAsync(string job) => (await _proxy.GetAsync(job)).Json;

    private async Task<JsonArray> JobsAsync() => (await _proxy.GetAsync("/prefetch")).Json.AsArray();

    private Task DoneAsync(string why) =>
        Until.TrueAsync(
            async () => (await JobsAsync()).Any(j => (string)j!["why"]! == why && (string)j["state"]! == "done"), $"the job {why} is done");

    private static string Progress(JsonNode job) =>
        string.Join(
            ' ', ((string[])["studies", "series", "instances", "frames", "bytes"]).Select(of => $"{job[of]!["done"]}/{job[of]!["total"]}"));
}
