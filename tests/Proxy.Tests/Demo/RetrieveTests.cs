using System.Net;
using System.Text;
using System.Text.Json;
using Proxy.Demo;
using Xunit;

namespace Proxy.Tests.Demo;

public sealed class RetrieveTests : IAsyncLifetime
{
    private DemoSites _sites = null!;

    public async ValueTask InitializeAsync() => _sites = await DemoSites.StartAsync();

    public ValueTask DisposeAsync() => _sites.DisposeAsync();

    [Fact]
    public async Task ReturnsCompleteMetadata_AtEveryLevel()
    {
        var study = await _sites.AskDatasetsAsync(_sites.East, $"/studies/{DemoUid.Create("chest-ct")}/metadata");
        var series = await _sites.AskDatasetsAsync(_sites.East, $"{DemoSites.Series("chest-ct", "axial")}/metadata");
        var instance = await _sites.AskDatasetsAsync(_sites.East, $"{DemoSites.Instance("chest-ct", "axial", 2)}/metadata");

        Assert.Equal((61, 60, 1), (study.Length, series.Length, instance.Length));
        Assert.Equal(series[1].ToString(), instance[0].ToString());
        Assert.Equal(study[2].ToString(), instance[0].ToString());
        Assert.Equal("DEMO-0001", instance[0].Text("PatientID"));
    }

    [Fact]
    public async Task OrdersAttributesByTag_AndDescribesFrames()
    {
        foreach (var (pacs, archive) in new[] { (_sites.East, DemoArchive.East), (_sites.West, DemoArchive.West) })
        {
            foreach (var study in archive.Studies)
            {
                var datasets = await _sites.AskDatasetsAsync(pacs, $"/studies/{study.StudyInstanceUid}/metadata");
                var instances = study.Series.SelectMany(series => series.Instances).ToArray();
                Assert.Equal(instances.Length, datasets.Length);
                foreach (var (dataset, instance) in datasets.Zip(instances))
                {
                    var names = dataset.EnumerateObject().Select(attribute => attribute.Name).ToArray();
                    Assert.Equal(names.Order(StringComparer.Ordinal), names);
                    Assert.Equal(instance.SopInstanceUid, dataset.Text("SOPInstanceUID"));
                    Assert.Equal(
                        dataset.Number("Rows") * dataset.Number("Columns") * dataset.Number("SamplesPerPixel")
                            * dataset.Number("BitsAllocated") / 8,
                        instance.Pixels.PieceLength);
                    Assert.Equal(instance.Pixels.PieceLength, instance.Pixels.Make(0).Length);
                }
            }
        }
    }

    [Fact]
    public async Task SpacesCtPlanesEvenly_InOneFrameOfReference()
    {
        var series = await _sites.AskDatasetsAsync(_sites.East, $"{DemoSites.Series("chest-ct", "axial")}/metadata");

        var heights = series.Select(dataset => dataset.Values("ImagePositionPatient")[2].GetDouble()).ToArray();
        Assert.Equal(Enumerable.Range(0, 60).Select(i => i * -5.0), heights);
        Assert.Single(series.Select(dataset => dataset.Text("FrameOfReferenceUID")).Distinct());
        Assert.Equal(-1024, series[0].Number("RescaleIntercept"));
        Assert.Equal("HU", series[0].Text("RescaleType"));
    }

    [Fact]
    public async Task DescribesUltrasoundFramesInColour_WithACalibratedRegion()
    {
        var dataset = Assert.Single(await _sites.AskDatasetsAsync(_sites.East, $"{DemoSites.Series("heart-us", "cine")}/metadata"));

        Assert.Equal(30, dataset.Number("NumberOfFrames"));
        Assert.Equal("RGB", dataset.Text("PhotometricInterpretation"));
        Assert.Equal(0.04, dataset.Values("SequenceOfUltrasoundRegions")[0].Values("PhysicalDeltaX")[0].GetDouble());
        Assert.Equal("00181063", dataset.Text("FrameIncrementPointer"));
    }

    [Fact]
    public async Task ReturnsFramesAsMultipart()
    {
        var path = $"{DemoSites.Instance("heart-us", "cine", 1)}/frames/1,30";
        using var answer = await _sites.AskAsync(
            _sites.East, path, "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*");

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var body = await answer.Content.ReadAsByteArrayAsync(DemoSites.Cancellation);
        Assert.Equal(body.Length, answer.Content.Headers.ContentLength);
        var boundary = answer.Content.Headers.ContentType!.Parameters.Single(parameter => parameter.Name == "boundary").Value;
        var text = Encoding.Latin1.GetString(body);
        var parts = text.Split($"--{boundary}");
        Assert.Equal(["", "--\r\n"], [parts[0], parts[^1]]);
        Assert.Equal(4, parts.Length);
        foreach (var part in parts[1..^1])
        {
            var head = part[..part.IndexOf("\r\n\r\n", StringComparison.Ordinal)];
            Assert.Contains(
                "Content-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1\r\n", head, StringComparison.Ordinal);
            Assert.Contains("Content-Length: 921600\r\n", head, StringComparison.Ordinal);
            Assert.Equal(head.Length + 4 + 921600 + 2, part.Length);
        }
    }

    [Fact]
    public async Task ReturnsPixelDataAsConsecutiveFrames()
    {
        var instance = DemoSites.Instance("heart-us", "cine", 1);
        var dataset = Assert.Single(await _sites.AskDatasetsAsync(_sites.East, $"{instance}/metadata"));
        var address = dataset.Attribute("PixelData").GetProperty("BulkDataURI").GetString()!;
        Assert.StartsWith(_sites.East.Address.OriginalString, address, StringComparison.Ordinal);

        var pixels = await _sites.AskBytesAsync(_sites.East, address[_sites.East.Address.OriginalString.Length..]);
        var last = await _sites.AskBytesAsync(_sites.East, $"{instance}/frames/30");

        Assert.Equal(30 * 921600, pixels.Length);
        Assert.Equal(last, pixels[^921600..]);
    }

    [Fact]
    public async Task ReturnsPrivateBytesAsBulkData_WithTheirPrivateCreator()
    {
        var instance = DemoSites.Instance("chest-ct", "axial", 1);
        var dataset = Assert.Single(await _sites.AskDatasetsAsync(_sites.East, $"{instance}/metadata"));

        Assert.Equal("DEMO PACS 1.0", dataset.GetProperty("00290010").GetProperty("Value")[0].GetString());
        Assert.Equal("OB", dataset.GetProperty("00291010").GetProperty("vr").GetString());
        Assert.Equal(
            $"{_sites.East.Address}{instance}/bulkdata/00291010", dataset.GetProperty("00291010").GetProperty("BulkDataURI").GetString());
        Assert.Equal(2048, (await _sites.AskBytesAsync(_sites.East, $"{instance}/bulkdata/00291010")).Length);
    }

    [Fact]
    public async Task ReturnsTheSharedSeriesFromBothPacs_WithFewerInstancesFromWest()
    {
        var path = DemoSites.Series("staging", "soft");
        var east = await _sites.AskDatasetsAsync(_sites.East, $"{path}/metadata");
        var west = await _sites.AskDatasetsAsync(_sites.West, $"{path}/metadata");

        Assert.Equal((24, 16), (east.Length, west.Length));
        Assert.Equal(east[..16].Select(WithoutAddress), west.Select(WithoutAddress));
        var frame = $"{DemoSites.Instance("staging", "soft", 9)}/frames/1";
        Assert.Equal(await _sites.AskBytesAsync(_sites.East, frame), await _sites.AskBytesAsync(_sites.West, frame));

        string WithoutAddress(JsonElement dataset) => dataset.ToString()
            .Replace(_sites.East.Address.Authority, "", StringComparison.Ordinal)
                .Replace(_sites.West.Address.Authority, "", StringComparison.Ordinal);
    }

    [Fact]
    public async Task ReturnsDifferentPixels_ForEachInstanceAndFrame()
    {
        Assert.NotEqual(
            await _sites.AskBytesAsync(_sites.East, $"{DemoSites.Instance("head-mr", "t1", 8)}/frames/1"),
            await _sites.AskBytesAsync(_sites.East, $"{DemoSites.Instance("head-mr", "t1", 9)}/frames/1"));
        Assert.NotEqual(
            await _sites.AskBytesAsync(_sites.East, $"{DemoSites.Instance("heart-us", "cine", 1)}/frames/1"),
            await _sites.AskBytesAsync(_sites.East, $"{DemoSites.Instance("heart-us", "cine", 1)}/frames/2"));
    }

    [Theory]
    [InlineData("frames/0", HttpStatusCode.BadRequest)]
    [InlineData("frames/2", HttpStatusCode.BadRequest)]
    [InlineData("frames/1,x", HttpStatusCode.BadRequest)]
    [InlineData("bulkdata/00100010", HttpStatusCode.NotFound)]
    [InlineData("bulkdata/nothing", HttpStatusCode.NotFound)]
    public async Task RefusesFramesAndBulkData_WhenTheInstanceHasNone(string below, HttpStatusCode expected)
    {
        using var answer = await _sites.AskAsync(_sites.East, $"{DemoSites.Instance("chest-ct", "axial", 1)}/{below}");

        Assert.Equal(expected, answer.StatusCode);
    }

    [Fact]
    public async Task Returns404_WhenItDoesNotHoldTheResource()
    {
        foreach (var path in (string[])
        [
            "/studies/1.2.3/metadata",
            $"/studies/{DemoUid.Create("chest-ct")}/series/1.2.3/metadata",
            $"{DemoSites.Series("chest-ct", "axial")}/instances/1.2.3/metadata",
            $"{DemoSites.Series("chest-ct", "axial")}/instances/1.2.3/frames/1",
            $"{DemoSites.Instance("staging", "soft", 17)}/frames/1",
        ])
        {
            using var answer = await _sites.AskAsync(_sites.West, path);
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        }
    }

    [Fact]
    public async Task Returns406_WhenRenderedFramesAreRequested()
    {
        using var answer = await _sites.AskAsync(_sites.East, $"{DemoSites.Instance("chest-ct", "axial", 1)}/frames/1", "image/jpeg");

        Assert.Equal(HttpStatusCode.NotAcceptable, answer.StatusCode);
    }
}
