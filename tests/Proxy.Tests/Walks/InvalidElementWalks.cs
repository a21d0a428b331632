using System.Text.Json.Nodes;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>One invalid element in an answer costs that attribute, row or instance, never the list or the series.</summary>
public sealed class InvalidElementWalks : IAsyncDisposable
{
    private const string Studies = "/dicomweb/studies";

    private const string Metadata = Studies + "/1.2.1/series/1.2.1.1/metadata";

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", instances: 3), new HeldStudy("1.2.2").With("1.2.2.1"));

    private readonly ProxyHost _proxy;

    public InvalidElementWalks() => _proxy = new(("east", _east.Address)) { ["Search:Freshness"] = "00:00:00" };

    public static TheoryData<string> InvalidMembers =>
    [
        "\"HttpError\":\"no\"", "\"00081030\":null", "\"00081030\":\"Chest\"", "\"00081030\":[{\"vr\":\"LO\"}]",
        "\"00081030\":{\"vr\":\"LO\",\"Value\":[\"\\ud83d\"]}",
        "\"00081030\":{\"vr\":\"LO\",\"Value\":[\"a\"]},\"00081030\":{\"vr\":\"LO\",\"Value\":[\"b\"]}",
    ];

    public static TheoryData<string> InvalidElements =>
        ["null", "7", "\"x\"", "[]", "[{\"0020000D\":{\"vr\":\"UI\",\"Value\":[\"1.2.9\"]}}]", "{}",
        "{\"0020000D\":{\"vr\":\"UI\",\"Value\":[\"x\"]}}"];

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Theory]
    [MemberData(nameof(InvalidMembers))]
    public async Task DropsTheAttribute_WhenAMemberOfARowIsInvalid(string member)
    {
        RespondWithChanged("studies", rows => rows[0] = $"{{{member},{rows[0][1..]}");

        var reply = await _proxy.GetAsync(Studies);

        Assert.Equal(["1.2.1", "1.2.2"], reply.Values("0020000D"));
        Assert.Equal(["DOE^JANE", "DOE^JANE"], reply.Rows.Select(row => (string)row!["00100010"]!["Value"]![0]!["Alphabetic"]!));
        Assert.Equal("", reply["X-Failed-Backends"]);
        Assert.Matches("east: [123] attributes that are not valid DICOM JSON were left out", Assert.Single(reply.Warnings));
    }

    [Theory]
    [MemberData(nameof(InvalidElements))]
    public async Task DropsTheRow_WhenAnElementOfAListIsInvalid(string element)
    {
        RespondWithChanged("studies", rows => rows.Insert(1, element));

        var reply = await _proxy.GetAsync(Studies);

        Assert.Equal(["1.2.1", "1.2.2"], reply.Values("0020000D"));
        Assert.Contains("east: 1 results without a valid UID were left out", Assert.Single(reply.Warnings));
    }

    [Fact]
    public async Task Returns502_WhenNoElementOfAListIsADataset()
    {
        _east.Respond(PacsAnswer.Json("[\"27f7126f-4f66fb14\",\"3d2f0f3e-1b7e9d3a\"]"));
        (await _proxy.GetAsync(Studies)).IsProblem(502);
    }

    [Theory]
    [MemberData(nameof(InvalidMembers))]
    public async Task DropsTheAttribute_WhenAMemberOfMetadataIsInvalid(string member)
    {
        RespondWithChanged("metadata", rows => rows[1] = $"{{{member},{rows[1][1..]}", Studies + "/1.2.1/series/1.2.1.1/metadata");

        foreach (var status in (string[])["Proxy; fwd=miss; stored", "Proxy; hit"])
        {
            var reply = await _proxy.GetAsync(Metadata);
            Assert.Equal(["1.2.1.1.1", "1.2.1.1.2", "1.2.1.1.3"], reply.Values("00080018"));
            Assert.All(reply.Rows, row => Assert.Null(row!["00081030"]));
            Assert.All(reply.Rows, row => Assert.Contains("/instances/", (string)row!["7FE00010"]!["BulkDataURI"]!));
            Assert.Contains("attributes that are not valid DICOM JSON were left out", Assert.Single(reply.Warnings));
            Assert.Equal(status, reply.CacheStatus);
        }
    }

    [Theory]
    [MemberData(nameof(InvalidElements))]
    public async Task DropsTheInstance_WhenAnElementOfMetadataIsInvalid(string element)
    {
        RespondWithChanged("metadata", rows => rows.Insert(1, element), Studies + "/1.2.1/series/1.2.1.1/metadata");

        var reply = await _proxy.GetAsync(Metadata);

        Assert.Equal(["1.2.1.1.1", "1.2.1.1.2", "1.2.1.1.3"], reply.Values("00080018"));
        Assert.Contains("1 instances without a valid UID were left out", Assert.Single(reply.Warnings));
    }

    [Theory]
    [InlineData("[{}]")]
    [InlineData("[null]")]
    [InlineData("[{\"HttpError\":\"no\"}]")]
    public async Task Returns502_WhenMetadataHasNoInstance(string answer)
    {
        _east.Respond(PacsAnswer.Json(answer), "metadata");
        (await _proxy.GetAsync(Metadata)).IsProblem(502);
    }

    [Fact]
    public async Task SplitsTwoModalities_WhenOneValueHasBoth()
    {
        RespondWithChanged(
            "studies", rows => rows[0] = rows[0].Replace("\"Value\":[\"CT\"]", "\"Value\":[\"CT\\\\SR\"]", StringComparison.Ordinal));

        var reply = await _proxy.GetAsync(Studies);

        Assert.Equal(["CT", "SR"], reply.Rows[0]!["00080061"]!["Value"]!.AsArray().Select(m => (string)m!));
        Assert.Empty(reply.Warnings);
    }

    [Theory]
    [InlineData(" ")]
    [InlineData("\\u0000")]
    public async Task TrimsPaddedUids_AndFindsTheStudyByThem(string padding)
    {
        foreach (var (pathEnd, uids) in ((string, string[])[])[
            ("studies", ["1.2.1"]), ("/series", ["1.2.1", "1.2.1.1"]),
            ("/metadata", ["1.2.1", "1.2.1.1", "1.2.1.1.1", "1.2.1.1.2", "1.2.1.1.3"])])
        {
            RespondWithChanged(pathEnd, rows =>
            {
                for (var i = 0; i < rows.Count; i++)
                    foreach (var uid in uids) rows[i] = rows[i].Replace($"[\"{uid}\"]", $"[\"{uid}{padding}\"]", StringComparison.Ordinal);
            }, pathEnd == "studies" ? Studies : pathEnd == "/series" ? Studies + "/1.2.1/series" : Metadata);
        }

        var study = (await _proxy.GetAsync(Studies)).Values("0020000D").First()!;
        var series = (await _proxy.GetAsync($"{Studies}/{study}/series")).Rows[0]!;
        var metadata = await _proxy.GetAsync($"{Studies}/{study}%20/series/{series["0020000E"]!["Value"]![0]}/metadata");

        Assert.Equal("1.2.1", study);
        Assert.Equal(("1.2.1", "1.2.1.1"), ((string)series["0020000D"]!["Value"]![0]!, (string)series["0020000E"]!["Value"]![0]!));
        Assert.Equal(["1.2.1.1.1", "1.2.1.1.2", "1.2.1.1.3"], metadata.Values("00080018"));
        Assert.All(metadata.Values("0020000D"), uid => Assert.Equal("1.2.1", uid));
        Assert.All(metadata.Values("0020000E"), uid => Assert.Equal("1.2.1.1", uid));
    }

    /// <summary>The PACS now answers a path with a changed answer of its archive.</summary>
    private void RespondWithChanged(string pathEnd, Action<List<string>> change, string path = Studies)
    {
        var rows = JsonNode.Parse(_east.Archive.Answer(path["/dicomweb/".Length..], "", "").Body)!.AsArray()
            .Select(row => row!.ToJsonString()).ToList();
        change(rows);
        _east.Respond(PacsAnswer.Json($"[{string.Join(',', rows)}]"), pathEnd);
    }
}
