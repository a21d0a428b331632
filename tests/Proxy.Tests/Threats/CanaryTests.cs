using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Proxy.Tests.Pacs;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Threats;

/// <summary>
/// T15: values of patients and UIDs go through every route and every fault, and occur in no log, metric, span, warning, file name or
/// problem.
/// </summary>
public sealed class CanaryTests : IDisposable
{
    /// <summary>A value that only a PACS knows.</summary>
    private const string Patient = "ZZCANARY";

    /// <summary>A part of all UIDs.</summary>
    private const string Uid = "1.2.777001";

    /// <summary>A value that only the client knows.</summary>
    private const string Asked = "ZZASKED";

    private const string Series = $"/studies/{Uid}/series/{Uid}.1";
    private const string Instance = $"{Series}/instances/{Uid}.1.1";

    private static readonly string[] Resources =
    [
        $"/studies?PatientName={Asked}*", $"/studies?PatientID={Asked}&limit=x", $"/studies?00100020={Asked}", "/studies", "/series",
        $"/instances?PatientID={Asked}", $"/studies?StudyInstanceUID={Uid}", $"/studies?includefield={Asked}",
        $"/studies?ModalitiesInStudy={Asked}",
        $"/studies/{Uid}/series", $"/studies/{Uid}/instances", $"{Series}/instances", $"/studies/{Uid}/metadata", $"{Series}/metadata",
        $"{Instance}/metadata", $"/studies/{Uid}", Series, Instance, $"{Instance}/frames/1", $"{Instance}/frames/77",
        $"{Instance}/frames/x",
        $"{Instance}/bulkdata/east/bulk/7fe00010", $"{Instance}/bulkdata/east/{Asked}", $"/studies/{Uid}/rendered", $"{Series}/thumbnail",
        $"{Instance}/rendered?viewport={Asked}", $"{Instance}/frames/1/rendered", $"{Instance}/frames/1/thumbnail",
        $"?requestType=WADO&studyUID={Uid}&seriesUID={Uid}.1&objectUID={Uid}.1.1&contentType=application/dicom",
        $"?requestType=WADO&studyUID={Asked}", $"/{Asked}", $"/studies/{Uid}/{Asked}", $"/studies/{Uid}.999/series", "/workitems",
    ];

    private static readonly string[] Pages =
    [
        "/store/studies", $"/store/studies/{Uid}", $"/store/studies/{Uid}/series/{Uid}.1", $"/store/instance?imageId={Asked}",
        $"/cache/studies?StudyInstanceUID={Uid}", "/prefetch", $"/prefetch/{Asked}", "/ohif/app-config.js", "/openapi.json", "/", "/caller",
    ];

    /// <summary>What operators and vendors read: no patient and no UID.</summary>
    private static readonly string[] Reports =
        ["/metrics", "/warnings", "/support-bundle", "/settings", "/traffic", "/cache", "/health/ready", "/health/live"];

    private static readonly PacsAnswer[] Faults =
    [
        PacsAnswer.Text(500, "text/plain", $"no row for {Patient} {Uid}"), PacsAnswer.Text(403, "text/html", $"<p>{Patient} {Uid}</p>"),
        PacsAnswer.Json($$$"""{"error":"{{{Patient}}}","uid":"{{{Uid}}}"}""") with { Status = 400 },
        PacsAnswer.Json(
            $$$"""[{"0020000D":{"vr":"UI","Value":["{{{Uid}}}"]},"00100010":{"vr":"PN","Value":[{"Alphabetic":"{{{Patient}}}"""),
        PacsAnswer.Text(
            200, $"multipart/related; type=\"{Patient}\"; boundary={Patient}", $"--{Patient}\r\nContent-Location: {Uid}\r\n\r\n"),
        PacsAnswer.Text(200, "application/octet-stream", Patient), PacsAnswer.Text(404, "text/plain", $"{Patient} {Uid}"),
        PacsAnswer.Text(302, "text/plain", "") with { Headers = [("Location", $"http://127.0.0.1:9/{Patient}/{Uid}")] },
    ];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxy-canary-");
    private readonly WireMockPacs _east = new(Study());
    private readonly WireMockPacs _west = new(Study());
    private readonly ConcurrentQueue<Activity> _spans = new();
    private readonly ActivityListener _listener;

    public CanaryTests()
    {
        _listener = new()
        {
            ShouldListenTo = source => source.Name == "Proxy",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = _spans.Enqueue,
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public void Dispose()
    {
        _listener.Dispose();
        _east.Dispose();
        _west.Dispose();
        Until.DeletedAsync(_folder.FullName).GetAwaiter().GetResult();
    }

    [Fact]
    public async Task T15_NoPatientAndNoUidIsShown_ForAnyRouteAndFault()
    {
        await using var proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address))
        {
            ["Cache:Disk:Path"] = Path.Join(_folder.FullName, "cache"),
            ["Store:Backend"] = "east",
        };
        await RequestAllAsync(proxy, "/dicomweb", "/backends/west/dicomweb");
        Assert.Contains(Patient, (await proxy.GetAsync("/dicomweb/studies")).Text, StringComparison.Ordinal);
        foreach (var fault in Faults)
        {
            _east.Respond(fault);
            _west.Respond(fault);
            await RequestAllAsync(proxy, "/dicomweb");
            await proxy.SendAsync(HttpMethod.Delete, "/cache", []);
        }
        _east.Dispose();
        await RequestAllAsync(proxy, "/backends/east/dicomweb");

        // UIDs are logged at level Debug only.
        foreach (var canary in (string[])[Patient, Asked, Uid])
        {
            Assert.Equal("", string.Join('\n', proxy.Log.All.Where(line => line.Contains(canary, StringComparison.OrdinalIgnoreCase))));
            foreach (var report in Reports)
                Assert.DoesNotContain(canary, (await proxy.GetAsync(report)).Text, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain(_spans.Select(Describe), span => span.Contains(canary, StringComparison.OrdinalIgnoreCase));
            Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.FullName, $"*{canary}*", SearchOption.AllDirectories));
        }
        Assert.Contains(proxy.Log.All, line => line.Contains("Backend east did not answer", StringComparison.Ordinal));
        Assert.True(_spans.Count > 100);
    }

    private static HeldStudy Study() =>
        new HeldStudy(Uid) { PatientName = Patient + "^JANE", PatientId = Patient }.With($"{Uid}.1", "CT", 2);

    private static string Describe(Activity span) => string.Join(
        ' ', [
            span.DisplayName, .. span.TagObjects.Select(tag => $"{tag.Key}={tag.Value}"),
            .. span.Events.SelectMany(e => e.Tags.Select(tag => $"{tag.Value}")), span.StatusDescription,
        ]);

    private static async Task RequestAllAsync(ProxyHost proxy, params string[] roots)
    {
        foreach (var root in roots)
        {
            var replies = Resources.Select(path => proxy.GetAsync(root + path, ("Cache-Control", "no-cache"), ("User-Agent", Asked)));
            foreach (var reply in await Task.WhenAll(replies)) AssertProblem(reply);
        }
        foreach (var path in Pages) AssertProblem(await proxy.GetAsync(path, ("Authorization", "Bearer " + Asked)));
        AssertProblem(await proxy.PostAsync(
            "/dicomweb/studies", StowMessage.Body(StowMessage.File(Uid, $"{Uid}.7", $"{Uid}.7.1"))));
        AssertProblem(await proxy.PostAsync(
            $"/dicomweb/studies/{Asked}", StowMessage.Body(StowMessage.File(Uid, $"{Uid}.7", $"{Uid}.7.1"))));
        AssertProblem(await proxy.PostAsync(
            "/prefetch", new StringContent($$"""{"studies":["{{Uid}}","{{Asked}}"]}""", Encoding.UTF8, "application/json")));
        AssertProblem(await proxy.PostAsync(
            "/prefetch", new StringContent($$"""{"studies":["{{Uid}}"]}""", Encoding.UTF8, "application/json")));
        AssertProblem(await proxy.SendAsync(HttpMethod.Delete, $"/cache/patients/{Patient}", []));
        AssertProblem(await proxy.SendAsync(HttpMethod.Delete, $"/cache/studies/{Uid}", []));
        AssertProblem(await proxy.SendAsync(HttpMethod.Delete, $"/cache/backends/{Asked}", []));
    }

    /// <summary>A problem may name what its own client sent, and never a value of a PACS.</summary>
    private static void AssertProblem(Reply reply)
    {
        if ((int)reply.Status < 400 || !reply["Content-Type"].Contains("problem", StringComparison.Ordinal)) return;
        Assert.DoesNotContain(Patient, reply.Text, StringComparison.OrdinalIgnoreCase);
    }
}
