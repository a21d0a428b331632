using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>No log line names a patient or a study, for any request and any fault.</summary>
public sealed class LogWalks
{
    private const string Canary = "ZZCANARY";

    private static readonly string[] Paths =
    [
        $"/studies?PatientName=*{Canary}*", $"/studies?PatientID={Canary}", $"/studies?00100020={Canary}&limit=x", $"/studies?{Canary}=1",
        $"/studies?includefield={Canary}", $"/studies/{Canary}/series", $"/{Canary}",
        $"/studies?PatientName={Canary}%0d%0a", $"/../{Canary}", $"/instances?PatientID={Canary}", $"/series?PatientID={Canary}",
        "/studies/1.2.1/series", "/studies/1.2.1/metadata",
        "/studies/1.2.1/series/1.2.1.1/metadata", "/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1",
        "/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/bulkdata/east/bulk/7fe00010",
        $"/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/bulkdata/east/{Canary}", "/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1",
        $"?requestType=WADO&studyUID={Canary}",
    ];

    private static readonly PacsAnswer[] Faults =
    [
        PacsAnswer.Text(500, "text/plain", $"cannot find {Canary}"),
        PacsAnswer.Text(401, "text/plain", Canary) with { Headers = [("WWW-Authenticate", $"Basic realm={Canary}")] },
        PacsAnswer.Text(302, "text/plain", "") with { Headers = [("Location", $"http://127.0.0.1:9/{Canary}")] },
        PacsAnswer.Text(200, "text/html", $"<html>{Canary}</html>"), PacsAnswer.Text(200, Canary, Canary),
        PacsAnswer.Json($$$"""[{"0020000D":{"vr":"UI","Value":["1.2.1"]},"00100010":{"vr":"PN","Value":[{"Alphabetic":"{{{Canary}}}"""),
        PacsAnswer.Json($$$"""[{"{{{Canary}}}":{"vr":"PN"}}]"""),
        PacsAnswer.Json($$$"""[{"0020000D":{"vr":"UI","Value":["{{{Canary}}}"]}}]"""), PacsAnswer.Json($"[{Canary}]"),
        PacsAnswer.Text(200, $"multipart/related; boundary={Canary}", $"--{Canary}\r\nContent-Type: {Canary}\r\n\r\n{Canary}"),
        PacsAnswer.Text(200, "application/octet-stream; transfer-syntax=" + Canary, Canary),
    ];

    [Fact]
    public async Task NamesNoPatient()
    {
        using var east = new WireMockPacs(new HeldStudy("1.2.1") { PatientName = Canary + "^JANE", PatientId = Canary }.With("1.2.1.1"));
        using var west = new WireMockPacs(new HeldStudy("1.2.1") { PatientName = Canary + "^JANE", PatientId = Canary }.With("1.2.1.1"));
        await using var proxy = new ProxyHost(("east", east.Address), ("west", west.Address));

        await RequestAllAsync();
        Assert.Contains(Canary, (await proxy.GetAsync("/dicomweb/studies")).Text);
        foreach (var fault in Faults)
        {
            east.Respond(fault);
            west.Respond(fault);
            await RequestAllAsync();
        }
        east.Dispose();
        await RequestAllAsync();

        Assert.Contains(proxy.Log.All, line => line.Contains("Backend east did not answer", StringComparison.Ordinal));
        Assert.Equal("", Lines(Canary));
        // UIDs are logged at level Debug only.
        Assert.Equal("", Lines("1.2.1"));
        Assert.Equal("", Lines("Unhandled exception"));

        string Lines(string text) => string.Join(
            "\n", proxy.Log.All.Where(line => line.Contains(text, StringComparison.OrdinalIgnoreCase)).Distinct());

        async Task RequestAllAsync()
        {
            foreach (var path in Paths)
                await proxy.GetAsync(
                    "/dicomweb" + path, ("Cache-Control", "no-cache"), ("User-Agent", Canary), ("Authorization", "Bearer " + Canary));
            await proxy.GetAsync("/store/instance?imageId=" + Canary);
            Assert.DoesNotContain(Canary, (await proxy.GetAsync("/health/ready")).Text);
            Assert.DoesNotContain(Canary, (await proxy.GetAsync("/warnings")).Text);
        }
    }

    [Fact]
    public async Task ShowsTheLastWarnings_WithTheRemedy()
    {
        using var east = new WireMockPacs();
        east.Fail(401);
        await using var proxy = new ProxyHost(("east", east.Address));
        await proxy.GetAsync("/dicomweb/studies/1.2.1/series");

        var warnings = (await proxy.GetAsync("/warnings")).Json.AsArray();

        var failure = warnings.First(w => (string)w!["name"]! == "BackendFailed")!;
        Assert.Equal((1201, "east", "warning"), ((int)failure["event"]!, (string)failure["backend"]!, (string)failure["level"]!));
        Assert.Contains(
            "studies/{study}/series: credential refused, status 401. Check Backends:east:Authentication", (string)failure["message"]!,
            StringComparison.Ordinal);
    }
}
