using FsCheck.Xunit;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Proxy.Backends.Queries;
using Proxy.Dicom;
using Proxy.Search;
using Xunit;

namespace Proxy.Tests.Search;

public class SearchQueryTests
{
    [Theory]
    [InlineData("limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030")]
    [InlineData(
        "PatientName=*DOE*&00100020=*7*&AccessionNumber=*A*&StudyDescription=*CT*&ModalitiesInStudy=CT%2CMR&limit=101&offset=101"
        + "&fuzzymatching=true&includefield=00081030%2C00080060&StudyDate=20200101-20201231")]
    [InlineData("limit=101&offset=0&fuzzymatching=false&includefield=00081030&StudyInstanceUID=1.2%5C1.3")]
    [InlineData("00100020=7&limit=101&offset=0")]
    public void ReadsTheSearchesOfViewers(string text) => Assert.NotNull(Read(text));

    [Fact]
    public void ReadsEveryPartOfASearch()
    {
        var query = Read(
            "PatientName=*DOE*&StudyDate=20200101-&includefield=PatientComments,00081030&fuzzymatching=true&limit=10&offset=20");
        Assert.Equal([("00080020", "20200101-"), ("00100010", "*DOE*")], query.Matches.Select(m => (m.Key, m.Value.Value)));
        Assert.Equal(["00081030", "00104000"], query.IncludeFields);
        Assert.Equal((10, 20, true, false), (query.Limit, query.Offset, query.IsFuzzy, query.IncludesAll));
    }

    [Theory]
    [InlineData("StudyInstanceUID=1.2%5C1.3")]
    [InlineData("StudyInstanceUID=1.2,1.3")]
    [InlineData("0020000d=1.2,1.3,1.2")]
    public void SeparatesUidsByCommas(string text)
    {
        var query = Read(text);
        Assert.Equal("1.2,1.3", query.Matches["0020000D"].Value);
        Assert.Equal([Uid.Parse("1.2"), Uid.Parse("1.3")], query.FindUids(Tag.StudyInstanceUid)!);
        Assert.Null(query.OnlyStudy);
        Assert.Contains("=1.2,1.3&", query.ToRequest(10), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ModalitiesInStudy=CT,MR")]
    [InlineData("ModalitiesInStudy=CT&ModalitiesInStudy=MR")]
    [InlineData("ModalitiesInStudy=CT%5CMR&ModalitiesInStudy=CT")]
    [InlineData("00080061=CT&00080061=MR")]
    public void JoinsRepeatedModalities(string text) => Assert.Equal("CT,MR", Read(text).Matches["00080061"].Value);

    [Theory]
    [InlineData("limit=-1", "limit")]
    [InlineData("limit=ten", "limit")]
    [InlineData("limit=1.5", "limit")]
    [InlineData("limit=", "limit")]
    [InlineData("limit=99999999999", "limit")]
    [InlineData("limit=1&limit=2", "limit")]
    [InlineData("offset=-1", "offset")]
    [InlineData("fuzzymatching=maybe", "fuzzymatching")]
    [InlineData("PatientID=1&PatientID=2", "PatientID")]
    [InlineData("PatientID=1&00100020=2", "00100020")]
    [InlineData("StudyInstanceUID=1.2&StudyInstanceUID=1.3", "StudyInstanceUID")]
    [InlineData("StudyInstanceUID=1.2,*", "StudyInstanceUID")]
    [InlineData("SeriesInstanceUID=../x", "SeriesInstanceUID")]
    [InlineData("PatientName=DOE%0d%0aX", "PatientName")]
    [InlineData("includefield=PatientNane", "includefield")]
    [InlineData("includefield=all,PatientName", "includefield")]
    [InlineData("includefield=all&includefield=PatientName", "includefield")]
    [InlineData("PatientNane=DOE", "PatientNane")]
    [InlineData("0010001=DOE", "0010001")]
    [InlineData("0010001%00=DOE", "0010001\0")]
    [InlineData("RequestAttributesSequence.=1", "RequestAttributesSequence.")]
    [InlineData("00400275.00400275.00400275.00400275.00400275.00400275.00400275.00400275.00400009=1",
        "00400275.00400275.00400275.00400275.00400275.00400275.00400275.0…")]
    [InlineData("emptyvaluematching=1", "emptyvaluematching")]
    [InlineData("multiplevaluematching=true&multiplevaluematching=true", "multiplevaluematching")]
    [InlineData("TimezoneOffsetFromUTC=CET", "TimezoneOffsetFromUTC")]
    [InlineData("TimezoneOffsetFromUTC=%2B1401", "TimezoneOffsetFromUTC")]
    [InlineData("TimezoneOffsetFromUTC=-1230", "TimezoneOffsetFromUTC")]
    [InlineData("00080201=0100", "00080201")]
    [InlineData("TimezoneOffsetFromUTC=%2B0160", "TimezoneOffsetFromUTC")]
    public void RefusesABadParameter_ByItsName(string text, string parameter)
    {
        Assert.False(SearchParameters.TryRead(SearchLevel.Studies, null, null, Parse(text), out _, out var error));
        Assert.Equal(parameter, error!.Parameter);
        Assert.NotEmpty(error.Rule);
    }

    [Theory]
    [InlineData("_=1700000000000", "_")]
    [InlineData("orderby=-StudyDate&includedefaults=true", "orderby,includedefaults")]
    [InlineData("token=secret&PatientID=7", "token")]
    [InlineData("patientname=DOE", "patientname")]
    [InlineData("_=1&_=2", "_")]
    [InlineData("=1", "")]
    [InlineData("accept=application/dicom%2Bjson&charset=utf-8", "")]
    public void IgnoresAnUnknownParameter_AndReportsItsName(string text, string names)
    {
        var query = Read(text);
        Assert.Equal(names, string.Join(',', query.IgnoredParameters));
        Assert.Equal(Read(text.Contains("PatientID", StringComparison.Ordinal) ? "PatientID=7" : "").CanonicalText, query.CanonicalText);
    }

    [Fact]
    public void NamesTheKeyword_WhenAFieldIsUnknown()
    {
        Assert.False(SearchParameters.TryRead(
            SearchLevel.Studies, null, null, Parse("includefield=PatientName,PatientNane"), out _, out var error));
        Assert.Contains("PatientNane is neither", error!.Rule, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("TimezoneOffsetFromUTC=%2B0100", "+0100")]
    [InlineData("TimezoneOffsetFromUTC=+0545", "+0545")]
    [InlineData("00080201=-1200", "-1200")]
    [InlineData("TimezoneOffsetFromUTC=%2B1400", "+1400")]
    public void PassesTheOffsetFromUtcOn(string text, string offset)
    {
        var query = Read(text);
        Assert.Equal(offset, query.Matches[SearchQuery.TimezoneOffset].Value);
        Assert.NotEqual(Read("").CanonicalText, query.CanonicalText);
        Assert.Contains(
            $"={offset.Replace("+", "%2B", StringComparison.Ordinal)}&", query.ToRequest(1), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("emptyvaluematching=true&AccessionNumber=%22%22", "emptyvaluematching=true&")]
    [InlineData("multiplevaluematching=true&PatientID=1%5C2", "multiplevaluematching=true&")]
    public void PassesTheMatchingModesOn(string text, string part)
    {
        Assert.Contains(part, Read(text).ToRequest(1), StringComparison.Ordinal);
        Assert.DoesNotContain(part, Read(text.Replace("true", "false", StringComparison.Ordinal)).ToRequest(1), StringComparison.Ordinal);
        Assert.NotEqual(Read(text.Replace("true", "false", StringComparison.Ordinal)).CanonicalText, Read(text).CanonicalText);
    }

    [Theory]
    [InlineData("includefield=Modality,NumberOfFrames,SeriesInstanceUID", SearchLevel.Studies)]
    [InlineData("includefield=NumberOfFrames,SOPInstanceUID,Rows", SearchLevel.Series)]
    public void DropsFieldsOfLowerLevels(string text, SearchLevel level) => Assert.Empty(Read(text, level).IncludeFields);

    [Fact]
    public void ReportsAFewShortNames_WhenManyLongNamesAreUnknown()
    {
        var names = Read(string.Join('&', Enumerable.Range(0, 50).Select(i => $"{new string('n', 5000)}{i}=1"))).IgnoredParameters;
        Assert.InRange(names.Length, 1, 10);
        Assert.All(names, name => Assert.InRange(name.Length, 1, 65));
    }

    [Theory]
    [InlineData("PatientName=", "00100010")]
    [InlineData("StudyInstanceUID=&SeriesInstanceUID=", "")]
    [InlineData("PatientComments=", "00104000")]
    [InlineData("ModalitiesInStudy=&ModalitiesInStudy=", "")]
    [InlineData("StationName=", "00081010")]
    [InlineData("StudyDate=*", "00080020")]
    [InlineData("PatientName=*", "00100010")]
    public void TreatsAnEmptyValueAndAStarAsUniversalMatching_AndIncludesTheAttribute(string text, string field)
    {
        var query = Read(text);
        Assert.Empty(query.Matches);
        Assert.Null(query.OnlyStudy);
        if (field.Length > 0) Assert.Contains(field, GetFields(query.ToRequest(1)));
    }

    [Theory]
    [InlineData("StudyInstanceUID=1.02.3", "1.02.3")]
    [InlineData("StudyInstanceUID=1.2%20", "1.2")]
    [InlineData("StudyInstanceUID=1.2%00", "1.2")]
    [InlineData("StudyInstanceUID=1.2%20,1.3%00,1.2", "1.2,1.3")]
    public void AcceptsUidsOfOldArchives(string text, string uids) => Assert.Equal(uids, Read(text).Matches["0020000D"].Value);

    [Fact]
    public void RefusesTooManyParameters_OrTooLongValues()
    {
        Assert.False(
            SearchParameters.TryRead(SearchLevel.Studies, null, null, Parse("PatientName=" + new string('x', 20_000)), out _, out _));
        Assert.False(SearchParameters.TryRead(
            SearchLevel.Studies, null, null, Parse(string.Join('&', Enumerable.Range(0x1000, 101).Select(i => $"0009{i:x4}=1"))), out _,
            out _));
        Assert.False(SearchParameters.TryRead(
            SearchLevel.Studies, null, null, Parse("includefield=00100010&limit=" + new string('9', 5000)), out _, out var error));
        Assert.InRange(error!.Parameter.Length, 1, 100);
    }

    [Theory]
    [InlineData("RequestAttributesSequence.ScheduledProcedureStepID=7", "00400275.00400009")]
    [InlineData("00400275.00400009=7", "00400275.00400009")]
    [InlineData("00101002.PatientID=7", "00101002.00100020")]
    public void ReadsAnAttributeInsideSequences(string text, string path)
    {
        var query = Read(text);
        Assert.Equal("7", query.Matches[path].Value);
        Assert.StartsWith("studies?" + text + "&", query.ToRequest(10), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("PatientID=7&StudyDate=20200101", "StudyDate=20200101&PatientID=7")]
    [InlineData("PatientID=7", "00100020=7")]
    [InlineData("StudyInstanceUID=1.2", "0020000d=1.2")]
    [InlineData("includefield=00081030,00104000", "includefield=PatientComments&includefield=StudyDescription")]
    [InlineData("PatientID=7&limit=5", "PatientID=7&limit=6&offset=9")]
    [InlineData("ModalitiesInStudy=CT,MR", "ModalitiesInStudy=CT&ModalitiesInStudy=MR")]
    [InlineData("includefield=0008103E", "")]
    public void GivesTheSameText_ForTheSameSearch(string one, string other) =>
        Assert.Equal(Read(one).CanonicalText, Read(other).CanonicalText);

    [Theory]
    [InlineData("PatientID=7", "PatientID=8")]
    [InlineData("PatientID=7", "AccessionNumber=7")]
    [InlineData("PatientID=7", "PatientID=7&fuzzymatching=true")]
    [InlineData("PatientID=7", "PatientID=7&includefield=PatientComments")]
    [InlineData("includefield=PatientComments", "includefield=all")]
    [InlineData("PatientID=7%26StudyID=8", "PatientID=7&StudyID=8")]
    [InlineData("PatientID=7%2600200010=8", "PatientID=7&StudyID=8")]
    [InlineData("PatientID=7%26include=all%26fuzzy=False", "PatientID=7&includefield=all")]
    public void GivesAnotherText_ForAnotherSearch(string one, string other) =>
        Assert.NotEqual(Read(one).CanonicalText, Read(other).CanonicalText);

    [Fact]
    public void IncludesThePathInTheText()
    {
        Uid study = Uid.Parse("1.2"), series = Uid.Parse("1.3");
        string[] texts =
        [
            .. from at in (
                (SearchLevel, Uid?, Uid?)[])[(SearchLevel.Studies, null, null), (SearchLevel.Series, null, null),
                (SearchLevel.Instances, null, null), (SearchLevel.Series, study, null), (SearchLevel.Instances, study, null),
                (SearchLevel.Instances, study, series)]
               select Read("", at.Item1, at.Item2, at.Item3).CanonicalText,
        ];
        Assert.Equal(6, texts.Distinct().Count());
    }

    [Theory]
    [InlineData("PatientName=*D%3FE%5E*", "PatientName=*D?E%5E*")]
    [InlineData("StudyDate=20200101-20201231", "StudyDate=20200101-20201231")]
    [InlineData("PatientName=a%26b%3Dc%2Bd%23e", "PatientName=a%26b%3Dc%2Bd%23e")]
    [InlineData("PatientName=DOE+JOHN", "PatientName=DOE%20JOHN")]
    [InlineData("PatientName=M%C3%BCller", "PatientName=M%C3%BCller")]
    [InlineData("PatientName=%5B%5D%7B%7D%22%3C%3E%25", "PatientName=%5B%5D%7B%7D%22%3C%3E%25")]
    [InlineData("StudyTime=101010.5-", "StudyTime=101010.5-")]
    public void SendsAsterisksAndCommasRaw_AndEscapesOtherCharacters(string text, string asked) =>
        Assert.StartsWith($"studies?{asked}&includefield=00080020,", Read(text).ToRequest(10), StringComparison.Ordinal);

    [Fact]
    public void RequestsTheFirstRows_ForAnyPage() =>
        Assert.EndsWith("&limit=1001&offset=0", Read("limit=10&offset=500").ToRequest(1001), StringComparison.Ordinal);

    [Fact]
    public void RequestsTheAttributesForMerging_AndTheClientsAttributes()
    {
        var fields = GetFields(Read("includefield=PatientComments").ToRequest(1));
        Assert.Empty(((string[])["00080020", "00080030", "00080061", "00100020", "00201206", "00201208", "00104000"]).Except(fields));
        Assert.Equal(fields.Distinct(), fields);
        Assert.Equal(["all"], GetFields(Read("includefield=all").ToRequest(1)));
        Assert.Contains("00201209", GetFields(Read("", SearchLevel.Series, Uid.Parse("1.2")).ToRequest(1)));
        Assert.Contains("00280008", GetFields(Read("", SearchLevel.Instances, Uid.Parse("1.2")).ToRequest(1)));
    }

    [Theory]
    [InlineData("studies?", SearchLevel.Studies, null, null)]
    [InlineData("studies/1.2/series?", SearchLevel.Series, "1.2", null)]
    [InlineData("studies/1.2/instances?", SearchLevel.Instances, "1.2", null)]
    [InlineData("studies/1.2/series/1.3/instances?", SearchLevel.Instances, "1.2", "1.3")]
    [InlineData("instances?", SearchLevel.Instances, null, null)]
    public void RequestsTheSamePathFromABackend(string path, SearchLevel level, string? study, string? series) =>
        Assert.StartsWith(
            path, Read("", level, study is null ? null : Uid.Parse(study), series is null ? null : Uid.Parse(series)).ToRequest(1),
            StringComparison.Ordinal);

    [Fact]
    public void RecognizesASearchForOneStudyByUid()
    {
        Assert.Equal(Uid.Parse("1.2"), Read("StudyInstanceUID=1.2&limit=101&includefield=00081030").OnlyStudy);
        Assert.Null(Read("StudyInstanceUID=1.2&PatientID=7").OnlyStudy);
        Assert.Null(Read("StudyInstanceUID=1.2&includefield=all").OnlyStudy);
        Assert.Equal(["00104000"], Read("StudyInstanceUID=1.2&includefield=PatientComments,PatientName").FurtherFields);
        Assert.Null(Read("PatientID=7").OnlyStudy);
        Assert.Null(Read("StudyInstanceUID=1.2", SearchLevel.Series).OnlyStudy);
    }

    [Property(MaxTest = 500)]
    public void SendsEveryValueUnchanged(string? value)
    {
        var text = new string([.. (value ?? "").Where(c => !char.IsControl(c) && !char.IsSurrogate(c))]);
        if (!SearchParameters.TryRead(
            SearchLevel.Studies, null, null, Parse("PatientName=" + Uri.EscapeDataString(text)), out var query, out _) || text is "" or "*")
            return;
        var request = query.ToRequest(10);
        Assert.All(request, c => Assert.InRange(c, '!', '~'));
        Assert.Equal(text, QueryHelpers.ParseQuery(request[request.IndexOf('?', StringComparison.Ordinal)..])["PatientName"]);
        // The Uri class does not change it on the way to the backend.
        Assert.EndsWith(
            request,
            new Uri("http://pacs/dicom-web/" + request, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true })
                .PathAndQuery, StringComparison.Ordinal);
    }

    private static QueryCollection Parse(string text) => new(QueryHelpers.ParseQuery(text));

    private static string[] GetFields(string request) =>
        QueryHelpers.ParseQuery(request[request.IndexOf('?', StringComparison.Ordinal)..])["includefield"].ToString().Split(',');

    private static SearchQuery Read(string text, SearchLevel level = SearchLevel.Studies, Uid? study = null, Uid? series = null)
    {
        Assert.True(SearchParameters.TryRead(level, study, series, Parse(text), out var query, out var error), error?.ToString());
        return query;
    }
}
