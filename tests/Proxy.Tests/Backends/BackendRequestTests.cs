using Proxy.Backends;
using Proxy.Backends.DicomWeb;
using Proxy.Dicom;
using Xunit;

namespace Proxy.Tests.Backends;

public class BackendRequestTests
{
    [Theory]
    [InlineData("studies?limit=1", FailureScope.Search, null)]
    [InlineData("series?StudyInstanceUID=1.2", FailureScope.Search, null)]
    [InlineData("studies/1.2/series?includefield=x", FailureScope.Study, "1.2")]
    [InlineData("studies/1.2?x=1", FailureScope.Study, "1.2")]
    [InlineData("studies/1.2/series/1.2.3/metadata", FailureScope.Study, "1.2")]
    [InlineData("studies/x/series", FailureScope.Search, null)]
    public void FindsTheStudyAndTheFailureScope(string path, FailureScope scope, string? study)
    {
        var request = new BackendRequest(path, "*/*");
        Assert.Equal(scope, request.Scope);
        Assert.Equal(study is null ? null : Uid.Parse(study), request.Study);
    }

    [Theory]
    [InlineData("studies/1.2/series/1.2.3/instances/1.2.3.4", true)]
    [InlineData("studies/1.2/series/1.2.3/instances/1.2.3.4/frames/1", true)]
    [InlineData("studies/1.2/series/1.2.3/instances/1.2.3.4/bulk/7fe00010?x=1", false)]
    [InlineData("studies/1.2/series/1.2.3/instances/1.2.3.4/metadata", false)]
    [InlineData("studies/1.2/series/1.2.3/instances?limit=1", false)]
    [InlineData("studies/1.2/series/1.2.3", false)]
    public void IsAnObject_ForAnInstanceOrItsFrames(string path, bool isObject) =>
        Assert.Equal(isObject, new BackendRequest(path, "*/*").IsObject);

    [Theory]
    [InlineData("multipart/related; type=\"application/octet-stream\"; transfer-syntax=*", true)]
    [InlineData("multipart/related; type=\"application/dicom\"", true)]
    [InlineData("multipart/related; type=\"application/dicom\"; transfer-syntax=\"*\"", true)]
    [InlineData("multipart/related; type=\"image/jls\"; transfer-syntax=*", false)]
    [InlineData(
        "multipart/related; type=\"image/jls\"; transfer-syntax=*, "
            + "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*;q=0.9",
        true)]
    [InlineData("multipart/related; type=\"application/octet-stream\"; transfer-syntax=1.2.840.10008.1.2.1", false)]
    public void IsAsStored_WhenNoTransferSyntaxIsNamedOrAnyIsAccepted(string accept, bool isAsStored) =>
        Assert.Equal(isAsStored, new BackendRequest("studies/1.2", accept).IsAsStored);
}
