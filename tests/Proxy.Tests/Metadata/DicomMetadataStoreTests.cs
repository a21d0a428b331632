using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Proxy.Dicom;
using Proxy.Events;
using Proxy.Metadata;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Metadata;

public class DicomMetadataStoreTests
{
    private static readonly Uid Study = Uid.Parse("1.2");
    private static readonly Uid Other = Uid.Parse("1.9");
    private static readonly SeriesPath Path = new(Study, Uid.Parse("1.2.1"));

    private readonly FakeTimeProvider _time = new();
    private readonly DicomMetadataStore _store;

    public DicomMetadataStoreTests() => _store = Make(1 << 30);

    private DicomMetadataStore Make(long maxBytes) =>
        new(name => name == "west" ? 2 : 1, _time, new EventLog(NullLogger<EventLog>.Instance), maxBytes);

    [Fact]
    public void AFileIsNoListOfASeries()
    {
        var path = new InstancePath(Uid.Parse("1.2"), Uid.Parse("1.2.1"), Uid.Parse("1.2.1.1"));
        var packed = PackedInstances.Pack(path.Instance, """{"00080060":{"vr":"CS","Value":["CT"]}}"""u8);
        _store.AddFileMetadata("east", path, new(packed, DateTimeOffset.UnixEpoch));
        var series = _store.GetSeries(path.SeriesPath)!;
        Assert.False(series.IsMetadataComplete);
        Assert.Null(series.Metadata);
        Assert.Null(_store.GetStudy(path.Study)!.GetList("east").ListedAt);
        Assert.Equal("""{"00080060":{"vr":"CS","Value":["CT"]}}""", Encoding.UTF8.GetString(_store.GetInstance(path)!.Json.Span));
    }

    [Fact]
    public void StoresInstances_UnderTheirOwnUids()
    {
        _store.AddInstances(
            "east",
            [Instance("1.2", "1.2.1", "1.2.1.1"), Instance("1.9", "1.9.1", "1.9.1.1"), Instance("1.2", "1.2.2", "1.2.2.1"),
            Instance("1.2", "1.2.1", "1.2.1.2")]);

        Assert.Equal(["1.2.1", "1.2.2"], _store.GetStudy(Study)!.GetList("east").Series.Keys.Order().Select(u => u.ToString()));
        Assert.Equal(["1.2.1.1", "1.2.1.2"], _store.GetSeries(Path)!.Metadata!.Uids.Select(u => u.ToString()));
        Assert.Equal(["1.9.1"], _store.GetStudy(Other)!.GetList("east").Series.Keys.Select(u => u.ToString()));
    }

    [Fact]
    public void StoresEachBackendsAnswer_SideBySide()
    {
        _store.AddInstances("east", [Instance("1.2", "1.2.1", "1.2.1.1", "EAST")]);
        _store.AddInstances("west", [Instance("1.2", "1.2.1", "1.2.1.1", "WEST"), Instance("1.2", "1.2.1", "1.2.1.2", "WEST")]);

        Assert.Equal(["east", "west"], _store.GetStudy(Study)!.SeriesLists.Keys);
        Assert.Equal(1, _store.GetStudy(Study)!.GetList("east").FindSeries(Path.Series)!.Count);
        Assert.Equal(2, _store.GetStudy(Study)!.GetList("west").FindSeries(Path.Series)!.Count);
        Assert.Empty(_store.GetStudy(Study)!.GetList("north").Series);
    }

    [Fact]
    public void LeavesOutInstancesWithoutUids()
    {
        var invalid = Answers.Dataset(
            """{"0020000D":{"vr":"UI","Value":["1.2"]},"0020000E":{"vr":"UI","Value":["x"]},"00080018":{"vr":"UI","Value":["1"]}}""");
        _store.AddInstances("east", [Answers.Dataset("{}"), invalid]);
        _store.AddStudy("east", Answers.Dataset("{}"));
        _store.AddSeriesMetadata("east", Study, [Answers.Dataset("{}")]);
        Assert.Empty(_store.GetStudy(Study)!.GetList("east").Series);
        Assert.Equal(1, _store.Count);
    }

    [Fact]
    public void ReplacesADataset_WithANewerOne()
    {
        _store.AddInstances("east", [Instance("1.2", "1.2.1", "1.2.1.1", "OLD"), Instance("1.2", "1.2.1", "1.2.1.2", "OLD")]);
        _store.AddInstances("east", [Instance("1.2", "1.2.1", "1.2.1.1", "NEW")]);

        Assert.Equal("NEW", FindPatient("1.2.1.1"));
        Assert.Equal("OLD", FindPatient("1.2.1.2"));
        Assert.Equal(2, _store.GetSeries(Path)!.Metadata!.Count);
    }

    [Fact]
    public void RemovesInstances_MissingInACompleteAnswer()
    {
        _store.AddInstances("east", [Instance("1.2", "1.2.1", "1.2.1.1"), Instance("1.2", "1.2.1", "1.2.1.2")]);
        _store.AddInstances("east", Path, Pack("1.2.1.3"));
        Assert.Equal(["1.2.1.3"], _store.GetSeries(Path)!.Metadata!.Uids.Select(u => u.ToString()));
    }

    [Fact]
    public void RemovesSeries_MissingInACompleteList()
    {
        _store.SetSeriesMetadata("east", Study, [Series("1.2.1"), Series("1.2.2")]);
        _store.SetSeriesMetadata("west", Study, [Series("1.2.2")]);
        _store.SetSeriesMetadata("east", Study, [Series("1.2.3")]);

        Assert.Equal(["1.2.3"], _store.GetStudy(Study)!.GetList("east").Series.Keys.Select(u => u.ToString()));
        Assert.Equal(["1.2.2"], _store.GetStudy(Study)!.GetList("west").Series.Keys.Select(u => u.ToString()));
    }

    [Fact]
    public void KeepsOtherSeriesAndStaysStale_AfterAPartialList()
    {
        _store.AddSeriesMetadata("east", Study, [Series("1.2.1")]);
        _store.AddSeriesMetadata("east", Study, [Series("1.2.2")]);
        Assert.Equal(2, _store.GetStudy(Study)!.GetList("east").Series.Count);
        Assert.Null(_store.GetStudy(Study)!.GetList("east").ListedAt);
    }

    [Fact]
    public void IsFresh_AfterAnEmptyList()
    {
        _store.SetSeriesMetadata("east", Study, []);
        var list = _store.GetStudy(Study)!.GetList("east");
        Assert.False(list.HoldsStudy);
        Assert.True(list.IsFresh(TimeSpan.FromSeconds(5), _time.GetUtcNow().AddSeconds(4)));
        Assert.False(list.IsFresh(TimeSpan.FromSeconds(5), _time.GetUtcNow().AddSeconds(5)));
    }

    [Fact]
    public void KeepsTheMetadata_WhenTheNextListArrives()
    {
        _store.AddInstances("east", [Instance("1.2", "1.2.1", "1.2.1.1")]);
        _store.SetSeriesMetadata("east", Study, [Series("1.2.1", count: 1)]);
        Assert.True(_store.GetSeries(Path)!.IsMetadataComplete);
        _store.SetSeriesMetadata("east", Study, [Series("1.2.1", count: 2)]);
        Assert.False(_store.GetSeries(Path)!.IsMetadataComplete);
        Assert.Equal(1, _store.GetSeries(Path)!.Metadata!.Count);
    }

    [Fact]
    public void IsFreshUntilItsLifetimeEnds_AndAgainWhenConfirmed()
    {
        var minute = TimeSpan.FromMinutes(1);
        _store.AddInstances("east", Path, Pack("1.2.1.1"));
        _time.Advance(TimeSpan.FromSeconds(59));
        Assert.True(_store.GetSeries(Path)!.IsMetadataFresh(minute, _time.GetUtcNow()));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(_store.GetSeries(Path)!.IsMetadataFresh(minute, _time.GetUtcNow()));
        _store.Confirm("east", Path, _time.GetUtcNow());
        Assert.True(_store.GetSeries(Path)!.IsMetadataFresh(minute, _time.GetUtcNow()));
    }

    [Fact]
    public void RemovesASeries()
    {
        _store.AddInstances("east", Path, Pack("1.2.1.1"));
        _store.RemoveSeries("east", Path);
        Assert.Null(_store.GetSeries(Path));
        Assert.Null(_store.GetInstance(new(Study, Path.Series, Uid.Parse("1.2.1.1"))));
    }

    [Fact]
    public void PrefersTheBackendWithMoreInstances_ThenThePreferredOne()
    {
        _store.AddSeriesMetadata("east", Study, [Series("1.2.1", 10), Series("1.2.2", 5)]);
        _store.AddSeriesMetadata("west", Study, [Series("1.2.1", 11), Series("1.2.2", 5), Series("1.2.3", 1)]);

        Assert.Equal([("1.2.1", "west"), ("1.2.2", "east"), ("1.2.3", "west")], GetOwners(Study));
    }

    [Fact]
    public void KeepsTheOwner_WhileItHoldsTheSeries()
    {
        _store.AddSeriesMetadata("east", Study, [Series("1.2.1", 1)]);
        _store.SetOwner("east", Path);
        _store.AddSeriesMetadata("west", Study, [Series("1.2.1", 2)]);
        Assert.Equal([("1.2.1", "east")], GetOwners(Study));

        _store.SetSeriesMetadata("east", Study, []);
        Assert.Equal([("1.2.1", "west")], GetOwners(Study));
    }

    [Fact]
    public void CountsASharedSeriesOnce_WithItsHighestInstanceCount()
    {
        _store.AddSeriesMetadata("east", Study, [Series("1.2.1", 3), Series("1.2.2", 5)]);
        _store.AddSeriesMetadata("west", Study, [Series("1.2.2", 4), Series("1.2.3", 1)]);

        Assert.Equal((3, 9), _store.GetStudy(Study)!.CountIn(["east", "west"]));
        Assert.Equal((2, 5), _store.GetStudy(Study)!.CountIn(["west"]));
    }

    [Fact]
    public void MarksMetadataAsOutdated_WhenANewerRowHasAnotherPatient()
    {
        _store.AddSeriesMetadata("east", Study, [Series("1.2.1", 1, "DOE^JANE")]);
        _store.AddInstances("east", Path, Pack("1.2.1.1"), validators: null, _store.GetSeries(Path)!.Summary);
        _store.SetSeriesMetadata("east", Study, [Series("1.2.1", 1, "DOE^JANE")]);
        Assert.True(_store.GetSeries(Path)!.IsMetadataComplete);

        // A row with fewer attributes is no contradiction, and does not clear an earlier one.
        _store.SetSeriesMetadata("east", Study, [Series("1.2.1", 1)]);
        Assert.True(_store.GetSeries(Path)!.IsMetadataComplete);

        _store.SetSeriesMetadata("east", Study, [Series("1.2.1", 1, "ROE^JANE")]);
        Assert.False(_store.GetSeries(Path)!.IsMetadataComplete);
        _store.AddInstances("east", Path, Pack("1.2.1.1"), validators: null, _store.GetSeries(Path)!.Summary);
        Assert.True(_store.GetSeries(Path)!.IsMetadataComplete);
    }

    [Fact]
    public void ReturnsTheRemovedUids()
    {
        _store.SetSeriesMetadata("east", Study, [Series("1.2.1", 2), Series("1.2.2", 1)]);
        _store.AddInstances("east", Path, Pack("1.2.1.1", "1.2.1.2"));

        Assert.Equal(["1.2.2"], _store.SetSeriesMetadata("east", Study, [Series("1.2.1", 1)]).Select(uid => uid.ToString()));
        Assert.Equal(["1.2.1.1"], _store.AddInstances("east", Path, Pack("1.2.1.2")).Select(uid => uid.ToString()));
        Assert.Equal(["1.2.1"], _store.RecordUnlisted("east", Study).Select(uid => uid.ToString()));
    }

    [Theory]
    [InlineData("wadors:http://proxy/dicomweb/studies/1.2/series/1.2.1/instances/1.2.1.1/frames/1")]
    [InlineData("dicomweb:http://proxy/dicomweb?requestType=WADO&studyUID=1.2&seriesUID=1.2.1&objectUID=1.2.1.1&frame=1")]
    public void FindsAnInstance_ByImageId(string imageId)
    {
        _store.AddInstances("east", [Instance("1.2", "1.2.1", "1.2.1.1", "DOE")]);
        var instance = _store.GetInstanceFromImageId(imageId)!;
        Assert.Equal("east", instance.Backend);
        Assert.Equal("1.2.1.1", instance.Path.Instance.ToString());
        Assert.Contains("DOE", Encoding.UTF8.GetString(instance.Json.Span), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("wadors:/dicomweb/studies/1.2/series/1.2.1/instances/1.2.1.7/frames/1")]
    [InlineData("wadors:/dicomweb/studies/1.7/series/1.2.1/instances/1.2.1.1/frames/1")]
    [InlineData("nonsense")]
    public void FindsNothing_ForAnUnknownImageId(string imageId)
    {
        _store.AddInstances("east", [Instance("1.2", "1.2.1", "1.2.1.1")]);
        Assert.Null(_store.GetInstanceFromImageId(imageId));
    }

    [Fact]
    public void FindsAnInstanceByItsSearchRow_UntilItsMetadataArrives()
    {
        _store.AddInstanceRows("east", [Instance("1.2", "1.2.1", "1.2.1.1", "ROW")]);
        Assert.Equal("ROW", FindPatient("1.2.1.1"));
        _store.AddInstances("east", [Instance("1.2", "1.2.1", "1.2.1.1", "METADATA")]);
        Assert.Equal("METADATA", FindPatient("1.2.1.1"));
    }

    [Fact]
    public void KeepsASnapshotUnchanged_WhileOthersWrite()
    {
        _store.AddInstances("east", Path, Pack("1.2.1.0"));
        var before = _store.GetStudy(Study)!;

        Parallel.For(0, 64, i =>
        {
            _store.AddInstances(i % 2 == 0 ? "east" : "west", [Instance("1.2", $"1.2.{i % 8 + 1}", $"1.2.1.{i + 1}")]);
            var seen = _store.GetStudy(Study)!;
            Assert.True(seen.GetList("east").FindSeries(Path.Series)!.Metadata!.Has(Uid.Parse("1.2.1.0")));
        });

        Assert.Single(before.GetList("east").Series);
        Assert.Equal(1, before.GetList("east").FindSeries(Path.Series)!.Metadata!.Count);
        var after = _store.GetStudy(Study)!;
        Assert.Equal(65, after.SeriesLists.Values.SelectMany(l => l.Series.Values).Sum(s => s.Metadata!.Count));
        Assert.Equal(after.Bytes, _store.Bytes);
    }

    private List<(string Series, string Owner)> GetOwners(Uid study) =>
        [.. from series in _store.GetStudy(study)!.SeriesLists.Values.SelectMany(list => list.Series.Keys).Distinct().Order()
            select (series.ToString(), _store.GetStudy(study)!.GetHolders(series, name => name == "west" ? 2 : 1).First().Backend)];

    private string? FindPatient(string instance) =>
        Answers.Dataset(Encoding.UTF8.GetString(_store.GetInstance(new(Study, Path.Series, Uid.Parse(instance)))!.Json.Span))
            .FindString(Tag.PatientId);

    internal static Dataset Instance(string study, string series, string instance, string patient = "DOE") => Answers.Dataset(
        "{\"00080018\":{\"vr\":\"UI\",\"Value\":[\"" + instance + "\"]},\"00100020\":{\"vr\":\"LO\",\"Value\":[\"" + patient
        + "\"]},\"0020000D\":{\"vr\":\"UI\",\"Value\":[\"" + study + "\"]},\"0020000E\":{\"vr\":\"UI\",\"Value\":[\"" + series + "\"]}}");

    internal static Dataset Series(string series, int? count = null, string? patient = null) => Answers.Dataset(
        "{" + (patient is null ? "" : "\"00100010\":{\"vr\":\"PN\",\"Value\":[{\"Alphabetic\":\"" + patient + "\"}]},")
            + "\"0020000E\":{\"vr\":\"UI\",\"Value\":[\"" + series + "\"]},\"00201209\":{\"vr\":\"IS\""
                + (count is null ? "" : ",\"Value\":[" + count + "]") + "}}");

    internal static PackedInstances Pack(params string[] instances)
    {
        var builder = new PackedInstances.Builder();
        foreach (var instance in instances) builder.Add(Uid.Parse(instance), Instance("1.2", "1.2.1", instance).Json.Span);
        return builder.Build();
    }
}
