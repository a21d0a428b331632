using System.Text;
using Proxy.Tests.Audit;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Every access to data of patients is recorded, hits included.</summary>
public sealed class AuditWalks : IAsyncDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";
    private const string Series = Study + "/series/1.2.1.1";
    private const string Frame = Series + "/instances/1.2.1.1.1/frames/1";

    private readonly WireMockPacs _east = new(
        new HeldStudy("1.2.1") { PatientName = "DOE^JANE", PatientId = "P7" }.With(new HeldSeries("1.2.1.1", "US", 3) { Frames = 2 }));

    private readonly string _folder = Directory.CreateTempSubdirectory("audit-").FullName;
    private readonly ProxyHost _proxy;

    public AuditWalks() => _proxy = new(("east", _east.Address)) { ["Audit:Path"] = _folder };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
        await Until.DeletedAsync(_folder);
    }

    [Fact]
    public async Task RecordsASearch_WithItsQuery()
    {
        await _proxy.GetAsync("/dicomweb/studies?PatientName=DOE*", ("X-Forwarded-For", "10.9.8.7"));

        var record = await AuditFiles.WaitAsync(_folder, r => r.GetEvent() == "110112");
        Assert.Equal(("E", "0"), ((string)record["action"]!, (string)record["outcome"]!));
        var query = (string)record["entity"]![0]!["query"]!;
        Assert.Equal("/dicomweb/studies?PatientName=DOE*", Encoding.UTF8.GetString(Convert.FromBase64String(query)));
        var agents = record["agent"]!.AsArray();
        Assert.Equal((true, "127.0.0.1"), ((bool)agents[0]!["requestor"]!, (string)agents[0]!["network"]!["address"]!));
        Assert.Contains(agents, agent => (string?)agent!["name"] == "east");
    }

    [Fact]
    public async Task RecordsMetadata_MissAndHit_WithThePatient()
    {
        await _proxy.GetAsync(Series + "/metadata");
        await _proxy.GetAsync(Series + "/metadata");

        await Until.TrueAsync(() => AuditFiles.Read(_folder).Count(r => r.GetEvent() == "110103") == 2);
        var records = AuditFiles.Read(_folder).Where(r => r.GetEvent() == "110103").ToList();
        Assert.Equal(["miss", "hit"], records.Select(r => r.FindDetail("cache")));
        Assert.All(
            records,
            r => Assert.Equal(("1.2.1", "1.2.1.1", "metadata"), (r.FindStudy(), r.FindDetail("series"), r.FindDetail("subject"))));
        var patient = records[1]["entity"]!.AsArray().Single(e => (string)e!["role"]!["code"]! == "1")!;
        Assert.Equal(("P7", "DOE^JANE"), ((string)patient["what"]!["identifier"]!["value"]!, (string)patient["name"]!));
    }

    [Fact]
    public async Task JoinsFramesOfAStudy_AndWritesTheRecordAtTheStop()
    {
        await _proxy.GetAsync(Frame);
        await _proxy.GetAsync(Frame);
        await _proxy.GetAsync(Series + "/instances/1.2.1.1.2/frames/1,2");
        await _proxy.DisposeAsync();

        var record = Assert.Single(AuditFiles.Read(_folder), r => r.FindDetail("subject") == "frames");
        Assert.Equal(("3", "4", "1", "2"), (
            record.FindDetail("requests"), record.FindDetail("frames"), record.FindDetail("hits"), record.FindDetail("misses")));
        Assert.Equal(("1.2.1", "1.2.1.1", (string?)null), (record.FindStudy(), record.FindDetail("series"), record.FindDetail("instance")));
        Assert.Equal(
            ["110120", "110121"],
            AuditFiles.Read(_folder).Where(r => r.GetEvent() == "110100").Select(r => (string)r["subtype"]![0]!["code"]!));
    }

    [Fact]
    public async Task RecordsWhatIsAbsent_AsAFailure()
    {
        await _proxy.GetAsync("/dicomweb/studies/1.2.9/metadata");

        var record = await AuditFiles.WaitAsync(_folder, r => r.FindStudy() == "1.2.9");
        Assert.Equal(("4", "status 404"), ((string)record["outcome"]!, (string)record["outcomeDesc"]!));
    }

    [Fact]
    public async Task RecordsTransfersDeletionsAndTheStore()
    {
        await _proxy.GetAsync("/dicomweb?requestType=WADO&studyUID=1.2.1&seriesUID=1.2.1.1&objectUID=1.2.1.1.1");
        await _proxy.GetAsync(Series + "/metadata");
        await _proxy.GetAsync("/store/studies/1.2.1");
        await _proxy.SendAsync(HttpMethod.Delete, "/cache/studies/1.2.1", []);
        await _proxy.SendAsync(HttpMethod.Delete, "/cache", []);
        await _proxy.GetAsync("/health/live");
        await _proxy.DisposeAsync();

        var records = AuditFiles.Read(_folder);
        Assert.Equal(
            ["110100 ", "110103 metadata", "110103 store", "110105 purge", "110113 purge", "110104 instances", "110100 "],
            records.Select(r => $"{r.GetEvent()} {r.FindDetail("subject")}"));
        Assert.Equal("1.2.1", records[^2].FindStudy());
    }

    [Fact]
    public async Task RecordsWhatAClientStores_AndPrefetches_OncePerStudy()
    {
        await _proxy.PostAsync("/backends/east/dicomweb/studies", StowMessage.Body(StowMessage.File("1.2.8", "1.2.8.1", "1.2.8.1.1")));
        await _proxy.SendAsync(
            HttpMethod.Post, "/prefetch", [("Content-Type", "application/json")], """{"studies":["1.2.1","1.2.5"]}""");
        await _proxy.DisposeAsync();

        Assert.Equal(
            ["110104 C 1.2.8", "110102 E 1.2.1", "110102 E 1.2.5"],
            AuditFiles.Read(_folder).Skip(1).SkipLast(1).Select(r => $"{r.GetEvent()} {r["action"]} {r.FindStudy()}"));
    }

    [Fact]
    public async Task RecordsNothing_WithoutTheSetting()
    {
        await using var proxy = new ProxyHost(("east", _east.Address));

        await proxy.GetAsync(Series + "/metadata");

        Assert.Empty(Directory.EnumerateFileSystemEntries(proxy.Root));
    }

    [Fact]
    public async Task OnlyTheAccountOfTheProxyCanReadTheFiles()
    {
        await _proxy.GetAsync("/dicomweb/studies");
        await AuditFiles.WaitAsync(_folder, r => r.GetEvent() == "110112");

        foreach (var path in Directory.EnumerateFiles(_folder, "*", SearchOption.AllDirectories))
        {
            // The outbox deletes files that are delivered.
            if (!OperatingSystem.IsWindows() && new FileInfo(path) is { Exists: true } file)
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, file.UnixFileMode);
        }
    }

    /// <summary>T27: a value of a client never starts a new line or element of a record.</summary>
    [Fact]
    public async Task T27_AClientCannotInjectRecords()
    {
        var reply = await _proxy.SendRawAsync(
            "GET /dicomweb/studies?PatientName=A%0d%0a%7b%22resourceType%22:1%7d HTTP/1.1\r\nHost: localhost\r\n"
            + "User-Agent: x\"},{\"y\":\"z\r\nConnection: close\r\n\r\n");
        Assert.Contains("\"parameter\":\"PatientName\"", reply, StringComparison.Ordinal);
        await _proxy.GetAsync("/dicomweb/studies/1.2.1%0d%0a%7b%7d/metadata");
        await _proxy.DisposeAsync();

        var records = AuditFiles.Read(_folder);
        Assert.All(records, r => Assert.Equal("AuditEvent", (string)r["resourceType"]!));
        Assert.Equal(["110100", "110112", "110103", "110100"], records.Select(r => r.GetEvent()));
        Assert.Equal("x\"},{\"y\":\"z", records[1].FindDetail("userAgent"));
        Assert.Null(records[2].FindStudy());
        Assert.DoesNotContain(_proxy.Log.All, line => line.Contains("lost", StringComparison.Ordinal));
    }
}
