using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Proxy.Backends.Queries;
using Proxy.Search;
using Xunit;

namespace Proxy.Tests.Search;

public sealed class MatchRulesTests
{
    [Theory]
    [InlineData("StudyDate=garbage", "StudyDate", "YYYYMMDD")]
    [InlineData("StudyDate=2020", "StudyDate", "YYYYMMDD")]
    [InlineData("StudyDate=-", "StudyDate", "YYYYMMDD")]
    [InlineData("StudyDate=2020*", "StudyDate", "YYYYMMDD")]
    [InlineData("00080020=20200101-20200201-20200301", "00080020", "YYYYMMDD")]
    [InlineData("StudyTime=25h", "StudyTime", "HHMMSS")]
    [InlineData("AcquisitionDateTime=noon", "AcquisitionDateTime", "YYYYMMDDHHMMSS")]
    [InlineData("SOPClassUID=1.2.840.*", "SOPClassUID", "UID")]
    [InlineData("InstanceNumber=1.5", "InstanceNumber", "whole number")]
    [InlineData("InstanceNumber=one", "InstanceNumber", "whole number")]
    [InlineData("Rows=-", "Rows", "whole number")]
    [InlineData("SliceThickness=thin", "SliceThickness", "number")]
    [InlineData("SliceThickness=1e999", "SliceThickness", "number")]
    [InlineData("RequestAttributesSequence.00400002=never", "RequestAttributesSequence.00400002", "YYYYMMDD")]
    public void NamesTheParameterAndTheRule_ForAValueThatItsVrDoesNotHave(string text, string parameter, string rule)
    {
        Assert.False(TryRead(text, out var error));

        Assert.Equal(parameter, error!.Parameter);
        Assert.Contains(rule, error.Rule);
    }

    [Theory]
    [InlineData("StudyDate=20200101")]
    [InlineData("StudyDate=20200101-")]
    [InlineData("StudyDate=-20200101")]
    [InlineData("StudyDate=20200101-20201231")]
    [InlineData("StudyDate=00000101-99991231")]
    [InlineData("StudyDate=2020.01.01")]
    [InlineData("StudyDate=*")]
    [InlineData("StudyDate=")]
    [InlineData("StudyDate=%22%22")]
    [InlineData("StudyDate=20200101%5C20200102&multiplevaluematching=true")]
    [InlineData("StudyTime=10")]
    [InlineData("StudyTime=101010.5-")]
    [InlineData("AcquisitionDateTime=20200101-2021")]
    [InlineData("AcquisitionDateTime=20200101120000%2B0100")]
    [InlineData("SOPClassUID=1.2,1.3")]
    [InlineData("SOPClassUID=1.2%5C1.3")]
    [InlineData("InstanceNumber=%2007 ")]
    [InlineData("InstanceNumber=-1")]
    [InlineData("SliceThickness=1.50")]
    [InlineData("PatientName=*Doe*")]
    [InlineData("PatientAge=old")]
    [InlineData("00091001=anything")]
    public void ReadsAValidValue(string text) => Assert.True(TryRead(text, out _));

    private static bool TryRead(string text, out ParameterError? error) =>
        SearchParameters.TryRead(SearchLevel.Studies, null, null, new QueryCollection(QueryHelpers.ParseQuery(text)), out _, out error);
}
