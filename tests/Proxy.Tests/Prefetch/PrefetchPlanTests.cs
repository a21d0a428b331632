using System.Collections.Immutable;
using System.Text;
using Proxy.Dicom;
using Proxy.Prefetch.Planning;
using Proxy.Wire;
using Xunit;

namespace Proxy.Tests.Prefetch;

public class PrefetchPlanTests
{
    private const int Rounds = 500;

    private static readonly Uid Open = Uid.Parse("1.2.1");

    [Fact]
    public void TheNextAreThoseBehindTheOpenOne_InTheOrderOfTheList()
    {
        Each(random =>
        {
            ImmutableArray<Uid> list = [.. Enumerable.Range(1, random.Next(1, 60)).Select(Study).Where(_ => random.Next(5) > 0)];
            var open = Study(random.Next(1, 60));
            var most = random.Next(0, 8);

            var next = PrefetchPlan.NextStudies(list, open, most);

            Assert.InRange(next.Length, 0, most);
            Assert.Equal(next.Distinct(), next);
            Assert.DoesNotContain(open, next);
            // Nothing that the viewer was not shown, and nothing left out in between.
            var at = list.IndexOf(open);
            Assert.Equal(at < 0 ? [] : list.Skip(at + 1).Take(most), next);
        });
    }

    [Fact]
    public void AListThatNamesAStudyTwice_IsNoReasonToFetchItTwice() =>
        Assert.Equal([Study(2), Study(3)], PrefetchPlan.NextStudies([Open, Study(2), Study(2), Open, Study(3)], Open, 5));

    [Fact]
    public void PriorsAreOfOnePatient_WhateverElseHasHisId()
    {
        Each(random =>
        {
            List<StudyFacts> all = [.. Enumerable.Range(1, 40).Select(n => Facts(random, n)).DistinctBy(f => (f.Study, f.Backend))];
            List<StudyFacts> open = [.. all.Where(f => f.Study == Open)];
            var most = random.Next(0, 8);

            var priors = PrefetchPlan.Priors(open, all, most);

            Assert.InRange(priors.Length, 0, most);
            Assert.Equal(priors.Distinct(), priors);
            Assert.DoesNotContain(Open, priors);
            Assert.All(priors, study => Assert.Contains(all, f => f.Study == study && open.Exists(o => IsOnePatient(o, f))));
            var missing = all.Where(f => f.Study != Open
                && open.Exists(o => IsOnePatient(o, f))).Select(f => f.Study).Distinct().Except(priors);
            if (priors.Length < most) Assert.Empty(missing);
        });

        static bool IsOnePatient(StudyFacts one, StudyFacts other) =>
            one.PatientId != "" && one.PatientId == other.PatientId
                && (one.Issuer != "" || other.Issuer != "" ? one.Issuer == other.Issuer : one.Backend == other.Backend);
    }

    [Theory]
    [InlineData("P1", "A", "east", true)]
    [InlineData("P1", "A", "west", true)]
    [InlineData("P1", "B", "east", false)]
    [InlineData("P1", "", "east", false)]
    [InlineData("P2", "A", "east", false)]
    public void AnIssuerTellsPatientsApart(string patientId, string issuer, string backend, bool isOne) =>
        Assert.Equal(
            isOne, new StudyFacts(Study(2), backend, patientId, issuer, "", []).HasSamePatient(new(Open, "east", "P1", "A", "", [])));

    [Theory]
    [InlineData("east", true)]
    [InlineData("west", false)]
    public void WithoutAnIssuerABackendDoes(string backend, bool isOne) =>
        Assert.Equal(isOne, new StudyFacts(Study(2), backend, "P1", "", "", []).HasSamePatient(new(Open, "east", "P1", "", "", [])));

    [Fact]
    public void WithoutAnIdNobodyIsThePatient() =>
        Assert.False(new StudyFacts(Study(2), "east", "", "", "", []).HasSamePatient(new(Open, "east", "", "", "", [])));

    [Fact]
    public void TheSameModalityGoesFirst_ThenTheNewest()
    {
        StudyFacts Of(int n, string date, params string[] modalities) => new(Study(n), "east", "P1", "", date, [.. modalities]);

        var priors = PrefetchPlan.Priors(
            [Of(1, "20250101", "CT", "SR")],
            [Of(2, "20240101", "MR"), Of(3, "20200101", "CT"), Of(4, "20230101", "CT"), Of(5, "20241231", "CR")], 3);

        Assert.Equal([Study(4), Study(3), Study(5)], priors);
    }

    [Fact]
    public void OutwardsIsEachPlaceOnce_TheNearestFirst()
    {
        Assert.Equal([2, 3, 1, 4, 0, 5], PrefetchPlan.Outwards(6, 2));
        Each(random =>
        {
            var count = random.Next(1, 40);
            var from = random.Next(count);
            var places = PrefetchPlan.Outwards(count, from).ToList();
            Assert.Equal(Enumerable.Range(0, count), places.Order());
            Assert.Equal(places.Select(p => Math.Abs(p - from)).Order(), places.Select(p => Math.Abs(p - from)));
        });
        Assert.Empty(PrefetchPlan.Outwards(0, 0));
    }

    [Fact]
    public void ImagesComeBeforeWhatRefersToThem_ThenTheLowerNumber()
    {
        var series = new[] { ("1.9", "SR", 1), ("1.8", "CT", 3), ("1.7", "SEG", 2), ("1.6", "CT", 2), ("1.5", "MR", 10) };
        var ordered = PrefetchPlan.InViewingOrder(series.Select(s => new Proxy.Metadata.Series(Uid.Parse(s.Item1)).WithSummary(
            Read($$"""{"00080060":{"vr":"CS","Value":["{{s.Item2}}"]},"00200011":{"vr":"IS","Value":[{{s.Item3}}]} }"""))));
        Assert.Equal(["1.6", "1.8", "1.5", "1.9", "1.7"], ordered.Select(s => s.Uid.ToString()));
    }

    [Fact]
    public void WhatAViewerLoadsOfASeries_IsItsFramesInOrder()
    {
        var items = PrefetchPlan.GetItems([Instance("1.3", "CT", 10, null), Instance("1.1", "CT", 2, null), Instance("1.2", "US", 3, 3)]);
        Assert.Equal(
            [("1.1", 1), ("1.2", 1), ("1.2", 2), ("1.2", 3), ("1.3", 1)], items.Select(i => (i.Instance.ToString(), i.Frame!.Value)));
    }

    [Fact]
    public void ASegmentationIsLoadedWhole_AndItsFrames_AndAReportIsItsMetadata()
    {
        Assert.Equal([new FetchItem(Uid.Parse("1.1"), null), Alone(1), Alone(2)], PrefetchPlan.GetItems([Instance("1.1", "SEG", 1, 2)]));
        Assert.Equal([new FetchItem(Uid.Parse("1.1"), null)], PrefetchPlan.GetItems([(Uid.Parse("1.1"), Read("""{"00080060":{"vr":"CS","Value":["RTSTRUCT"]}}"""))]));
        Assert.Empty(PrefetchPlan.GetItems([(Uid.Parse("1.1"), Read("""{"00080060":{"vr":"CS","Value":["SR"]}}"""))]));
    }

    [Fact]
    public void FramesOfSingleBitsAreKeptAlone()
    {
        var items = PrefetchPlan.GetItems([(Open, Read("""{"00280010":{"vr":"US","Value":[512]},"00280100":{"vr":"US","Value":[1]}}"""))]);
        Assert.True(Assert.Single(items).IsKeptAlone);
    }

    [Theory]
    [InlineData("00420011")]
    [InlineData("00281201")]
    [InlineData("70531000")]
    public void BulkDataThatAViewerLoadsAtOnceIsFetched(string tag)
    {
        const string link = "/studies/1.2/series/1.3/instances/1.4/bulkdata/east/bulk/1";
        var item = Assert.Single(PrefetchPlan.GetItems([(Open, Read($$"""{"{{tag}}":{"vr":"OB","BulkDataURI":"{{link}}"},"7FE00010":{"vr":"OW","BulkDataURI":"{{link}}0"} }"""))]));
        Assert.Equal((null, link), (item.Frame, item.BulkData!.Link));
        Assert.Empty(PrefetchPlan.GetItems([(Open, Read($$"""{"{{tag}}":{"vr":"OB","BulkDataURI":"http://elsewhere/1"} }"""))]));
        Assert.Empty(PrefetchPlan.GetItems([(Open, Read($$"""{"{{tag}}":{"vr":"OB","InlineBinary":"AAAA"} }"""))]));
    }

    [Theory]
    [InlineData("00080016", "1.2.840.10008.5.1.4.1.1.77.1.4.1")]
    [InlineData("00083002", "1.2.840.10008.1.2.4.102")]
    public void AVideoIsOneBody(string tag, string uid)
    {
        const string link = "/studies/1.2/series/1.3/instances/1.4/bulkdata/east/bulk/7fe00010";
        var video = Read($$"""{"{{tag}}":{"vr":"UI","Value":["{{uid}}"]},"00280008":{"vr":"IS","Value":[900]},"00280010":{"vr":"US","Value":[512]},"7FE00010":{"vr":"OB","BulkDataURI":"{{link}}"} }""");
        Assert.Equal(link, Assert.Single(PrefetchPlan.GetItems([(Open, video)])).BulkData!.Link);
    }

    [Theory]
    [InlineData("-5", 1)]
    [InlineData("0", 1)]
    [InlineData("2147483647", 10_000)]
    public void ANumberOfFramesThatNobodyCanMean_IsBounded(string frames, int expected) =>
        Assert.Equal(expected, PrefetchPlan.GetItems([(Open, Read($$"""{"00280010":{"vr":"US","Value":[512]},"00280008":{"vr":"IS","Value":[{{frames}}]} }"""))]).Length);

    private static FetchItem Alone(int frame) => new(Uid.Parse("1.1"), frame) { IsKeptAlone = true };

    private static (Uid, Dataset) Instance(string uid, string modality, int number, int? frames) => (
        Uid.Parse(uid),
        Read($$"""{"00080060":{"vr":"CS","Value":["{{modality}}"]},"00200013":{"vr":"IS","Value":[{{number}}]},"00280010":{"vr":"US","Value":[512]},"00280008":{"vr":"IS","Value":[{{frames ?? 1}}]} }"""));

    private static Dataset Read(string json) =>
        DicomJsonReader.ReadAsync(new MemoryStream(Encoding.UTF8.GetBytes($"[{json}]"))).ToBlockingEnumerable().Single();

    private static StudyFacts Facts(Random random, int n) => new(
        Study(random.Next(1, 12)), random.Next(2) == 0 ? "east" : "west", random.Next(6) == 0 ? "" : $"P{random.Next(2)}",
        random.Next(2) == 0 ? "" : $"I{random.Next(2)}", $"2024{n:00}01", ["CT"]);

    private static Uid Study(int n) => Uid.Parse($"1.2.{n}");

    private static void Each(Action<Random> check)
    {
        for (var seed = 0; seed < Rounds; seed++) check(new Random(seed));
    }
}
