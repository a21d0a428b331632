using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>An instance that a client retrieved whole gives its metadata, frames and bulk data without a request to the PACS.</summary>
public sealed class InstanceFileWalks : IDisposable
{
    private const string Series = "/dicomweb/studies/1.2.1/series/1.2.1.1";
    private const string Instance = Series + "/instances/1.2.1.1.1";

    private static readonly (string, string) Dicom = ("Accept", "application/dicom; transfer-syntax=*");
    private static readonly (string, string) AsStored = ("Accept", "application/octet-stream; transfer-syntax=*");

    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());
    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 2));
    private readonly ProxyHost _proxy;

    public InstanceFileWalks()
    {
        _proxy = new(("east", _east.Address)) { Time = _time };
        Hold(File());
    }

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    [Fact]
    public async Task ServesMetadataAndFrames_OfAnInstanceThatWasRetrieved()
    {
        Assert.Equal(File().ToArray(), (await _proxy.GetAsync(Instance, Dicom)).Body);
        var asked = _east.Requests.Count;

        var metadata = await _proxy.GetAsync(Instance + "/metadata");
        var frame = await _proxy.GetAsync(Instance + "/frames/1", AsStored);

        var dataset = Assert.Single(metadata.Rows)!;
        Assert.Equal("1.50", dataset["00180050"]!["Value"]![0]!.ToJsonString());
        Assert.Equal("Äneas", dataset["00100010"]!["Value"]![0]!["Alphabetic"]!.GetValue<string>());
        Assert.Equal("ISO_IR 192", dataset["00080005"]!["Value"]![0]!.GetValue<string>());
        Assert.Equal(Part10File.Explicit, dataset["00083002"]!["Value"]![0]!.GetValue<string>());
        Assert.Equal("Proxy; hit", metadata.CacheStatus);
        Assert.Equal(Part10File.Counting(64), frame.Body);
        Assert.Equal(asked, _east.Requests.Count);
        Assert.Equal(304, (int)(await _proxy.GetAsync(Instance + "/metadata", ("If-None-Match", metadata["ETag"]))).Status);
    }

    [Fact]
    public async Task ServesTheBulkDataThatTheMetadataNames()
    {
        await _proxy.GetAsync(Instance, Dicom);
        var dataset = Assert.Single((await _proxy.GetAsync(Instance + "/metadata")).Rows)!;
        var asked = _east.Requests.Count;

        var pixels = await _proxy.GetAsync(GetPath(dataset["7FE00010"]!));
        var nested = await _proxy.GetAsync(GetPath(dataset["00880200"]!["Value"]![0]!["00291010"]!));

        Assert.Equal(Part10File.Counting(64), pixels.Body);
        Assert.Equal(Part10File.Counting(2000), nested.Body);
        Assert.Equal("Proxy; hit", nested.CacheStatus);
        Assert.Equal(asked, _east.Requests.Count);

        await _proxy.SendAsync(HttpMethod.Delete, "/cache", []);
        Assert.Equal(Part10File.Counting(2000), (await _proxy.GetAsync(GetPath(dataset["00880200"]!["Value"]![0]!["00291010"]!))).Body);
        Assert.Equal(2, _east.Count("/instances/1.2.1.1.1"));
    }

    [Fact]
    public async Task ServesCompressedFrames_AsOnePartEach()
    {
        const string Jpeg = "1.2.840.10008.1.2.4.50";
        byte[][] frames = [Pixels.In(Jpeg, "first", 400), Pixels.In(Jpeg, "second", 600)];
        Hold(Part10File.Encapsulated(2, [], frames).Set(0x00080018, "UI", Part10File.Even("1.2.1.1.1", '\0'))
            .Set(0x0020000D, "UI", Part10File.Even("1.2.1", '\0')).Set(0x0020000E, "UI", Part10File.Even("1.2.1.1", '\0')));
        await _proxy.GetAsync(Instance, Dicom);
        var path = GetPath(Assert.Single((await _proxy.GetAsync(Instance + "/metadata")).Rows)!["7FE00010"]!);
        var asked = _east.Requests.Count;

        var parted = await _proxy.GetAsync(path, ("Accept", "multipart/related; type=\"image/jpeg\"; transfer-syntax=*"));
        var whole = await _proxy.GetAsync(path, ("Accept", "application/octet-stream"));

        var parts = Parts.Read(parted);
        Assert.Equal(frames, parts.Select(part => part.Body));
        Assert.All(parts, part => Assert.Contains($"Content-Type: image/jpeg; transfer-syntax={Jpeg}", part.Head));
        Assert.Contains($"Content-Location: {_proxy.Address}{Instance}/frames/2", parts[1].Head);
        Assert.Equal(("Proxy; hit", "W/"), (parted.CacheStatus, parted["ETag"][..2]));
        Assert.Equal(frames.SelectMany(frame => frame), whole.Body);
        Assert.Equal(asked, _east.Requests.Count);
    }

    [Fact]
    public async Task AsksThePacs_ForTheMetadataOfTheSeries()
    {
        await _proxy.GetAsync(Instance, Dicom);
        await _proxy.GetAsync(Instance + "/metadata");
        Assert.Equal(0, _east.Count("/metadata"));

        Assert.Equal(["1.2.1.1.1", "1.2.1.1.2"], (await _proxy.GetAsync(Series + "/metadata")).Values("00080018"));
        Assert.Equal(["R"], (await _proxy.GetAsync(Instance + "/metadata")).Values("00200060"));
        Assert.Equal(1, _east.Count("/metadata"));
    }

    [Fact]
    public async Task ServesTheMetadataOfASeries_WhenAllItsInstancesWereRetrieved()
    {
        _east.Hold(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 1));
        await _proxy.GetAsync(Instance, Dicom);
        await _proxy.GetAsync(Instance + "/metadata");

        Assert.Equal(["1.2.1.1.1"], (await _proxy.GetAsync(Series + "/metadata")).Values("00080018"));
        Assert.Equal(0, _east.Count("/metadata"));
    }

    [Fact]
    public async Task ShowsTheInstanceInTheStore()
    {
        await _proxy.GetAsync(Instance, Dicom);

        await Until.TrueAsync(async () => (await _proxy.GetAsync("/store" + Instance["/dicomweb".Length..])).Text.Contains("1.50"));
        var listed = (await _proxy.GetAsync("/store" + Series["/dicomweb".Length..])).Json;
        Assert.Equal("1.2.1.1.1", Assert.Single(listed["instances"]!.AsArray())!["SOPInstanceUID"]!.GetValue<string>());
        Assert.Equal(2, listed["NumberOfSeriesRelatedInstances"]!.GetValue<int>());
    }

    [Fact]
    public async Task AsksThePacsAgain_WhenTheFileIsOlderThanTheFreshness()
    {
        await _proxy.GetAsync(Instance, Dicom);
        await _proxy.GetAsync(Instance + "/metadata");
        _time.Advance(TimeSpan.FromSeconds(61));

        Assert.Equal(["R"], (await _proxy.GetAsync(Instance + "/metadata")).Values("00200060"));
        Assert.Equal(1, _east.Count("/metadata"));
    }

    [Fact]
    public async Task AsksThePacs_WhenTheClientBypassesTheCache()
    {
        await _proxy.GetAsync(Instance, Dicom);

        Assert.Equal(["R"], (await _proxy.GetAsync(Instance + "/metadata", ("Cache-Control", "no-cache"))).Values("00200060"));
    }

    [Fact]
    public async Task ServesTheFilesMetadataAsStale_WhenThePacsFails()
    {
        await _proxy.GetAsync(Instance, Dicom);
        await _proxy.GetAsync(Instance + "/metadata");
        _time.Advance(TimeSpan.FromSeconds(61));
        _east.Fail(500);

        var stale = await _proxy.GetAsync(Instance + "/metadata");

        Assert.Equal(["1.2.1.1.1"], stale.Values("00080018"));
        Assert.Equal("Proxy; fwd=stale", stale.CacheStatus);
        Assert.Contains(stale.Warnings, warning => warning.Contains("stale", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AsksThePacs_WhenTheFileIsNotADataset()
    {
        // A tag that repeats.
        Hold(File().SetRaw(0x00204000, [.. Part10File.Element(0x00204000, "LT", []), .. Part10File.Element(0x00204000, "LT", [])]));
        await _proxy.GetAsync(Instance, Dicom);

        Assert.Equal(["R"], (await _proxy.GetAsync(Instance + "/metadata")).Values("00200060"));
    }

    private static string GetPath(JsonNode attribute) => new Uri(attribute["BulkDataURI"]!.GetValue<string>()).AbsolutePath;

    private static Part10File File()
    {
        var private2000 = Part10File.Element(0x00291010, "OB", Part10File.Counting(2000));
        return Part10File.Native(8, 8).Set(0x00080005, "CS", "ISO_IR 100").Set(0x00080018, "UI", Part10File.Even("1.2.1.1.1", '\0'))
            .Set(0x00100010, "PN", [0xC4, .. "neas "u8]).Set(0x00180050, "DS", "1.50")
            .Set(0x0020000D, "UI", Part10File.Even("1.2.1", '\0')).Set(0x0020000E, "UI", Part10File.Even("1.2.1.1", '\0'))
            .SetRaw(0x00880200, Part10File.Open(0x00880200, "SQ", false, Part10File.OpenItem(private2000)));
    }

    private void Hold(Part10File file) => _east.Respond(Archive.Multipart("application/dicom", file.ToArray()), "/instances/1.2.1.1.1");
}
