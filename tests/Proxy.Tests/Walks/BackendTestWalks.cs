using System.Net;
using System.Text.Json.Nodes;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary><c>POST /backends/{name}/test</c> says what works at a PACS, what does not, and what to do.</summary>
public sealed class BackendTestWalks
{
    private static readonly string[] Names =
        ["reachable", "authentication", "root", "searches", "metadata", "frames", "transferSyntax", "validators", "pageCap"];

    private static WireMockPacs CreatePacs() =>
        new(new HeldStudy("1.2.1") { PatientName = "SECRET^NAME" }.With("1.2.1.1", "SR").With("1.2.1.2", "CT", instances: 3));

    [Fact]
    public async Task FindsNothingWrong_WithAWorkingPacs()
    {
        using var east = CreatePacs();
        await using var proxy = new ProxyHost(("east", east.Address));

        var report = await TestAsync(proxy);

        Assert.Equal(Names, report["checks"]!.AsArray().Select(check => (string?)check!["name"]));
        foreach (var name in Names) Assert.Equal((name, "ok"), (name, OutcomeOf(report, name)));
        Assert.Equal("east", (string?)report["backend"]);
        Assert.Equal("3 instances of a series", DetailOf(report, "metadata").Split(',')[0]);
        Assert.True((double)report["latencyMs"]! > 0);
        Assert.Null(report["pageCap"]);
        Assert.DoesNotContain(east.Port.ToString(), report.ToJsonString());
        Assert.DoesNotContain("SECRET", report.ToJsonString());
        Assert.DoesNotContain("1.2.1", report.ToJsonString().Replace("1.2.840", ""));
        Assert.InRange(east.Requests.Count, 6, 14);
    }

    [Fact]
    public async Task KnowsTheStateOfThePacs_AfterATest()
    {
        using var east = CreatePacs();
        await using var proxy = new ProxyHost(("east", east.Address));

        Assert.Equal("unknown", (string?)(await proxy.GetAsync("/health/ready")).Json["backends"]!["east"]!["state"]);
        await TestAsync(proxy);

        Assert.Equal("up", (string?)(await proxy.GetAsync("/health/ready")).Json["backends"]!["east"]!["state"]);
    }

    [Fact]
    public async Task SaysThatNothingListens()
    {
        var east = CreatePacs();
        var address = east.Address;
        east.Dispose();
        await using var proxy = new ProxyHost(("east", address));

        var report = await TestAsync(proxy);

        AssertFailed(report, "reachable", "connection refused", "start the PACS, or correct the port in Backends:east:Address");
        Assert.Equal("skipped", OutcomeOf(report, "authentication"));
        Assert.Equal("reachable failed", DetailOf(report, "frames"));
    }

    [Fact]
    public async Task SaysThatTheHostIsUnknown()
    {
        await using var proxy = new ProxyHost(("east", "http://pacs.invalid/dicom-web"));

        AssertFailed(await TestAsync(proxy), "reachable", "host name not found", "correct the host in Backends:east:Address");
    }

    [Fact]
    public async Task SaysWhyACertificateIsNotTrusted()
    {
        using var east = new TlsPacs();
        await using var proxy = new ProxyHost(("east", east.Address));

        AssertFailed(await TestAsync(proxy), "reachable", "certificate not trusted: ", "install the certificate of its issuer");
    }

    [Fact]
    public async Task SaysThatThePortSpeaksNoTls()
    {
        using var east = CreatePacs();
        await using var proxy = new ProxyHost(("east", east.Address.Replace("http:", "https:", StringComparison.Ordinal)));

        AssertFailed(await TestAsync(proxy), "reachable", "no TLS connection", "use http");
    }

    [Theory]
    [InlineData(401, null, "401: the PACS requires a credential")]
    [InlineData(403, "secret", "403: the PACS refuses the credential")]
    public async Task NamesTheSetting_WhenTheCredentialIsMissingOrRefused(int status, string? token, string detail)
    {
        using var east = CreatePacs();
        east.Fail(status);
        await using var proxy = new ProxyHost(("east", east.Address));
        if (token is not null)
        {
            proxy["Backends:east:Authentication:Scheme"] = "Bearer";
            proxy["Backends:east:Authentication:Token"] = token;
        }

        var report = await TestAsync(proxy);

        AssertFailed(report, "authentication", detail, "set Backends:east:Authentication");
        Assert.Equal("ok", OutcomeOf(report, "reachable"));
        Assert.DoesNotContain("secret", report.ToJsonString());
    }

    [Fact]
    public async Task UsesTheCredential()
    {
        using var east = CreatePacs();
        east.Respond(request => request.Headers.GetValueOrDefault("Authorization") == "Bearer secret"
            ? null
            : PacsAnswer.Text(401, "text/plain", "no"));
        await using var proxy = new ProxyHost(("east", east.Address))
        {
            ["Backends:east:Authentication:Scheme"] = "Bearer",
            ["Backends:east:Authentication:Token"] = "secret",
        };

        var report = await TestAsync(proxy);

        Assert.Equal(("ok", "accepted"), (OutcomeOf(report, "authentication"), DetailOf(report, "authentication")));
        Assert.Equal("ok", OutcomeOf(report, "frames"));
    }

    [Fact]
    public async Task FindsTheRoot_WhereArchivesHaveIt()
    {
        using var east = CreatePacs();
        await using var proxy = new ProxyHost(("east", $"http://127.0.0.1:{east.Port}/pacs"));

        AssertFailed(
            await TestAsync(proxy), "root",
            "not a DICOMweb root: tried \"studies\" below the address, found status 404; found a DICOMweb root at /dicom-web",
            "end Backends:east:Address with /dicom-web");
    }

    [Fact]
    public async Task NamesNoConfiguredPath_WhenTheRootIsBelowIt()
    {
        using var east = CreatePacs();
        east.On("tenant/rs/studies", _ => east.Archive.Answer("studies", "?limit=1", "application/dicom+json"));
        await using var proxy = new ProxyHost(("east", east.Address + "/tenant"));

        var report = await TestAsync(proxy);

        AssertFailed(
            report, "root",
            "not a DICOMweb root: tried \"studies\" below the address, found status 404; found a DICOMweb root at /rs below it",
            "append /rs to Backends:east:Address");
        Assert.DoesNotContain("tenant", report.ToJsonString());
    }

    [Fact]
    public async Task BelievesNoStatusWithoutItsBody()
    {
        using var east = CreatePacs();
        east.Respond(PacsAnswer.Text(200, "text/html", "<html>log in</html>"));
        await using var proxy = new ProxyHost(("east", east.Address));

        AssertFailed(await TestAsync(proxy), "root", "found an HTML page", "set Backends:east:Address");
    }

    [Fact]
    public async Task SaysThatThePacsRedirects()
    {
        using var east = CreatePacs();
        east.Respond(PacsAnswer.Text(302, "text/html", "") with { Headers = [("Location", "https://login.example/secret")] });
        await using var proxy = new ProxyHost(("east", east.Address));

        var report = await TestAsync(proxy);

        AssertFailed(report, "root", "302: the PACS redirects", "Backends:east:Address");
        Assert.DoesNotContain("login.example", report.ToJsonString());
    }

    [Fact]
    public async Task SaysThatSearchesAreIgnored()
    {
        using var east = CreatePacs().Hold(new HeldStudy("1.2.2").With("1.2.2.1"));
        east.Archive.IsStatic = true;
        await using var proxy = new ProxyHost(("east", east.Address));

        var report = await TestAsync(proxy);

        Assert.Equal("warning", OutcomeOf(report, "searches"));
        Assert.Contains("ignores the parameters of searches", DetailOf(report, "searches"));
    }

    [Theory]
    [InlineData("/metadata", "metadata", "metadata of a series: status 500")]
    [InlineData("/frames/1", "frames", "frame 1 as stored: status 500")]
    [InlineData("/series", "metadata", "the series of a study: status 500")]
    public async Task NamesWhatFails(string pathEnd, string name, string detail)
    {
        using var east = CreatePacs();
        east.Fail(500, pathEnd);
        await using var proxy = new ProxyHost(("east", east.Address));

        AssertFailed(await TestAsync(proxy), name, detail, "the PACS must offer");
    }

    [Fact]
    public async Task ChecksThePixels()
    {
        using var east = CreatePacs();
        east.Respond(Archive.Multipart("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.90", new byte[500]), "/frames/1");
        await using var proxy = new ProxyHost(("east", east.Address));

        AssertFailed(await TestAsync(proxy), "frames", "does not begin like a frame of its type", "frames");
    }

    [Fact]
    public async Task NamesTheTransferSyntaxAndTheValidators()
    {
        using var east = CreatePacs();
        east.GivesETags = true;
        await using var proxy = new ProxyHost(("east", east.Address));

        var report = await TestAsync(proxy);

        Assert.Equal("stored as JPEG-LS Lossless", DetailOf(report, "transferSyntax"));
        Assert.Equal("ETag, confirmed with 304", DetailOf(report, "validators"));
    }

    [Fact]
    public async Task FindsThePageCap()
    {
        using var east = new WireMockPacs(Enumerable.Range(1, 30).Select(i => new HeldStudy($"1.2.{i}").With($"1.2.{i}.1")));
        east.Archive.PageCap = 12;
        await using var proxy = new ProxyHost(("east", east.Address));

        var report = await TestAsync(proxy);

        Assert.Equal(12, (int)report["pageCap"]!);
        Assert.Equal("ok", OutcomeOf(report, "pageCap"));
    }

    [Fact]
    public async Task StopsReadingALongAnswer()
    {
        using var east = CreatePacs();
        var row = """{"0020000D":{"vr":"UI","Value":["1.2.1"]},"00081030":{"vr":"LO","Value":["x"]}},""";
        var endless = new System.Text.StringBuilder("[").Insert(1, row, 200_000).ToString();
        east.On("studies", request => PacsAnswer.Json(request.Query.Contains("2.25", StringComparison.Ordinal) ? "[]" : endless));
        await using var proxy = new ProxyHost(("east", east.Address));

        var report = await TestAsync(proxy);

        Assert.Equal(("warning", "it ignores \"limit\": every search transfers the whole list"),
            (OutcomeOf(report, "searches"), DetailOf(report, "searches")));
    }

    [Fact]
    public async Task TestsOnce_ForCallersAtTheSameTime()
    {
        using var east = CreatePacs();
        var gate = east.Hang("studies");
        await using var proxy = new ProxyHost(("east", east.Address));

        var both = Task.WhenAll(TestAsync(proxy), TestAsync(proxy));
        await Until.TrueAsync(() => proxy.Arrived == 2);
        await Until.TrueAsync(() => gate.Arrived > 0);
        gate.Open();
        await both;

        Assert.Equal(1, east.Count("/metadata"));
    }

    [Fact]
    public async Task RefusesABackendThatIsNotConfigured_AndAPageOfAnotherSite()
    {
        using var east = CreatePacs();
        await using var proxy = new ProxyHost(("east", east.Address));

        Assert.Equal(HttpStatusCode.NotFound, (await proxy.SendAsync(HttpMethod.Post, "/backends/north/test", [])).Status);
        var foreign = await proxy.SendAsync(HttpMethod.Post, "/backends/east/test", [("Origin", "https://evil.example")]);
        Assert.Equal(HttpStatusCode.Forbidden, foreign.Status);
        Assert.Empty(east.Requests);
    }

    private static async Task<JsonNode> TestAsync(ProxyHost proxy)
    {
        var reply = await proxy.SendAsync(HttpMethod.Post, "/backends/east/test", []);
        Assert.Equal(HttpStatusCode.OK, reply.Status);
        return reply.Json;
    }

    private static void AssertFailed(JsonNode report, string name, string detail, string remedy)
    {
        Assert.Equal("failed", OutcomeOf(report, name));
        Assert.Contains(detail, DetailOf(report, name));
        Assert.Contains(remedy, (string?)Get(report, name)["remedy"]);
    }

    private static string OutcomeOf(JsonNode report, string name) => (string)Get(report, name)["outcome"]!;

    private static string DetailOf(JsonNode report, string name) => (string)Get(report, name)["detail"]!;

    private static JsonNode Get(JsonNode report, string name) =>
        report["checks"]!.AsArray().Single(check => (string?)check!["name"] == name)!;
}
