using System.Net;
using Proxy.Demo;
using Xunit;

namespace Proxy.Tests.Demo;

public sealed class SearchTests : IAsyncLifetime
{
    private DemoSites _sites = null!;

    public async ValueTask InitializeAsync() => _sites = await DemoSites.StartAsync();

    public ValueTask DisposeAsync() => _sites.DisposeAsync();

    [Theory]
    [InlineData("", 5)]
    [InlineData("PatientID=DEMO-0001", 1)]
    [InlineData("00100020=DEMO-0001", 1)]
    [InlineData("PatientID=DEMO-000?", 5)]
    [InlineData("PatientID=DEMO", 0)]
    [InlineData("PatientName=*okafor*", 1)]
    [InlineData("PatientName=m%C3%9CLLER*", 1)]
    [InlineData("PatientName=%E5%B1%B1%E7%94%B0*", 1)]
    [InlineData("PatientName=", 5)]
    [InlineData("StudyDate=20250611", 1)]
    [InlineData("StudyDate=20250101-20250630", 2)]
    [InlineData("StudyDate=20250101-", 3)]
    [InlineData("StudyDate=-20241231", 2)]
    [InlineData("StudyDescription=*CHEST*", 2)]
    [InlineData("ModalitiesInStudy=MR,US", 2)]
    [InlineData("ModalitiesInStudy=CR", 2)]
    [InlineData("ModalitiesInStudy=cr", 0)]
    [InlineData("PatientID=DEMO-0001&StudyDate=20000101", 0)]
    [InlineData("fuzzymatching=true&PatientSex=F", 2)]
    [InlineData("NotAnAttribute=1", 5)]
    [InlineData("limit=2", 2)]
    [InlineData("limit=4&offset=3", 2)]
    [InlineData("offset=99", 0)]
    public async Task FindsMatchingStudies(string query, int expected)
    {
        var rows = await _sites.AskDatasetsAsync(_sites.East, $"/studies?{query}");

        Assert.Equal(expected, rows.Length);
    }

    [Theory]
    [InlineData(",")]
    [InlineData("%5C")]
    public async Task FindsStudiesByAListOfUids(string separator)
    {
        var list = string.Join(separator, DemoUid.Create("chest-ct"), DemoUid.Create("head-mr"), "1.2.3");

        var rows = await _sites.AskDatasetsAsync(_sites.East, $"/studies?StudyInstanceUID={list}");

        Assert.Equal([DemoUid.Create("chest-ct"), DemoUid.Create("head-mr")], rows.Select(row => row.Text("StudyInstanceUID")));
    }

    [Fact]
    public async Task ReturnsTheRequiredAttributesOfAStudy()
    {
        const string query = "limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060&PatientName=yamada*";
        var rows = await _sites.AskDatasetsAsync(_sites.East, $"/studies?{query}");

        var row = Assert.Single(rows);
        Assert.Equal("20250611", row.Text("StudyDate"));
        Assert.Equal("山田^太郎", row.Values("PatientName")[0].GetProperty("Ideographic").GetString());
        Assert.Equal("Yamada^Tarou", row.Values("PatientName")[0].GetProperty("Alphabetic").GetString());
        Assert.Equal("DEMO-REGION", row.Text("IssuerOfPatientID"));
        Assert.Equal("MR", Assert.Single(row.Values("ModalitiesInStudy")).GetString());
        Assert.Equal(3, row.Number("NumberOfStudyRelatedSeries"));
        Assert.Equal(60, row.Number("NumberOfStudyRelatedInstances"));
        Assert.Equal("ONLINE", row.Text("InstanceAvailability"));
        Assert.Equal($"{_sites.East.Address}/studies/{DemoUid.Create("head-mr")}", row.Text("RetrieveURL"));
        string[] others = [
            "StudyTime", "AccessionNumber", "ReferringPhysicianName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDescription"];
        foreach (var keyword in others)
            Assert.NotEmpty(row.Values(keyword));
    }

    [Fact]
    public async Task CountsOnlyOwnSeriesAndInstances_WhenBothPacsHoldTheStudy()
    {
        var query = $"/studies?StudyInstanceUID={DemoUid.Create("staging")}";
        var east = Assert.Single(await _sites.AskDatasetsAsync(_sites.East, query));
        var west = Assert.Single(await _sites.AskDatasetsAsync(_sites.West, query));

        Assert.Equal((3, 55), (east.Number("NumberOfStudyRelatedSeries"), east.Number("NumberOfStudyRelatedInstances")));
        Assert.Equal((2, 36), (west.Number("NumberOfStudyRelatedSeries"), west.Number("NumberOfStudyRelatedInstances")));
        Assert.Equal(["CT", "CR"], east.Values("ModalitiesInStudy").Select(value => value.GetString()));
        Assert.Equal(["CT", "MR"], west.Values("ModalitiesInStudy").Select(value => value.GetString()));
    }

    [Theory]
    [InlineData("DEMO-0001")]
    [InlineData("DEMO-0002")]
    public async Task FindsPriorsOfAPatientOnBothPacs(string patient)
    {
        var east = Assert.Single(await _sites.AskDatasetsAsync(_sites.East, $"/studies?00100020={patient}"));
        var west = Assert.Single(await _sites.AskDatasetsAsync(_sites.West, $"/studies?00100020={patient}"));

        Assert.NotEqual(east.Text("StudyInstanceUID"), west.Text("StudyInstanceUID"));
        Assert.Equal(east.Attribute("PatientName").ToString(), west.Attribute("PatientName").ToString());
    }

    [Fact]
    public async Task ListsTheSeriesOfAStudyAndTheInstancesOfASeries()
    {
        var study = $"/studies/{DemoUid.Create("chest-ct")}";

        var series = await _sites.AskDatasetsAsync(_sites.East, $"{study}/series?includefield=00080021%2C0008103E");
        var all = await _sites.AskDatasetsAsync(_sites.East, $"{study}/instances");
        var axial = await _sites.AskDatasetsAsync(_sites.East, $"{DemoSites.Series("chest-ct", "axial")}/instances?InstanceNumber=17");

        Assert.Equal([1, 60], series.Select(row => row.Number("NumberOfSeriesRelatedInstances")));
        Assert.All(series, row => Assert.Equal("CT", row.Text("Modality")));
        Assert.Equal(61, all.Length);
        Assert.Equal(DemoUid.Create("chest-ct", "axial", "17"), Assert.Single(axial).Text("SOPInstanceUID"));
        Assert.Equal(_sites.East.Address + DemoSites.Instance("chest-ct", "axial", 17), axial[0].Text("RetrieveURL"));
    }

    [Fact]
    public async Task FindsAcrossStudies()
    {
        Assert.Equal(2, (await _sites.AskDatasetsAsync(_sites.West, "/series?Modality=MR&PatientID=DEMO-0002")).Length);
        Assert.Equal(2, (await _sites.AskDatasetsAsync(_sites.West, "/instances?Modality=CR")).Length);
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("includefield=SliceLocation", true)]
    [InlineData("includefield=00201041,00280030", true)]
    [InlineData("includefield=all", true)]
    public async Task ReturnsFurtherAttributes_WhenIncludeFieldRequestsThem(string query, bool expected)
    {
        var rows = await _sites.AskDatasetsAsync(_sites.East, $"{DemoSites.Series("chest-ct", "axial")}/instances?limit=1&{query}");

        Assert.Equal(expected, Assert.Single(rows).TryGetProperty("00201041", out _));
    }

    [Theory]
    [InlineData("limit=abc")]
    [InlineData("limit=-1")]
    [InlineData("offset=x")]
    public async Task Returns400_WhenLimitOrOffsetIsInvalid(string query)
    {
        using var answer = await _sites.AskAsync(_sites.East, $"/studies?{query}");

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Fact]
    public async Task ReturnsNoSeries_WhenTheStudyIsUnknown() =>
        Assert.Empty(await _sites.AskDatasetsAsync(_sites.East, "/studies/1.2.3/series"));
}
