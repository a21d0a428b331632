using System.Text;
using Proxy.Tests.Pacs;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Whole studies in one answer of a backend, requested while the lists of series are requested.</summary>
public sealed class StudyRequestWalks : IAsyncDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";
    private const string Whole = "studies/1.2.1";
    private const string Accept = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";

    private static readonly HeldSeries First = new("1.2.1.1", "CT", 6);
    private static readonly HeldSeries Second = new("1.2.1.2", "MR", 3);

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With(First).With(Second));
    private readonly WireMockPacs _west = new();
    private readonly ProxyHost _proxy;

    public StudyRequestWalks()
    {
        _proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address));
        _proxy["Cache:Disk:Path"] = Path.Combine(_proxy.Root, "cache");
        _proxy["Backends:east:Preference"] = "1";
        _proxy["Backends:west:Preference"] = "2";
        ServeSeries(_east, "east", First, Second);
        // Archives mix the series of a study.
        Serve(_east, [.. Second.InstanceUids.Take(2), .. First.InstanceUids, .. Second.InstanceUids.Skip(2)]);
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
        _west.Dispose();
    }

    [Fact]
    public async Task RequestsTheStudyWhileTheListsAreRequested_AndCachesTheInstances()
    {
        var (eastList, westList) = (_east.Hang("1.2.1/series"), _west.Hang("1.2.1/series"));

        var getting = GetAsync();
        await Until.TrueAsync(() => _east.Count(Whole) == 1, "the study is requested before it is listed");
        eastList.Open();
        westList.Open();

        Assert.Equal([.. First.InstanceUids, .. Second.InstanceUids], (await getting).Keys);
        Assert.Equal((1, 0, 0), (_east.Count(Whole), _east.Count("series/1.2.1.1"), _east.Count("series/1.2.1.2")));
        await Until.TrueAsync(
            async () => (int)(await _proxy.GetAsync("/cache")).Json["disk"]!["entries"]! == 9, "all instances are on disk");
        await Until.TrueAsync(async () => (await _proxy.GetAsync(Study + "/metadata")).Rows.Count == 9, "the metadata is read");
        Assert.Equal(9, (await GetAsync()).Count);
        Assert.Equal(1, _east.Count(Whole));
    }

    [Fact]
    public async Task TakesASeriesOfTwoPacsFromItsOwnerOnly()
    {
        var third = new HeldSeries("1.2.1.3", "CT", 2);
        _west.Hold(new HeldStudy("1.2.1").With(First).With(third));
        ServeSeries(_west, "west", First, third);
        Serve(_west, [.. First.InstanceUids, .. third.InstanceUids], "west");

        var files = await GetAsync();

        Assert.Equal(11, files.Count);
        foreach (var (instance, file) in files)
            Assert.Equal(File(instance, instance.StartsWith("1.2.1.3.", StringComparison.Ordinal) ? "west" : "east"), file);
        Assert.Equal((0, 1), (_west.Count("series/1.2.1.1"), _west.Count("series/1.2.1.3")));
    }

    [Fact]
    public async Task RequestsTheInstancesAndTheSeriesThatTheAnswerLacks()
    {
        Serve(_east, [.. First.InstanceUids.Take(4)]);

        Assert.Equal([.. First.InstanceUids, .. Second.InstanceUids], (await GetAsync()).Keys);

        Assert.Equal((0, 1), (_east.Count("series/1.2.1.1"), _east.Count("series/1.2.1.2")));
        Assert.Equal(2, First.InstanceUids.Sum(i => _east.Count("/instances/" + i)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task SkipsRepeatedInstances_AndUnlistedSeriesThatTheOtherPacsMayHold(bool holdsOther)
    {
        Serve(_east, ["1.2.1.9.1", "1.2.1.1.1", "1.2.1.1.1", .. First.InstanceUids, "1.2.1.9.2", .. Second.InstanceUids]);
        var other = new HeldSeries("1.2.1.3", "CT", 1);
        if (holdsOther) _west.Hold(new HeldStudy("1.2.1").With(other));
        ServeSeries(_west, "west", other);

        string[] expected = holdsOther ? [.. other.InstanceUids] : ["1.2.1.9.1", "1.2.1.9.2"];
        Assert.Equal([.. First.InstanceUids, .. Second.InstanceUids, .. expected], (await GetAsync()).Keys);
    }

    [Fact]
    public async Task EndsTheAnswerAtAnInstanceOfAnotherStudy()
    {
        Serve(_east, ["1.2.1.1.1", "1.2.7.1.1", .. First.InstanceUids.Skip(1), .. Second.InstanceUids]);

        Assert.Equal([.. First.InstanceUids, .. Second.InstanceUids], (await GetAsync()).Keys);
    }

    [Theory]
    [InlineData(404)]
    [InlineData(500)]
    public async Task RequestsEachSeries_WhenThePacsGivesNoWholeStudy(int status)
    {
        _east.Fail(status, Whole);

        Assert.Equal([.. First.InstanceUids, .. Second.InstanceUids], (await GetAsync()).Keys);

        Assert.Equal((1, 1), (_east.Count("series/1.2.1.1"), _east.Count("series/1.2.1.2")));
    }

    [Fact]
    public async Task RequestsEachSeries_WhenAPacsGivesNoList()
    {
        _west.Fail(500);

        var reply = await _proxy.GetAsync(Study, ("Accept", Accept));

        Assert.Equal(9, Parts.Read(reply).Count);
        Assert.Contains("west", reply["Warning"]);
        Assert.Equal((1, 1), (_east.Count("series/1.2.1.1"), _east.Count("series/1.2.1.2")));
    }

    [Theory]
    [InlineData(Accept)]
    [InlineData("application/zip")]
    public async Task BreaksTheAnswer_WhenAnInstanceIsCutAfterItsFirstBytes(string accept)
    {
        var large = Described("1.2.1.1.2", "east").Set(0x7FE00010, "OW", new byte[200_000]).ToArray();
        var answer = Answer([File("1.2.1.1.1", "east"), large]);
        _east.Respond(answer with { Body = answer.Body[..^100_000] }, Whole);

        await Assert.ThrowsAsync<HttpRequestException>(() => _proxy.GetAsync(Study, ("Accept", accept)));
    }

    /// <summary>The files of the study by their instance, sorted.</summary>
    private async Task<SortedDictionary<string, byte[]>> GetAsync() => new(
        Parts.Read(await _proxy.GetAsync(Study, ("Accept", Accept)))
            .ToDictionary(p => p.Head.Split("/instances/")[1].Split('\r')[0], p => p.Body),
        StringComparer.Ordinal);

    private static void Serve(WireMockPacs pacs, IReadOnlyList<string> instances, string source = "east") =>
        pacs.Respond(Answer(instances.Select(instance => File(instance, source))), Whole);

    private static void ServeSeries(WireMockPacs pacs, string source, params HeldSeries[] all)
    {
        foreach (var series in all)
        {
            pacs.Respond(Answer(series.InstanceUids.Select(instance => File(instance, source))), $"series/{series.Uid}");
            foreach (var instance in series.InstanceUids)
                pacs.On($"/instances/{instance}", _ => Archive.Multipart("application/dicom", File(instance, source)));
        }
    }

    internal static PacsAnswer Answer(IEnumerable<byte[]> files)
    {
        var body = new List<byte>();
        foreach (var file in files)
        {
            body.AddRange(Encoding.ASCII.GetBytes($"--b\r\nContent-Type: application/dicom\r\nContent-Length: {file.Length}\r\n\r\n"));
            body.AddRange(file);
            body.AddRange("\r\n"u8);
        }
        body.AddRange("--b--\r\n"u8);
        return new(200, "multipart/related; type=\"application/dicom\"; boundary=b", [.. body]);
    }

    internal static byte[] File(string instance, string source) => Described(instance, source).ToArray();

    internal static Part10File Described(string instance, string source) => new Part10File()
        .SetRaw(0x00020003, Part10File.Element(0x00020003, "UI", Part10File.Even(instance, '\0')))
        .Set(0x00080018, "UI", Part10File.Even(instance, '\0'))
        .Set(0x00080080, "LO", source)
        .Set(0x0020000D, "UI", Part10File.Even(string.Join('.', instance.Split('.').Take(3)), '\0'))
        .Set(0x0020000E, "UI", Part10File.Even(instance[..instance.LastIndexOf('.')], '\0'));
}
