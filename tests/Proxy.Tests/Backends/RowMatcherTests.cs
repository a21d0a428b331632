using System.Text;
using System.Text.Json.Nodes;
using FsCheck.Xunit;
using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Wire;
using Xunit;

namespace Proxy.Tests.Backends;

public sealed class RowMatcherTests
{
    [Theory]
    [InlineData("DOE^JANE", true)]
    [InlineData("doe^jane", true)]
    [InlineData("Doe^Jane^^", true)]
    [InlineData("DOE*", true)]
    [InlineData("*ane*", true)]
    [InlineData("D?E^J*", true)]
    [InlineData("DOE^*^", true)]
    [InlineData("DOE", false)]
    [InlineData("DOE^J", false)]
    [InlineData("D?OE*", false)]
    [InlineData("*", true)]
    [InlineData("**", true)]
    public void MatchesNames_InAnyCase(string key, bool matches) =>
        Assert.Equal(matches, Match("00100010", key, """{"vr":"PN","Value":[{"Alphabetic":"Doe^Jane"}]}"""));

    [Theory]
    [InlineData("山田^太郎", true)]
    [InlineData("山田*", true)]
    [InlineData("*たろう", true)]
    [InlineData("Yamada*", true)]
    [InlineData("=山田*", true)]
    [InlineData("Yamada*=山田*=*", true)]
    [InlineData("=Yamada*", false)]
    [InlineData("山田*=", false)]
    public void MatchesEachComponentGroup(string key, bool matches) => Assert.Equal(
        matches,
        Match(
            "00100010", key,
            """{"vr":"PN","Value":[{"Alphabetic":"Yamada^Tarou","Ideographic":"山田^太郎","Phonetic":"やまだ^たろう"}]}"""));

    [Theory]
    [InlineData("DOE^*", true)]
    [InlineData("DOE^?*", false)]
    [InlineData("*^*^*", true)]
    [InlineData("DOE", true)]
    [InlineData(" DOE ^ ", true)]
    public void TreatsMissingComponentsAsEmpty(string key, bool matches) =>
        Assert.Equal(matches, Match("00100010", key, """{"vr":"PN","Value":[{"Alphabetic":"DOE"}]}"""));

    [Theory]
    [InlineData("00081030", "LO", "\"CT Chest\"", "CT*", true)]
    [InlineData("00081030", "LO", "\"CT Chest\"", "ct*", false)]
    [InlineData("00081030", "LO", "\"CT Chest \"", "CT Chest", true)]
    [InlineData("00081030", "LO", "\"CT Chest\"", "C? Chest", true)]
    [InlineData("00080060", "CS", "\"CT\"", "CT,MR", true)]
    [InlineData("00080061", "CS", "\"SR\",\"MR\"", "CT,MR", true)]
    [InlineData("00080061", "CS", "\"SR\"", "CT,MR", false)]
    [InlineData("00080016", "UI", "\"1.2.3\"", "1.2.3,1.2.4", true)]
    [InlineData("00080016", "UI", "\"1.2.3\"", "1.2*", false)]
    [InlineData("00200013", "IS", "7", "007", true)]
    [InlineData("00200013", "IS", "\"07\"", "7", true)]
    [InlineData("00200013", "IS", "7", "8", false)]
    [InlineData("00280010", "US", "512", "512", true)]
    [InlineData("00189345", "FD", "1.50", "1.5", true)]
    [InlineData("00201040", "LO", "null,\"B\"", "B", true)]
    [InlineData("00080061", "CS", "", "CT", false)]
    public void MatchesByVr(string tag, string vr, string values, string key, bool matches) =>
        Assert.Equal(matches, Match(tag, key, $$"""{"vr":"{{vr}}","Value":[{{values}}]}"""));

    [Theory]
    [InlineData("20240101", "20240101", true)]
    [InlineData("20240101-20240131", "20240131", true)]
    [InlineData("20240101-20240131", "20240201", false)]
    [InlineData("20240101-", "20991231", true)]
    [InlineData("20240101-", "20231231", false)]
    [InlineData("-20240101", "19000101", true)]
    [InlineData("-20240101", "20240102", false)]
    [InlineData("20240101-20240131", "2024.01.15", true)]
    [InlineData("20240101-20240131", "", false)]
    [InlineData("2024-", "20240101", false)]
    [InlineData("-", "20240101", false)]
    public void MatchesDates(string key, string date, bool matches) =>
        Assert.Equal(matches, Match("00080020", key, $$"""{"vr":"DA","Value":["{{date}}"]}"""));

    [Theory]
    [InlineData("10", "103000", true)]
    [InlineData("1030", "103059.999", true)]
    [InlineData("103000", "103001", false)]
    [InlineData("08-12", "1259", true)]
    [InlineData("0800-1200", "120059", true)]
    [InlineData("0800-1200", "120100", false)]
    [InlineData("1200-", "115959", false)]
    [InlineData("-1200", "07", true)]
    [InlineData("08:00-12:00", "09:30:00", true)]
    public void MatchesTimes(string key, string time, bool matches) =>
        Assert.Equal(matches, Match("00080030", key, $$"""{"vr":"TM","Value":["{{time}}"]}"""));

    [Theory]
    [InlineData("20240101", "20240101120000", true)]
    [InlineData("2024-2025", "20251231235959", true)]
    [InlineData("20240101-20240105", "20240106", false)]
    [InlineData("20240101100000+0000", "20240101110000+0100", true)]
    [InlineData("20240101100000+0000", "20240101100000+0100", false)]
    [InlineData("20240101100000-0500", "20240101150000+0000", true)]
    [InlineData("20240101100000-0500-20240101110000-0500", "20240101153000+0000", true)]
    [InlineData("-20240101", "2023", true)]
    public void MatchesDateTimes(string key, string value, bool matches) =>
        Assert.Equal(matches, Match("0008002A", key, $$"""{"vr":"DT","Value":["{{value}}"]}"""));

    [Theory]
    [InlineData("20240101-20240103", "1200-0800", "20240101", "115959", false)]
    [InlineData("20240101-20240103", "1200-0800", "20240101", "120000", true)]
    [InlineData("20240101-20240103", "1200-0800", "20240102", "030000", true)]
    [InlineData("20240101-20240103", "1200-0800", "20240103", "080059.999999", true)]
    [InlineData("20240101-20240103", "1200-0800", "20240103", "080100", false)]
    [InlineData("20240101-", "1200-", "20250101", "000000", true)]
    [InlineData("-20240101", "-1200", "20240101", "130000", false)]
    [InlineData("20240101-20240103", "12", "20240102", "120100", true)]
    [InlineData("20240101-20240103", "12", "20240102", "110100", false)]
    public void MatchesADateAndItsTimeAsOneRange(string dates, string times, string date, string time, bool matches)
    {
        var query = Query(("00080020", dates), ("00080030", times));
        var row = Row($$"""{"00080020":{"vr":"DA","Value":["{{date}}"]},"00080030":{"vr":"TM","Value":["{{time}}"]} }""");
        Assert.Equal(matches, new RowMatcher(query).Matches(row));
        Assert.Equal(times.Contains('-', StringComparison.Ordinal), RowMatcher.Split(query, isLiteral: false).Here is not null);
    }

    [Fact]
    public void MatchesKeysOfASequence_InOneItem()
    {
        var row = Row("""
            {"00400275":{"vr":"SQ","Value":[
              {"00400009":{"vr":"SH","Value":["S1"]},"00401001":{"vr":"SH","Value":["R1"]}},
              {"00400009":{"vr":"SH","Value":["S2"]},"00401001":{"vr":"SH","Value":["R2"]}}]}}
            """);
        Assert.True(Matches(row, ("00400275.00400009", "S2")));
        Assert.True(Matches(row, ("00400275.00400009", "S1"), ("00400275.00401001", "R*")));
        Assert.False(Matches(row, ("00400275.00400009", "S1"), ("00400275.00401001", "R2")));
        Assert.False(Matches(row, ("00400275.00400007", "S1")));
        Assert.False(Matches(Row("{}"), ("00400275.00400009", "S1")));
    }

    [Theory]
    [InlineData("Müller^J*", "M*ller^J*")]
    [InlineData("山田*", null)]
    [InlineData("山田^太郎", null)]
    [InlineData("Yamada^T*=山田^太郎", "Yamada^T**")]
    [InlineData("CT Chest & Head", "CT*Chest*Head")]
    public void SendsAsterisks_ToABackendThatDoesNotDecode(string value, string? sent)
    {
        var query = Query(("00100010", value), ("00100020", "P1"));

        var (left, here) = RowMatcher.Split(query, isLiteral: true);

        Assert.Equal(sent, left.Matches.GetValueOrDefault("00100010").Value);
        Assert.Equal("P1", left.Matches["00100020"].Value);
        Assert.Contains("00100010", left.IncludeFields);
        var json = JsonValue.Create(value.Replace("*", "x", StringComparison.Ordinal).Split('=')[0])!.ToJsonString();
        Assert.Equal(
            !value.Contains('=', StringComparison.Ordinal),
            here!.Matches(Row($$"""{"00100010":{"vr":"PN","Value":[{"Alphabetic":{{json}} }]},"00100020":{"vr":"LO","Value":["P2"]} }""")));
        Assert.Equal((query, null), RowMatcher.Split(query, isLiteral: false));
    }

    [Fact]
    public void FindsAnAttributeInTheRowsOfItsSeriesAndStudy()
    {
        var matcher = new RowMatcher(Query(("00100020", "P1"), ("00080060", "CT"), ("00200013", "1")));
        Dataset instance = Row("""{"00200013":{"vr":"IS","Value":[1]}}"""), series = Row("""{"00080060":{"vr":"CS","Value":["CT"]}}""");
        Assert.True(matcher.Matches(instance, series, Row("""{"00100020":{"vr":"LO","Value":["P1"]}}""")));
        Assert.False(matcher.Matches(instance, series, Row("""{"00100020":{"vr":"LO","Value":["P2"]}}""")));
        Assert.False(matcher.Matches(instance, series));
    }

    [Fact]
    public void SaysNothingOfAbsentAttributes_WhenItLooksForContradictions()
    {
        var matcher = new RowMatcher(Query(("00100020", "P1"), ("00080060", "CT")));
        Assert.False(matcher.Contradicts(Row("{}")));
        Assert.False(matcher.Contradicts(Row("""{"00100020":{"vr":"LO","Value":["P1"]}}""")));
        Assert.True(matcher.Contradicts(Row("""{"00100020":{"vr":"LO","Value":["P2"]}}""")));
        Assert.Equal(["00080060"], matcher.FindAbsent(Row("""{"00100020":{"vr":"LO","Value":["P2"]}}""")));
    }

    [Theory]
    [InlineData("{}", true)]
    [InlineData("""{"00080050":{"vr":"SH"}}""", true)]
    [InlineData("""{"00080050":{"vr":"SH","Value":[""]}}""", true)]
    [InlineData("""{"00080050":{"vr":"SH","Value":["7"]}}""", false)]
    public void MatchesEmptyValues_WhenTheClientAsksForThem(string row, bool matches)
    {
        var query = Query(("00080050", "\"\""));
        Assert.False(new RowMatcher(query).Matches(Row(row)));
        Assert.Equal(matches, new RowMatcher(query with { MatchesEmptyValues = true }).Matches(Row(row)));
    }

    [Theory]
    [InlineData("""["PT","MR","CT"]""", true)]
    [InlineData("""["CT"]""", false)]
    public void MatchesAllOfMultipleValues_WhenTheClientAsksForIt(string values, bool matches) => Assert.Equal(
        matches,
        new RowMatcher(Query(("00080008", @"CT\PT")) with { MatchesMultipleValues = true })
            .Matches(Row($$"""{"00080008":{"vr":"CS","Value":{{values}} } }""")));

    [Fact]
    public void DoesNotMatchTheOffsetFromUtc() => Assert.True(Matches(Row("{}"), (SearchQuery.TimezoneOffset, "+0100")));

    [Theory]
    [InlineData("""{"vr":"LO","Value":["\ud800"]}""")]
    [InlineData("""{"vr":"OB","InlineBinary":"AAAA"}""")]
    [InlineData("""{"vr":"SQ","Value":[{}]}""")]
    [InlineData("""{"vr":5,"Value":{"a":1}}""")]
    [InlineData("""{"vr":"PN","Value":["A=B"]}""")]
    public void MatchesNothing_WhenAValueIsUnusual(string attribute) =>
        Assert.False(Match("00081030", "CT", attribute));

    [Property(MaxTest = 500)]
    public void FindsEveryValueByItself_AndByItsWildcards(string? text)
    {
        var value = new string([.. (text ?? "").Where(c => !char.IsControl(c) && !char.IsSurrogate(c) && !"\\,=^*?".Contains(c))]).Trim();
        if (value.Length == 0) return;
        var json = JsonValue.Create(value)!.ToJsonString();
        foreach (var key in (string[])[value, value + "*", "*" + value, new('?', value.Length), value[..1] + "*"])
            Assert.True(Match("00081030", key, $$"""{"vr":"LO","Value":[{{json}}]}"""), key);
        Assert.False(Match("00081030", value + "?", $$"""{"vr":"LO","Value":[{{json}}]}"""));
    }

    [Fact]
    public void IsQuick_WhenAKeyHasManyAsterisks()
    {
        var key = string.Concat(Enumerable.Repeat("*a", 500)) + "b";
        Assert.False(Match("00081030", key, $$"""{"vr":"UT","Value":["{{new string('a', 1_000_000)}}"]}"""));
    }

    private static bool Match(string tag, string key, string attribute) =>
        new RowMatcher(Query((tag, key))).Matches(Row($$"""{"{{tag}}":{{attribute}} }"""));

    private static bool Matches(Dataset row, params (string Path, string Value)[] keys) => new RowMatcher(Query(keys)).Matches(row);

    private static SearchQuery Query(params (string Path, string Value)[] keys) => SearchQuery.AllStudies with
    {
        Matches = SearchQuery.AllStudies.Matches.AddRange(keys.Select(key => KeyValuePair.Create(key.Path, (key.Path, key.Value)))),
    };

    private static Dataset Row(string json) => DicomJsonReader.ReadStored(Encoding.UTF8.GetBytes(json));
}
