using Proxy.Backends.PassThrough;
using Xunit;

namespace Proxy.Tests.Backends.PassThrough;

public class BackendAddressesTests
{
    private const string Root = "https://proxy.example/backends/east/dicomweb";

    [Theory]
    // Below the path of the DICOMweb root, on any host.
    [InlineData("http://pacs:8042/dicom-web/workitems/1.2", Root + "/workitems/1.2")]
    [InlineData("https://inside.hospital.example/dicom-web/studies/1.2?a=b", Root + "/studies/1.2?a=b")]
    [InlineData("<http://PACS:8042/DICOM-web>; rel=x", "<" + Root + ">; rel=x")]
    [InlineData("""["http:\/\/pacs:8042\/dicom-web\/a"]""", """["https:\/\/proxy.example\/backends\/east\/dicomweb\/a"]""")]
    [InlineData("""["http://pacs:8042/dicom-web/a","http://b.example/dicom-web/b"]""", $"""["{Root}/a","{Root}/b"]""")]
    // Other URLs of its host.
    [InlineData("http://pacs:8042/instances/1", "https://proxy.example/instances/1")]
    [InlineData("http://user:word@pacs:8042/", "https://proxy.example/")]
    [InlineData("http://pacs/", "https://proxy.example/")]
    [InlineData("http://pacs:8042/dicom-web-2/a", "https://proxy.example/dicom-web-2/a")]
    [InlineData("see http://10.0.0.11:80/x", "see https://proxy.example/x")]
    // Without a scheme.
    [InlineData("connect to pacs:8042 failed", "connect to proxy.example failed")]
    [InlineData("host 10.0.0.11 is away", "host proxy.example is away")]
    [InlineData("10.0.0.11:80", "proxy.example")]
    // Text that is no address of the PACS.
    [InlineData("the pacs is away", "the pacs is away")]
    [InlineData("1.2.10.0.0.11.5", "1.2.10.0.0.11.5")]
    [InlineData("10.0.0.111", "10.0.0.111")]
    [InlineData("http://viewer.example/studies", "http://viewer.example/studies")]
    [InlineData("http://pacs.example/dicom", "http://pacs.example/dicom")]
    [InlineData("mypacs:8042", "mypacs:8042")]
    public void ReplacesTheBackendsAddresses(string text, string expected) =>
        Assert.Equal(expected, Create(Root, "proxy.example").Rewrite(text));

    [Fact]
    public void WritesRelativeAddresses_WhenTheRequestHasNoHost()
    {
        var addresses = Create("/backends/east/dicomweb", "");

        Assert.Equal("/backends/east/dicomweb/studies", addresses.Rewrite("http://pacs:8042/dicom-web/studies"));
        Assert.Equal("/instances", addresses.Rewrite("http://pacs:8042/instances"));
        Assert.Equal("at proxy", addresses.Rewrite("at pacs:8042"));
    }

    [Fact]
    public void FindsARootWithoutAPathByItsHost()
    {
        var addresses = new BackendAddresses([new("http://pacs:8042")], Root, "proxy.example");

        Assert.Equal(Root + "/workitems/1", addresses.Rewrite("http://pacs:8042/workitems/1"));
        Assert.Equal("http://other.example/workitems/1", addresses.Rewrite("http://other.example/workitems/1"));
    }

    [Fact]
    public void ReturnsTheSameText_WhenItHasNoAddress()
    {
        var text = new string('x', 1000);
        Assert.Same(text, Create(Root, "proxy.example").Rewrite(text));
    }

    private static BackendAddresses Create(string root, string host) =>
        new([new("http://pacs:8042/dicom-web"), new("http://10.0.0.11/dicom-web/")], root, host);
}
