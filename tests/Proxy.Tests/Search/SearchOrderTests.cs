using FsCheck;
using FsCheck.Xunit;
using Proxy.Dicom;
using Proxy.Search;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Search;

public class SearchOrderTests
{
    [Property(MaxTest = 200)]
    public bool TheOrderDoesNotDependOnHowTheRowsCame(DoNotSize<int> any)
    {
        var seed = any.Item;
        var random = new Random(seed);
        var level = (SearchLevel)random.Next(3);
        // Few dates, times and numbers, some of them missing: many rows differ by their UID alone.
        var rows = Enumerable.Range(1, 30).Select(i => Row($"1.{i}", Some("2020010", random), Some("10101", random), Some("1.2.", random), random.Next(3) == 0 ? null : random.Next(3))).ToArray();
        var sorted = SearchOrder.Sort(level, rows).Select(r => r.Uid).ToList();
        random.Shuffle(rows);
        return SearchOrder.Sort(level, rows).Select(r => r.Uid).SequenceEqual(sorted) && sorted.Count == 30;
    }

    [Fact]
    public void TheNewestStudyComesFirst() => Assert.Equal(
        ["1.3", "1.2", "1.1", "1.5", "1.4"],
        Sort(SearchLevel.Studies, Row("1.1", "20200101", "090000"), Row("1.2", "20200101", "100000"), Row("1.3", "20210101", "080000"), Row("1.5", null, "110000"), Row("1.4", null)));

    [Fact]
    public void SeriesComeByNumber_ThoseWithoutLast() => Assert.Equal(
        ["1.2", "1.10", "1.9", "1.1"],
        Sort(SearchLevel.Series, Row("1.1"), Row("1.9", number: 10), Row("1.10", number: 10), Row("1.2", number: 9)));

    [Fact]
    public void SeriesOfOneStudyStayTogether() => Assert.Equal(
        ["1.1", "1.3", "1.2", "1.4"],
        Sort(SearchLevel.Series, Row("1.1", "20200101", study: "1", number: 1), Row("1.2", "20200101", study: "2", number: 1), Row("1.3", "20200101", study: "1", number: 2), Row("1.4", "20200101", study: "2", number: 2)));

    [Fact]
    public void InstancesComeByNumber() => Assert.Equal(
        ["1.3", "1.2", "1.1"], Sort(SearchLevel.Instances, Row("1.1", number: 12), Row("1.2", number: 3), Row("1.3", number: -1)));

    [Fact]
    public void TheDateThatAClientSeesCounts_AlsoWhenAnotherBackendGaveIt()
    {
        var merged = MergedRow.Merge(Uid.Parse("1.1"), [new("east", Answers.Dataset("{}")), new("west", Row("1.1", "20210101").Dataset)]);
        Assert.Equal(["1.1", "1.2"], SearchOrder.Sort(SearchLevel.Studies, [Row("1.2", "20200101"), merged]).Select(r => r.Uid.ToString()));
    }

    private static string[] Sort(SearchLevel level, params MergedRow[] rows) => [.. SearchOrder.Sort(level, rows).Select(r => r.Uid.ToString())];

    private static string? Some(string prefix, Random random) => random.Next(4) is > 0 and var n ? prefix + n : null;

    private static MergedRow Row(string uid, string? date = null, string? time = null, string? study = null, int? number = null)
    {
        var members = new List<string>();
        void Add(Tag tag, string vr, string? value)
        {
            if (value is not null) members.Add("\"" + tag + "\":{\"vr\":\"" + vr + "\",\"Value\":[\"" + value + "\"]}");
        }

        Add(Tag.StudyDate, "DA", date);
        Add(Tag.StudyTime, "TM", time);
        Add(Tag.StudyInstanceUid, "UI", study);
        Add(Tag.SeriesNumber, "IS", number?.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Add(Tag.InstanceNumber, "IS", number?.ToString(System.Globalization.CultureInfo.InvariantCulture));
        return MergedRow.Merge(Uid.Parse(uid), [new("east", Answers.Dataset("{" + string.Join(',', members) + "}"))]);
    }
}
