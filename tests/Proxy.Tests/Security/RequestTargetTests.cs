using Proxy.Security;
using Xunit;

namespace Proxy.Tests.Security;

public class RequestTargetTests
{
    [Theory]
    [InlineData("/dicomweb/studies", "/dicomweb/studies")]
    [InlineData("/dicomweb/studies?a=//b", "/dicomweb/studies")]
    [InlineData("http://pacs.example:8080/dicomweb/studies?a=b", "/dicomweb/studies")]
    [InlineData("https://pacs.example", "/")]
    [InlineData("http://pacs.example?a=b", "")]
    [InlineData("http://pacs.example//evil", "//evil")]
    [InlineData("//pacs.example/dicomweb", "//pacs.example/dicomweb")]
    [InlineData("*", "*")]
    [InlineData("", "")]
    public void ReadsThePathOfATarget(string target, string path) => Assert.Equal(path, RequestTarget.GetPath(target).ToString());

    [Theory]
    [InlineData("/dicomweb//studies", 9)]
    [InlineData("/DICOMweb//studies", 9)]
    [InlineData("/backends/east/dicomweb//studies", 23)]
    [InlineData("/dicomweb/studies", -1)]
    [InlineData("/dicomweb", -1)]
    [InlineData("/dicomweb/", -1)]
    [InlineData("//dicomweb/studies", -1)]
    [InlineData("/dicomweb/studies//1.2", -1)]
    [InlineData("/backends//dicomweb//studies", -1)]
    [InlineData("/backends/east", -1)]
    [InlineData("/store//studies", -1)]
    public void FindsADoubleSlashBehindARoot(string path, int index) =>
        Assert.Equal(index, RequestTarget.FindDoubleSlashBehindRoot(path));
}
