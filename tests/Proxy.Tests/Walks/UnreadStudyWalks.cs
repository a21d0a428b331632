using System.Net;
using System.Text;
using Proxy.Tests.Pacs;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Whole studies without metadata in the store: their instances are sent without waiting for it.</summary>
public sealed class UnreadStudyWalks : IAsyncDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";
    private const string Accept = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";

    private static readonly HeldSeries First = new("1.2.1.1", "CT", 8);
    private static readonly HeldSeries Second = new("1.2.1.2", "MR", 3);

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With(First));
    private readonly WireMockPacs _west = new(new HeldStudy("1.2.1").With(Second));
    private readonly ProxyHost _proxy;

    public UnreadStudyWalks()
    {
        _proxy = new ProxyHost(("east", _east.Address), ("west", _west.Address));
        _proxy["Cache:Disk:Path"] = Path.Combine(_proxy.Root, "cache");
        Serve(_east, First, [.. First.InstanceUids]);
        Serve(_west, Second, [.. Second.InstanceUids]);
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
        _west.Dispose();
    }

    [Fact]
    public async Task SendsTheInstances_BeforeTheMetadataIsRead()
    {
        var gates = new[] { _east.Hang("/metadata"), _west.Hang("/metadata") };

        Assert.Equal([.. First.InstanceUids, .. Second.InstanceUids], await GetAsync());

        Assert.Equal((1, 1), (_east.Count("series/1.2.1.1"), _west.Count("series/1.2.1.2")));
        foreach (var gate in gates) gate.Open();
        await Until.TrueAsync(() => gates.All(g => g.Arrived == 1), "the metadata is read afterwards");
        Assert.Equal(11, (await _proxy.GetAsync(Study + "/metadata")).Rows.Count);
        Assert.Equal(2, _east.Count("/metadata") + _west.Count("/metadata"));
    }

    [Fact]
    public async Task AsksForTheSeriesOfBothPacsAtOnce()
    {
        var (east, west) = (_east.Hang("series/1.2.1.1"), _west.Hang("series/1.2.1.2"));

        var getting = GetAsync();
        await Until.TrueAsync(() => east.Arrived + west.Arrived == 2, "both are asked");
        east.Open();
        west.Open();

        Assert.Equal(11, (await getting).Count);
    }

    [Fact]
    public async Task SendsTheFirstInstances_BeforeEverySeriesOfThePacsBegins()
    {
        var late = Enumerable.Range(3, 4).Select(number => new HeldSeries($"1.2.1.{number}", "CT", 2)).ToList();
        _west.Hold(new HeldStudy("1.2.1").With(Second) with { Series = [Second, .. late] });
        var gates = late.ConvertAll(series =>
        {
            Serve(_west, series, [.. series.InstanceUids]);
            return _west.Hang($"series/{series.Uid}");
        });

        using var reply = await _proxy.OpenAsync(Study, ("Accept", Accept));
        Assert.Equal(HttpStatusCode.OK, reply.StatusCode);
        Assert.DoesNotContain(gates, gate => gate.IsOpen);
        gates.ForEach(gate => gate.Open());

        var text = await reply.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Equal(8 + 3 + 8, text.Split("Content-Location: ").Length - 1);
    }

    [Fact]
    public async Task CompletesASeries_WhenItsAnswerHasFewerInstancesThanThePacsLists()
    {
        Serve(_east, First, [.. First.InstanceUids.Take(5)]);

        Assert.Equal([.. First.InstanceUids, .. Second.InstanceUids], await GetAsync());

        Assert.Equal(3, First.InstanceUids.Sum(i => _east.Count("/instances/" + i)));
    }

    [Fact]
    public async Task SkipsForeignAndRepeatedInstances()
    {
        Serve(_east, First, ["1.2.1.1.1", "1.2.1.1.1", .. First.InstanceUids]);

        Assert.Equal([.. First.InstanceUids, .. Second.InstanceUids], await GetAsync());
    }

    [Fact]
    public async Task AnswersWithAProblem_WhenAPacsGivesNothing()
    {
        _west.Fail(500, "series/1.2.1.2");
        _west.Fail(500, "/metadata");
        foreach (var instance in Second.InstanceUids) _west.Fail(500, "/instances/" + instance);

        var reply = await _proxy.GetAsync(Study, ("Accept", Accept));

        Assert.InRange((int)reply.Status, 500, 504);
        reply.IsProblem((int)reply.Status, "west");
    }

    [Fact]
    public async Task AsksForInstancesAlone_WhenThePacsRefusesTheSeries()
    {
        _west.Fail(406, "series/1.2.1.2");

        Assert.Equal([.. First.InstanceUids, .. Second.InstanceUids], await GetAsync());
    }

    [Fact]
    public async Task BindsASeriesToThePacsThatGaveIt()
    {
        await GetAsync();
        await Until.TrueAsync(() => _east.Count("/metadata") == 1, "the metadata is read");

        Assert.Equal("east", (await _proxy.GetAsync("/store/studies/1.2.1/series/1.2.1.1")).Json["backend"]!.ToString());
    }

    /// <summary>The instances of the study, sorted: an instance that the proxy requests alone comes after the others.</summary>
    private async Task<List<string>> GetAsync() =>
    [
        .. Parts.Read(await _proxy.GetAsync(Study, ("Accept", Accept))).Select(
            p => p.Head.Split("/instances/")[1].Split('\r')[0]).Order(StringComparer.Ordinal),
    ];

    private static void Serve(WireMockPacs pacs, HeldSeries series, IReadOnlyList<string> instances)
    {
        var body = new List<byte>();
        foreach (var file in instances.Select(File))
        {
            body.AddRange(Encoding.ASCII.GetBytes($"--b\r\nContent-Type: application/dicom\r\nContent-Length: {file.Length}\r\n\r\n"));
            body.AddRange(file);
            body.AddRange("\r\n"u8);
        }
        body.AddRange("--b--\r\n"u8);
        pacs.Respond(new PacsAnswer(200, "multipart/related; type=\"application/dicom\"; boundary=b", [.. body]), $"series/{series.Uid}");
        foreach (var instance in series.InstanceUids)
            pacs.On($"/instances/{instance}", _ => Archive.Multipart("application/dicom", File(instance)));
    }

    private static byte[] File(string instance) => new Part10File()
        .SetRaw(0x00020003, Part10File.Element(0x00020003, "UI", Part10File.Even(instance, '\0')))
        .Set(0x00080018, "UI", Part10File.Even(instance, '\0'))
        .Set(0x0020000D, "UI", Part10File.Even("1.2.1", '\0'))
        .Set(0x0020000E, "UI", Part10File.Even(instance[..instance.LastIndexOf('.')], '\0')).ToArray();
}
