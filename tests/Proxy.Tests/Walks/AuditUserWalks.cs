using System.Net;
using System.Text.Json.Nodes;
using Proxy.Tests.Audit;
using Proxy.Tests.Identity;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Records name the users, and what they were refused.</summary>
public sealed class AuditUserWalks : IAsyncDisposable
{
    private const string Metadata = "/dicomweb/studies/1.2.1/series/1.2.1.1/metadata";

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));
    private readonly string _folder = Directory.CreateTempSubdirectory("audit-").FullName;
    private readonly ProxyHost _proxy;

    public AuditUserWalks() => _proxy = new(("east", _east.Address))
    {
        Issuer = new TestIssuer(),
        ["Audit:Path"] = _folder,
        ["Security:Roles:operator:0"] = "admins",
    };

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
        await Until.DeletedAsync(_folder);
    }

    [Fact]
    public async Task NamesTheUser_AndRecordsTheirTokenOnce()
    {
        var anna = _proxy.As("anna");
        await anna.GetAsync(Metadata);
        await anna.GetAsync(Metadata);
        await _proxy.DisposeAsync();

        var records = AuditFiles.Read(_folder);
        Assert.Equal(["110100", "110114", "110103", "110103", "110100"], records.Select(r => r.GetEvent()));
        Assert.All(records.Skip(1).Take(3), r => Assert.Equal(
            ("anna", "https://issuer.test"), ((string)Who(r)["value"]!, (string)Who(r)["system"]!)));
        var text = string.Join('\n', records.Select(r => r.ToJsonString()));
        Assert.DoesNotContain("Bearer", text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("eyJ", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RecordsRefusals()
    {
        Assert.Equal(HttpStatusCode.Unauthorized, (await _proxy.GetAsync(Metadata, ("Authorization", "Bearer wrong"))).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await _proxy.As("anna").GetAsync("/settings")).Status);
        await _proxy.DisposeAsync();

        var records = AuditFiles.Read(_folder);
        Assert.Equal(
            ["110114 4 status 401", "110114 0 ", "110113 4 status 403"],
            records.Skip(1).SkipLast(1).Select(r => $"{r.GetEvent()} {r["outcome"]} {r["outcomeDesc"]}"));
        Assert.Equal("/settings", records[3].FindDetail("description"));
    }

    [Fact]
    public async Task TellsADeniedStudyFromAnAbsentOne_AndRecordsAnEmergency()
    {
        await using var proxy = new ProxyHost(("east", _east.Address))
        {
            ["Audit:Path"] = _folder,
            ["Security:Access:Default"] = "Policy",
            ["Security:Access:Rules:a:PatientIds"] = "A*",
        };
        Assert.Equal(HttpStatusCode.NotFound, (await proxy.GetAsync(Metadata)).Status);
        await proxy.SendAsync(
            HttpMethod.Post, "/emergency", [("Content-Type", "application/json")], """{"study":"1.2.1","reason":"trauma room"}""");
        Assert.Equal(HttpStatusCode.OK, (await proxy.GetAsync(Metadata)).Status);
        await proxy.DisposeAsync();

        var records = AuditFiles.Read(_folder);
        Assert.Equal(
            ["110103 4 denied", "110113 0 ", "110103 0 "],
            records.Skip(1).SkipLast(1).Select(r => $"{r.GetEvent()} {r["outcome"]} {r["outcomeDesc"]}"));
        Assert.All(records.Skip(2).Take(2), r => Assert.Equal(
            ("BTG", "trauma room", "1.2.1"),
            ((string)r["purposeOfEvent"]![0]!["coding"]![0]!["code"]!, (string)r["purposeOfEvent"]![0]!["text"]!, r.FindStudy())));
    }

    private static JsonNode Who(JsonNode record) => record["agent"]![0]!["who"]!["identifier"]!;
}
