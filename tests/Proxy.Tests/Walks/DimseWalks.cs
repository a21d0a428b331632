using Proxy.Dicom;
using Proxy.Tests.Dimse;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A PACS that speaks only DIMSE answers DICOMweb clients, and its faults are reported as those of other PACS.</summary>
public sealed class DimseWalks : IAsyncDisposable
{
    private const string Study = "/dicomweb/studies/" + DimsePacs.Study;
    private const string Series = Study + "/series/" + DimsePacs.Series;

    private static readonly (string, string) AnyFrame = (
        "Accept", "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*");

    private readonly DimsePacs _pacs = new();
    private readonly ProxyHost _proxy = [];

    public DimseWalks()
    {
        foreach (var (key, value) in _pacs.Settings()) _proxy[key] = value;
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        await _pacs.DisposeAsync();
    }

    [Fact]
    public async Task ServesSearchesMetadataAndFrames()
    {
        var studies = await _proxy.GetAsync("/dicomweb/studies?PatientName=m*");
        Assert.Equal([DimsePacs.Study], studies.Values("0020000D"));
        Assert.Equal("Müller^Jürgen", (string?)studies.Rows[0]!["00100010"]!["Value"]![0]!["Alphabetic"]);
        Assert.Null(studies.Rows[0]!["00080052"]);
        Assert.Equal([DimsePacs.Series], (await _proxy.GetAsync(Study + "/series")).Values("0020000E"));
        Assert.Equal(_pacs.Instances, (await _proxy.GetAsync(Series + "/instances")).Values("00080018"));
        Assert.Equal(_pacs.Instances, (await _proxy.GetAsync("/dicomweb/instances")).Values("00080018"));

        Assert.Equal(_pacs.Instances, (await _proxy.GetAsync(Series + "/metadata")).Values("00080018"));
        var stored = _pacs.Stored.Count;
        var frame = await _proxy.GetAsync($"{Series}/instances/{_pacs.Instances[1]}/frames/1", AnyFrame);

        Assert.Equal(200, (int)frame.Status);
        Assert.Contains("\u0001\u0002\u0003\u0004", frame.Text);
        // The series is retrieved once: its frames are cut out of it.
        Assert.Equal((3, 3), (stored, _pacs.Stored.Count));
        Assert.All(_pacs.Stored, status => Assert.Equal(0, status));
        Assert.Equal(404, (int)(await _proxy.GetAsync($"{Series}/instances/{_pacs.Instances[1]}/frames/2", AnyFrame)).Status);
        Assert.Equal(404, (int)(await _proxy.GetAsync("/dicomweb/studies/1.9/series/1.9.1/metadata")).Status);
    }

    [Fact]
    public async Task RetrievesOneInstance_WhenAFrameIsRequestedFirst()
    {
        var frame = await _proxy.GetAsync($"{Series}/instances/{_pacs.Instances[2]}/frames/1", AnyFrame);

        Assert.Equal(200, (int)frame.Status);
        Assert.Single(_pacs.Stored);
    }

    [Fact]
    public async Task FailsTheSeries_WhenAnInstanceDoesNotArrive()
    {
        _pacs.Sends = (asked, _) => asked.Where(uid => uid != _pacs.Instances[0]);

        var reply = await _proxy.GetAsync(Series + "/metadata");

        reply.IsProblem(502);
        Assert.Contains("2 of 3 instances", reply.Text);
    }

    [Fact]
    public async Task AsksAgain_ForInstancesThatDidNotArriveAtFirst()
    {
        _pacs.Sends = (asked, isFirst) => isFirst ? asked.Skip(1) : asked;

        var reply = await _proxy.GetAsync(Series + "/metadata");

        Assert.Equal(_pacs.Instances.Order(), reply.Values("00080018").Order());
        Assert.Equal(3, _pacs.Stored.Count);
    }

    [Fact]
    public async Task LeavesOutInstances_ThatArriveTwiceOrWereNotRequested()
    {
        _pacs.Sends = (asked, _) => ["1.9.9", asked[0], .. asked];

        Assert.Equal(_pacs.Instances, (await _proxy.GetAsync(Series + "/metadata")).Values("00080018"));
    }

    [Fact]
    public async Task Fails_WhenThePacsAbortsInsideAnInstance()
    {
        _pacs.AbortsInside = true;

        var reply = await _proxy.GetAsync(Series + "/metadata");

        Assert.InRange((int)reply.Status, 500, 504);
        Assert.Contains("aborted the association", reply.Text);
    }

    [Fact]
    public async Task SaysThatThePacsSendsNothing_WhenItDoesNotAcceptTheRole()
    {
        _pacs.AnswersRoles = false;

        var reply = await _proxy.GetAsync(Series + "/metadata");

        Assert.InRange((int)reply.Status, 500, 504);
        Assert.Contains("role of the receiver", reply.Text);
    }

    [Fact]
    public async Task ConnectsOnceMore_WhenThePacsHasClosedTheIdleAssociation()
    {
        _pacs.ClosesAfterOperation = true;

        Assert.Equal(200, (int)(await _proxy.GetAsync("/dicomweb/studies")).Status);
        Assert.Equal(200, (int)(await _proxy.GetAsync("/dicomweb/studies?PatientID=0")).Status);
        Assert.InRange(_pacs.Connections, 2, 3);
    }

    [Fact]
    public async Task BacksOff_WhenThePacsAllowsNoMoreAssociations()
    {
        _pacs.Rejects = new(Result: 2, Source: 3, Reason: 2);

        var reply = await _proxy.GetAsync("/dicomweb/studies");

        reply.IsProblem(503);
        Assert.Contains("it allows no more associations", reply.Text);
        Assert.Equal(1, _pacs.Connections);
    }

    [Fact]
    public async Task CancelsTheSearch_WhenThereAreEnoughRows()
    {
        _pacs.Studies = 50;
        _proxy["Search:MaxResults"] = "10";

        var reply = await _proxy.GetAsync("/dicomweb/studies?limit=5");

        Assert.Equal(5, reply.Rows.Count);
        await Pacs.Until.TrueAsync(() => _pacs.Cancelled == 1);
    }

    [Fact]
    public async Task Counts_WhatThePacsDoesNotCount()
    {
        _pacs.Counts = false;

        var study = Assert.Single((await _proxy.GetAsync("/dicomweb/studies?ModalitiesInStudy=CT")).Rows);
        var series = Assert.Single((await _proxy.GetAsync(Study + "/series")).Rows);

        Assert.Equal("1", study!["00201206"]!["Value"]![0]!.ToString());
        Assert.Equal("3", study["00201208"]!["Value"]![0]!.ToString());
        Assert.Equal("3", series!["00201209"]!["Value"]![0]!.ToString());
        Assert.Empty((await _proxy.GetAsync("/dicomweb/studies?ModalitiesInStudy=MR")).Rows);
    }

    [Fact]
    public async Task SendsTheKeysOfItsLevelOnly()
    {
        await _proxy.GetAsync(Study + "/series?PatientName=M%C3%BCller*&Modality=CT");

        var series = Assert.Single(_pacs.Identifiers, keys => keys.FindString(new(0x00080052)) == "SERIES");
        Assert.Equal((DimsePacs.Study, "CT"), (series.FindString(Tag.StudyInstanceUid), series.FindString(Tag.Modality)));
        Assert.False(series.Has(Tag.PatientName));
    }

    [Theory]
    [InlineData(7, "Set Backends:east:CalledAeTitle")]
    [InlineData(3, "Add the AE title PROXY")]
    public async Task TheTestSaysWhichAeTitleIsWrong(byte reason, string remedy)
    {
        _pacs.Rejects = new(Result: 1, Source: 1, Reason: reason);

        var report = await _proxy.SendAsync(HttpMethod.Post, "/backends/east/test", []);

        Assert.Contains(remedy, report.Text);
    }

    [Fact]
    public async Task TheTestSaysWhetherThePacsSendsInstances()
    {
        _pacs.AnswersRoles = false;

        var report = await _proxy.SendAsync(HttpMethod.Post, "/backends/east/test", []);

        Assert.Contains("it sends no instances by C-GET", report.Text);
    }
}
