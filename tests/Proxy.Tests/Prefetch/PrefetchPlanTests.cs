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
    public void TakesTheNextStudies_InTheOrderOfTheList()
    {
        Each(random =>
        {
            ImmutableArray<Uid> list = [.. Enumerable.Range(1, random.Next(1, 60)).Select(Study).Where(_ => random.Next(5) > 0)];
            var open = Study(random.Next(1, 60));
            var max = random.Next(0, 8);

            var next = PrefetchPlan.NextStudies(list, open, max);

            Assert.InRange(next.Length, 0, max);
            Assert.Equal(next.Distinct(), next);
            Assert.DoesNotContain(open, next);
            // No study from outside the list, and no gap.
            var at = list.IndexOf(open);
            Assert.Equal(at < 0 ? [] : list.Skip(at + 1).Take(max), next);
        });
    }

    [Fact]
    public void TakesEachStudyOnce_WhenTheListRepeatsIt() =>
        Assert.Equal([Study(2), Study(3)], PrefetchPlan.NextStudies([Open, Study(2), Study(2), Open, Study(3)], Open, 5));

    [Fact]
    public void TakesPriorsOfOnePatient_WhenOthersShareThePatientId()
    {
        Each(random =>
        {
            List<StudyFacts> all = [.. Enumerable.Range(1, 40).Select(n => Facts(random, n)).DistinctBy(f => (f.Study, f.Backend))];
            List<StudyFacts> open = [.. all.Where(f => f.Study == Open)];
            var max = random.Next(0, 8);

            var priors = PrefetchPlan.Priors(open, all, max);

            Assert.InRange(priors.Length, 0, max);
            Assert.Equal(priors.Distinct(), priors);
            Assert.DoesNotContain(Open, priors);
            Assert.All(priors, study => Assert.Contains(all, f => f.Study == study && open.Exists(o => IsOnePatient(o, f))));
            var missing = all.Where(f => f.Study != Open
                && open.Exists(o => IsOnePatient(o, f))).Select(f => f.Study).Distinct().Except(priors);
            if (priors.Length < max) Assert.Empty(missing);
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
    public void DistinguishesPatientsByIssuer(string patientId, string issuer, string backend, bool isOne) =>
        Assert.Equal(
            isOne, new StudyFacts(Study(2), backend, patientId, issuer, "", []).HasSamePatient(new(Open, "east", "P1", "A", "", [])));

    [Theory]
    [InlineData("east", true)]
    [InlineData("west", false)]
    public void DistinguishesPatientsByBackend_WhenThereIsNoIssuer(string backend, bool isOne) =>
        Assert.Equal(isOne, new StudyFacts(Study(2), backend, "P1", "", "", []).HasSamePatient(new(Open, "east", "P1", "", "", [])));

    [Fact]
    public void MatchesNoPatient_WhenThereIsNoPatientId() =>
        Assert.False(new StudyFacts(Study(2), "east", "", "", "", []).HasSamePatient(new(Open, "east", "", "", "", [])));

    [Fact]
    public void OrdersPriorsByModality_ThenByDate()
    {
        StudyFacts Of(int n, string date, params string[] modalities) => new(Study(n), "east", "P1", "", date, [.. modalities]);

        var priors = PrefetchPlan.Priors(
            [Of(1, "20250101", "CT", "SR")],
            [Of(2, "20240101", "MR"), Of(3, "20200101", "CT"), Of(4, "20230101", "CT"), Of(5, "20241231", "CR")], 3);

        Assert.Equal([Study(4), Study(3), Study(5)], priors);
    }

    [Fact]
    public void ReturnsEachIndexOnce_NearestFirst()
    {
        Assert.Equal([2, 3, 1, 4, 0, 5], PrefetchPlan.NearestFirst(6, 2));
        Each(random =>
        {
            var count = random.Next(1, 40);
            var from = random.Next(count);
            var indexes = PrefetchPlan.NearestFirst(count, from).ToList();
            Assert.Equal(Enumerable.Range(0, count), indexes.Order());
            Assert.Equal(indexes.Select(p => Math.Abs(p - from)).Order(), indexes.Select(p => Math.Abs(p - from)));
        });
        Assert.Empty(PrefetchPlan.NearestFirst(0, 0));
    }

    [Fact]
    public void OrdersImagesBeforeReferringObjects_ThenByNumber()
    {
        var series = new[] { ("1.9", "SR", 1), ("1.8", "CT", 3), ("1.7", "SEG", 2), ("1.6", "CT", 2), ("1.5", "MR", 10) };
        var ordered = PrefetchPlan.InViewingOrder(series.Select(s => new Proxy.Metadata.Series(Uid.Parse(s.Item1)).WithSummary(
            Read($$"""{"00080060":{"vr":"CS","Value":["{{s.Item2}}"]},"00200011":{"vr":"IS","Value":[{{s.Item3}}]} }"""))));
        Assert.Equal(["1.6", "1.8", "1.5", "1.9", "1.7"], ordered.Select(s => s.Uid.ToString()));
    }

    [Fact]
    public void ReturnsTheFramesOfASeries_InOrder()
    {
        var items = PrefetchPlan.GetItems([Instance("1.3", "CT", 10, null), Instance("1.1", "CT", 2, null), Instance("1.2", "US", 3, 3)]);
        Assert.Equal(
            [("1.1", 1), ("1.2", 1), ("1.2", 2), ("1.2", 3), ("1.3", 1)], items.Select(i => (i.Instance.ToString(), i.Frame!.Value)));
    }

    [Fact]
    public void ReturnsASegmentationWholeAndItsFrames_AndNothingForAReport()
    {
        var uid = Uid.Parse("1.1");
        var whole = new FetchItem(uid, null);
        Assert.Equal([whole, OwnEntry(1), OwnEntry(2)], PrefetchPlan.GetItems([Instance("1.1", "SEG", 1, 2)]));
        Assert.Equal([whole], PrefetchPlan.GetItems([(uid, Read("""{"00080060":{"vr":"CS","Value":["RTSTRUCT"]}}"""))]));
        Assert.Empty(PrefetchPlan.GetItems([(uid, Read("""{"00080060":{"vr":"CS","Value":["SR"]}}"""))]));
    }

    [Fact]
    public void NeedsOwnEntries_ForSingleBitFrames()
    {
        var items = PrefetchPlan.GetItems([(Open, Read("""{"00280010":{"vr":"US","Value":[512]},"00280100":{"vr":"US","Value":[1]}}"""))]);
        Assert.True(Assert.Single(items).NeedsOwnEntry);
    }

    [Theory]
    [InlineData("00420011")]
    [InlineData("00281201")]
    [InlineData("70531000")]
    public void ReturnsBulkDataThatViewersLoadAtOnce(string tag)
    {
        const string link = "/studies/1.2/series/1.3/instances/1.4/bulkdata/east/bulk/1";
        var dataset = Read($$"""
            {"{{tag}}":{"vr":"OB","BulkDataURI":"{{link}}"},"7FE00010":{"vr":"OW","BulkDataURI":"{{link}}0"} }
            """);
        var item = Assert.Single(PrefetchPlan.GetItems([(Open, dataset)]));
        Assert.Equal((null, link), (item.Frame, item.BulkData!.Link));
        Assert.Empty(PrefetchPlan.GetItems([(Open, Read($$"""{"{{tag}}":{"vr":"OB","BulkDataURI":"http://elsewhere/1"} }"""))]));
        Assert.Empty(PrefetchPlan.GetItems([(Open, Read($$"""{"{{tag}}":{"vr":"OB","InlineBinary":"AAAA"} }"""))]));
    }

    [Theory]
    [InlineData("00080016", "1.2.840.10008.5.1.4.1.1.77.1.4.1")]
    [InlineData("00083002", "1.2.840.10008.1.2.4.102")]
    public void ReturnsAVideoAsOneBody(string tag, string uid)
    {
        const string link = "/studies/1.2/series/1.3/instances/1.4/bulkdata/east/bulk/7fe00010";
        var video = Read($$"""
            {"{{tag}}":{"vr":"UI","Value":["{{uid}}"]},"00280008":{"vr":"IS","Value":[900]},"00280010":{"vr":"US","Value":[512]},
            "7FE00010":{"vr":"OB","BulkDataURI":"{{link}}"} }
            """);
        Assert.Equal(link, Assert.Single(PrefetchPlan.GetItems([(Open, video)])).BulkData!.Link);
    }

    [Theory]
    [InlineData("-5", 1)]
    [InlineData("0", 1)]
    [InlineData("2147483647", 10_000)]
    public void LimitsTheNumberOfFrames(string frames, int expected)
    {
        var dataset = Read($$"""{"00280010":{"vr":"US","Value":[512]},"00280008":{"vr":"IS","Value":[{{frames}}]} }""");
        Assert.Equal(expected, PrefetchPlan.GetItems([(Open, dataset)]).Length);
    }

    private static FetchItem OwnEntry(int frame) => new(Uid.Parse("1.1"), frame) { NeedsOwnEntry = true };

    private static (Uid, Dataset) Instance(string uid, string modality, int number, int? frames) => (
        Uid.Parse(uid),
        Read($$"""
            {"00080060":{"vr":"CS","Value":["{{modality}}"]},"00200013":{"vr":"IS","Value":[{{number}}]},
            "00280010":{"vr":"US","Value":[512]},"00280008":{"vr":"IS","Value":[{{frames ?? 1}}]} }
            """));

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
