using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Rules limit what is seen: without authentication, every client is judged as a user without groups.</summary>
public sealed class RightsWalks : IDisposable
{
    private const string Seen = "1.2.77.1", Denied = "1.2.77.2", Absent = "1.2.77.3", Split = "1.2.77.4";

    private readonly WireMockPacs _east = new(
        new HeldStudy(Seen) { PatientId = "A1" }.With("1.2.77.1.1"),
        new HeldStudy(Denied) { PatientId = "B1", PatientName = "HIDDEN^NAME" }.With("1.2.77.2.1"),
        new HeldStudy(Split) { PatientId = "A4" }.With("1.2.77.4.1"));

    private readonly WireMockPacs _west = new(new HeldStudy(Split) { PatientId = "W4" }.With("1.2.77.4.2", instances: 3));

    public void Dispose()
    {
        _east.Dispose();
        _west.Dispose();
    }

    private ProxyHost Start(params (string Key, string Value)[] settings)
    {
        var proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address)) { ["Security:Access:Default"] = "Policy" };
        foreach (var (key, value) in settings.DefaultIfEmpty(("Security:Access:Rules:a:PatientIds", "A*"))) proxy[key] = value;
        return proxy;
    }

    [Fact]
    public async Task EveryStudyIsDenied_WithoutARule()
    {
        await using var proxy = Start(("Security:Access:Default", "Policy"));

        Assert.Equal("[]", (await proxy.GetAsync("/dicomweb/studies")).Text);
        Assert.Equal(404, (int)(await proxy.GetAsync($"/dicomweb/studies/{Seen}/metadata")).Status);
        Assert.Empty(_east.Requests);
    }

    [Fact]
    public async Task ASearchListsAndCountsVisiblePartsOnly()
    {
        await using var proxy = Start();
        var rows = JsonNode.Parse((await proxy.GetAsync("/dicomweb/studies")).Text)!.AsArray();

        Assert.Equal([Seen, Split], rows.Select(row => (string)row!["0020000D"]!["Value"]![0]!).Order());
        var split = rows.Single(row => (string)row!["0020000D"]!["Value"]![0]! == Split)!;
        Assert.Equal(1, (int)split["00201208"]!["Value"]![0]!);
        Assert.Equal(1, (int)split["00201206"]!["Value"]![0]!);
        Assert.Contains("[]", (await proxy.GetAsync($"/dicomweb/studies?StudyInstanceUID={Denied}")).Text);
        Assert.Equal("[]", (await proxy.GetAsync($"/dicomweb/series?StudyInstanceUID={Denied}")).Text);
        Assert.Equal("[]", (await proxy.GetAsync($"/dicomweb/instances?StudyInstanceUID={Denied}")).Text);
        Assert.Equal("[]", (await proxy.GetAsync($"/dicomweb/studies/{Denied}/series")).Text);
        Assert.DoesNotContain("1.2.77.4.2", (await proxy.GetAsync($"/dicomweb/studies/{Split}/series")).Text);
        Assert.DoesNotContain("1.2.77.2", (await proxy.GetAsync("/dicomweb/series")).Text);
        Assert.DoesNotContain("1.2.77.2", (await proxy.GetAsync("/dicomweb/instances")).Text);
    }

    [Fact]
    public async Task PagesAndTheirRemainderCountVisibleStudiesOnly()
    {
        for (var i = 0; i < 40; i++)
            _east.Hold(new HeldStudy($"1.2.78.{i}") { PatientId = i % 10 == 0 ? "A7" : "B7" }.With($"1.2.78.{i}.1"));
        await using var proxy = Start();
        var page = await proxy.GetAsync("/dicomweb/studies?PatientID=A7&limit=2");
        Assert.Contains("There are 2 additional results", page["Warning"], StringComparison.Ordinal);
        var seen = new List<string>();
        for (var offset = 0; offset < 12; offset += 2)
        {
            var reply = await proxy.GetAsync($"/dicomweb/studies?limit=2&offset={offset}");
            seen.AddRange(JsonNode.Parse(reply.Text)!.AsArray().Select(row => (string)row!["0020000D"]!["Value"]![0]!));
            Assert.Equal(offset < 4, reply["Warning"].Contains("additional", StringComparison.Ordinal));
        }
        Assert.Equal(6, seen.Distinct().Count());
        Assert.Equal(6, seen.Count);
    }

    [Theory]
    [InlineData("/dicomweb/studies/{0}")]
    [InlineData("/dicomweb/studies/{0}/metadata")]
    [InlineData("/dicomweb/studies/{0}/series")]
    [InlineData("/dicomweb/studies/{0}/instances")]
    [InlineData("/dicomweb/studies?StudyInstanceUID={0}")]
    [InlineData("/dicomweb/series?StudyInstanceUID={0}")]
    [InlineData("/dicomweb/studies/{0}/series/{0}.1/metadata")]
    [InlineData("/dicomweb/studies/{0}/series/{0}.1")]
    [InlineData("/dicomweb/studies/{0}/series/{0}.1/instances")]
    [InlineData("/dicomweb/studies/{0}/series/{0}.1/instances/{0}.1.1")]
    [InlineData("/dicomweb/studies/{0}/series/{0}.1/instances/{0}.1.1/metadata")]
    [InlineData("/dicomweb/studies/{0}/series/{0}.1/instances/{0}.1.1/frames/1")]
    [InlineData("/dicomweb/studies/{0}/series/{0}.1/instances/{0}.1.1/rendered")]
    [InlineData("/dicomweb/studies/{0}/series/{0}.1/instances/{0}.1.1/thumbnail")]
    [InlineData("/dicomweb/studies/{0}/series/{0}.1/instances/{0}.1.1/bulkdata/00420011")]
    [InlineData("/dicomweb/studies/{0}/thumbnail")]
    [InlineData("/dicomweb?requestType=WADO&studyUID={0}&seriesUID={0}.1&objectUID={0}.1.1")]
    [InlineData("/backends/east/dicomweb/studies/{0}/metadata")]
    [InlineData("/backends/east/dicomweb/studies/{0}/series/{0}.1/instances/{0}.1.1/frames/1")]
    [InlineData("/store/studies/{0}")]
    [InlineData("/store/studies/{0}/series/{0}.1")]
    [InlineData("/store/studies/{0}/series/{0}.1/instances/{0}.1.1")]
    [InlineData("/store/instance?imageId=wadors:http://x/dicomweb/studies/{0}/series/{0}.1/instances/{0}.1.1/frames/1")]
    public async Task ADeniedStudyLooksLikeAnAbsentOne_CachedOrNot(string address)
    {
        await using var proxy = Start(("Security:Access:Rules:a:PatientIds", "A*"), ("Security:Access:Rules:a:Modalities:0", "CT"));
        await CacheAsync(proxy, Denied);
        var before = _east.Requests.Count;
        var denied = await proxy.GetAsync(string.Format(null, address, Denied));
        var asked = _east.Requests.Count - before;
        before = _east.Requests.Count;
        var absent = await proxy.GetAsync(string.Format(null, address, Absent));

        Assert.Equal(absent.Status, denied.Status);
        Assert.Equal(absent.Text.Replace(Absent, "uid"), denied.Text.Replace(Denied, "uid"));
        Assert.Equal(absent.Headers.Keys.Order(), denied.Headers.Keys.Order());
        Assert.Equal(absent["Cache-Status"], denied["Cache-Status"]);
        Assert.DoesNotContain("HIDDEN", denied.Text);
        Assert.Equal(asked, _east.Requests.Count - before);
    }

    [Fact]
    public async Task AnAllowedStudyIsServed_FromTheBackendAndFromTheCache()
    {
        await using var proxy = Start();
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(200, (int)(await proxy.GetAsync($"/dicomweb/studies/{Seen}/metadata")).Status);
            var frame = await proxy.GetAsync($"/dicomweb/studies/{Seen}/series/{Seen}.1/instances/{Seen}.1.1/frames/1");
            Assert.Equal(200, (int)frame.Status);
            Assert.Equal(200, (int)(await proxy.GetAsync($"/store/studies/{Seen}")).Status);
        }
        var split = await proxy.GetAsync($"/dicomweb/studies/{Split}/metadata");
        Assert.Contains("1.2.77.4.1", split.Text);
        Assert.DoesNotContain("1.2.77.4.2", split.Text);
        Assert.Equal(404, (int)(await proxy.GetAsync($"/dicomweb/studies/{Split}/series/1.2.77.4.2/metadata")).Status);
        Assert.Contains(Seen, (await proxy.GetAsync("/store/studies")).Text);
        Assert.DoesNotContain("west", (await proxy.GetAsync("/store/studies")).Text);
    }

    [Fact]
    public async Task TheDecisionPointDecides_AboutListsInOneQuestion()
    {
        using var point = WireMock.Server.WireMockServer.Start();
        var asked = new List<JsonNode>();
        point.Given(WireMock.RequestBuilders.Request.Create().UsingPost()).RespondWith(
            WireMock.ResponseBuilders.Response.Create().WithCallback(message =>
            {
                var body = JsonNode.Parse(message.Body!)!;
                lock (asked) asked.Add(body);
                return new WireMock.ResponseMessage
                {
                    StatusCode = 200,
                    BodyData = new WireMock.Util.BodyData
                    {
                        DetectedBodyType = WireMock.Types.BodyType.String,
                        BodyAsString = body is JsonArray list ? $"[{string.Join(',', list.Select(Judge))}]" : Judge(body),
                    },
                };
                static string Judge(JsonNode? question) =>
                    JsonSerializer.Serialize(new { granted = ((string)question!["patientId"]!).StartsWith('A'), validity = 60 });
            }));
        await using var proxy = Start(("Security:Access:DecisionUrl", point.Url! + "/allow"));
        var list = await proxy.GetAsync("/dicomweb/studies");
        Assert.Contains(Seen, list.Text);
        Assert.DoesNotContain(Denied, list.Text);
        Assert.Equal(200, (int)(await proxy.GetAsync($"/dicomweb/studies/{Seen}/metadata")).Status);
        Assert.Equal(404, (int)(await proxy.GetAsync($"/dicomweb/studies/{Denied}/metadata")).Status);
        Assert.Equal(404, (int)(await proxy.GetAsync($"/dicomweb/studies/{Denied}/series/{Denied}.1/metadata")).Status);

        var question = asked.OfType<JsonObject>().First(q => (string)q["study"]! == Denied);
        Assert.Equal(["action", "backend", "patientId", "roles", "study", "user"], question.Select(member => member.Key).Order());
        Assert.Equal("view", (string)question["action"]!);
        Assert.Single(asked.OfType<JsonArray>(), array => array.Any(q => (string)q!["backend"]! == "east"));
        point.Stop();
        _east.Hold(new HeldStudy("1.2.77.9") { PatientId = "A9" }.With("1.2.77.9.1"));
        // A decision within its validity holds; a new one fails closed.
        Assert.Equal(200, (int)(await proxy.GetAsync($"/dicomweb/studies/{Seen}/metadata")).Status);
        Assert.Equal(404, (int)(await proxy.GetAsync("/dicomweb/studies/1.2.77.9/metadata")).Status);
    }

    [Fact]
    public async Task EventsOfDeniedStudiesAreNotSent()
    {
        await using var proxy = Start();
        using var stream = await proxy.OpenAsync("/events?event=SERIES_ADDED");
        using var lines = new StreamReader(await stream.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
        await CacheAsync(proxy, Denied);
        await proxy.GetAsync($"/dicomweb/studies/{Seen}/metadata");
        string? line;
        do line = await lines.ReadLineAsync(TestContext.Current.CancellationToken);
        while (line?.StartsWith("data:", StringComparison.Ordinal) == false);
        Assert.Contains(Seen, line);
    }

    [Fact]
    public async Task AJobFetchesWhatItsOwnerMaySee()
    {
        await using var proxy = Start();
        var created = await proxy.SendAsync(
            HttpMethod.Post, "/prefetch", [("Content-Type", "application/json")], $$"""{"studies":["{{Seen}}","{{Denied}}"]}""");
        var job = $"/prefetch/{JsonNode.Parse(created.Text)!["id"]}";
        await Until.TrueAsync(async () => (string)JsonNode.Parse((await proxy.GetAsync(job)).Text)!["state"]! == "done");

        Assert.Contains("no backend has the study", (await proxy.GetAsync(job)).Text);
        Assert.NotEqual(0, _east.Count("/frames/1"));
        Assert.DoesNotContain(_east.Requests, request => request.Path.StartsWith($"studies/{Denied}", StringComparison.Ordinal));
    }

    /// <summary>Caches a study as another user does who may see it: the store is told directly by the prefetch rule's caller.</summary>
    private static async Task CacheAsync(ProxyHost proxy, string study)
    {
        var reader = proxy.Services.GetRequiredService<Proxy.Retrieve.SeriesReader>();
        var backends = proxy.Services.GetRequiredService<Proxy.Backends.BackendSet>();
        var uid = Proxy.Dicom.Uid.Parse(study);
        var result = await reader.ReadAsync(
            backends.AsOne with { Caller = Proxy.Identity.Caller.Proxy }, new(uid, Proxy.Dicom.Uid.Parse($"{study}.1")),
            bypassCache: false, TestContext.Current.CancellationToken);
        Assert.NotNull(result.Metadata);
    }

    [Fact]
    public async Task APrefetchReadsTheSeriesOfAFewOtherStudies_EachWithItsOwnRight()
    {
        HeldStudy[] studies =
            [.. Enumerable.Range(0, 24).Select(i => new HeldStudy($"1.2.79.{i}") { PatientId = "A9" }.With($"1.2.79.{i}.1", "CT", 1))];
        _east.Hold(studies);
        _west.Hold(studies);
        // The rule hides all that this PACS has, except the study of the job.
        using var north = new WireMockPacs();
        north.Hold([studies[0], .. studies.Skip(1).Select(s => new HeldStudy(s.Uid) { PatientId = "A9" }.With(s.Uid + ".2", "MR", 1))]);
        await using var proxy = Start(("Security:Access:Rules:a:Modalities", "CT"), ("Backends:north:Address", north.Address));
        var job = await proxy.SendAsync(HttpMethod.Post, "/prefetch", [], """{"studies":["1.2.79.0"]}""");
        await Until.TrueAsync(async () => (string)(await proxy.GetAsync(job["Location"])).Json["state"]! == "done");

        Assert.InRange(GetListed(_east).Count, 19, 21);
        Assert.Equal(["studies/1.2.79.0/series"], GetListed(north));

        static HashSet<string> GetListed(WireMockPacs pacs) =>
            [.. pacs.Requests.Select(r => r.Path).Where(path => path.EndsWith("/series", StringComparison.Ordinal))];
    }
}
