using FsCheck;
using FsCheck.Xunit;
using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Events;
using Proxy.Metadata;
using Proxy.Search;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Search;

public class MergedListTests
{
    [Property(MaxTest = 200)]
    public bool OrdersRows_IndependentlyOfTheirArrival(DoNotSize<int> any)
    {
        var random = new Random(any.Item);
        var level = (SearchLevel)random.Next(3);
        // Few distinct dates, times and numbers, some missing, so that many rows differ only by their UID.
        var rows = Enumerable.Range(1, 30)
            .Select(i => Row(
                $"1.{i}", SomeOrNull("2020010", random), SomeOrNull("10101", random),
                level == SearchLevel.Studies ? null : SomeOrNull("1.2.", random),
                random.Next(3) == 0 ? null : random.Next(3))).ToArray();
        var sorted = Sort(level, rows);
        random.Shuffle(rows);
        return Sort(level, rows).SequenceEqual(sorted) && sorted.Length == 30;
    }

    [Fact]
    public void ListsTheNewestStudyFirst() => Assert.Equal(
        ["1.3", "1.2", "1.1", "1.5", "1.4"],
        Sort(
            SearchLevel.Studies, Row("1.1", "20200101", "090000"), Row("1.2", "20200101", "100000"), Row("1.3", "20210101", "080000"),
            Row("1.5", null, "110000"), Row("1.4", null)));

    [Fact]
    public void OrdersSeriesByNumber_MissingNumbersLast() => Assert.Equal(
        ["1.2", "1.10", "1.9", "1.1"],
        Sort(SearchLevel.Series, Row("1.1"), Row("1.9", number: 10), Row("1.10", number: 10), Row("1.2", number: 9)));

    [Fact]
    public void KeepsTheSeriesOfAStudyTogether() => Assert.Equal(
        ["1.1", "1.3", "1.2", "1.4"],
        Sort(
            SearchLevel.Series, Row("1.1", "20200101", study: "1", number: 1), Row("1.2", "20200101", study: "2", number: 1),
            Row("1.3", "20200101", study: "1", number: 2), Row("1.4", "20200101", study: "2", number: 2)));

    [Fact]
    public void OrdersInstancesByNumber() => Assert.Equal(
        ["1.3", "1.2", "1.1"], Sort(SearchLevel.Instances, Row("1.1", number: 12), Row("1.2", number: 3), Row("1.3", number: -1)));

    [Fact]
    public void OrdersByTheMergedDate_WhenAnotherBackendProvidesIt()
    {
        var list = Merge(SearchLevel.Studies, [Row("1.2", "20200101"), Row("1.1", null)], [Row("1.1", "20210101")]);
        Assert.Equal(["1.1", "1.2"], list.Read(0, null).Select(r => r.Uid.ToString()));
    }

    [Fact]
    public void ReadsAnyPage_AsAPartOfTheList()
    {
        var list = Merge(SearchLevel.Series, [Row("1.1", number: 1), Row("1.2", number: 2), Row("1.3", number: 3)]);
        Assert.Equal(["1.2"], list.Read(1, 1).Select(r => r.Uid.ToString()));
        Assert.Equal(["1.3"], list.Read(2, null).Select(r => r.Uid.ToString()));
        Assert.Empty(list.Read(3, 7));
        Assert.Empty(list.Read(int.MaxValue, int.MaxValue));
        Assert.Empty(list.Read(0, 0));
    }

    [Fact]
    public void PrefersTheBackendWithMoreInstancesOfASeries_ThenThePreferred()
    {
        var more = Merge(SearchLevel.Series, [Row("1.1", count: 3)], [Row("1.1", count: 5)]).Read(0, null);
        Assert.Equal(["b1", "b0"], Assert.Single(more).Sources.Select(s => s.Backend));
        var same = Merge(SearchLevel.Series, [Row("1.1", count: 5)], [Row("1.1", count: 5)]).Read(0, null);
        Assert.Equal(["b0", "b1"], Assert.Single(same).Sources.Select(s => s.Backend));
    }

    private static string[] Sort(SearchLevel level, params Dataset[] rows) =>
        [.. Merge(level, rows).Read(0, null).Select(r => r.Uid.ToString())];

    private static MergedList Merge(SearchLevel level, params Dataset[][] backends)
    {
        var query = SearchQuery.AllStudies with
        {
            Level = level,
            Study = level == SearchLevel.Studies ? null : Uid.Parse("9.9"),
            Series = level == SearchLevel.Instances ? Uid.Parse("9.9.9") : null,
        };
        // The rows name the UID of the query's level.
        var answers = backends.Select((rows, i) => new SearchAnswer(
            new($"b{i}", new("http://pacs")) { Preference = i },
            [.. rows.Select(row => FoundRow.Find(
                query,
                Answers.Dataset(System.Text.Encoding.UTF8.GetString(row.Json.Span).Replace(
                    "0020000F", query.Key.ToString(), StringComparison.Ordinal)))!)],
            default));
        return MergedList.Merge(
            query, [.. answers], new DicomMetadataStore(_ => 1, TimeProvider.System, new EventLog(NullLogger<EventLog>.Instance), 1 << 20));
    }

    private static string? SomeOrNull(string prefix, Random random) => random.Next(4) is > 0 and var n ? prefix + n : null;

    private static Dataset Row(
        string uid, string? date = null, string? time = null, string? study = null, int? number = null, int? count = null)
    {
        var members = new List<string>();
        void Add(string tag, string vr, string? value)
        {
            if (value is not null) members.Add("\"" + tag + "\":{\"vr\":\"" + vr + "\",\"Value\":[\"" + value + "\"]}");
        }

        Add(Tag.StudyDate.ToString(), "DA", date);
        Add(Tag.StudyTime.ToString(), "TM", time);
        Add(Tag.StudyInstanceUid.ToString(), "UI", study);
        Add(Tag.SeriesNumber.ToString(), "IS", number?.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Add(Tag.InstanceNumber.ToString(), "IS", number?.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Add(Tag.NumberOfSeriesRelatedInstances.ToString(), "IS", count?.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Add("0020000F", "UI", uid);
        return Answers.Dataset("{" + string.Join(',', members) + "}");
    }
}
