using System.Text;
using Proxy.Wire;
using Xunit;

namespace Proxy.Tests.Wire;

public class MultipartWriterTests
{
    private readonly MultipartWriter _writer = new("b-1");

    [Fact]
    public void WritesTheSpellingThatViewersExpect()
    {
        // OHIF's loader takes the boundary from the first line and searches for Content-Type in this spelling.
        Assert.Equal(
            "--b-1\r\nContent-Type: image/jp2\r\nContent-Location: http://h/x\r\nContent-Length: 5\r\n\r\n",
            Encoding.ASCII.GetString(_writer.CreatePartHead(isFirst: true, "image/jp2", "http://h/x", 5)));
        Assert.Equal(
            "\r\n--b-1\r\nContent-Type: image/jp2\r\nContent-Location: http://h/x\r\n\r\n",
            Encoding.ASCII.GetString(_writer.CreatePartHead(isFirst: false, "image/jp2", "http://h/x", null)));
        Assert.Equal("\r\n--b-1--\r\n", Encoding.ASCII.GetString(_writer.End()));
    }
}
