using System.Text;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Renderings that the PACS makes: for frames that the proxy cannot decode, or by setting.</summary>
public sealed class RemoteRenderingWalks
{
    private const string Instance = "/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1";
    private const string Rendered = "/dicomweb" + Instance + "/rendered";

    /// <summary>The bytes of a JPEG as far as anybody looks at them.</summary>
    private static readonly byte[] Jpeg = [0xFF, 0xD8, 0xFF, 0xE0, .. Pixels.Create("jpeg", 2000), 0xFF, 0xD9];

    /// <summary>A PACS whose frames are random bytes in the transfer syntax JPEG-LS.</summary>
    private static WireMockPacs CreateBroken()
    {
        var pacs = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.1", "CT"));
        pacs.On("/metadata", r => GreyImages.AddPixels(pacs.Archive.Answer(r.Path, r.Query, "application/dicom+json")));
        return pacs;
    }

    [Fact]
    public async Task ThePacsRendersAFrameThatCannotBeDecoded()
    {
        using var east = CreateBroken();
        east.Respond(new PacsAnswer(200, "image/jpeg", Jpeg), "/rendered");
        await using var proxy = new ProxyHost(("east", east.Address));

        var cold = await proxy.GetAsync(Rendered + "?viewport=100,100&window=40,400,linear", ("Accept", "image/jpeg"));
        var warm = await proxy.GetAsync(Rendered + "?window=40,400,linear&viewport=100%2C100", ("Accept", "image/*"));

        Assert.True((int)cold.Status == 200, cold.Text);
        Assert.Equal(Jpeg, cold.Body);
        Assert.Equal("Proxy; hit", warm.CacheStatus);
        var request = Assert.Single(east.Requests, r => r.Path.EndsWith("/rendered", StringComparison.Ordinal));
        Assert.Equal("?window=40,400,linear&viewport=100,100", request.Query);
        Assert.Equal("image/jpeg", request.Headers["Accept"]);
        Assert.EndsWith("/frames/1/rendered", request.Path);
    }

    [Theory]
    [InlineData(404, "text/plain")]
    [InlineData(500, "text/plain")]
    [InlineData(406, "text/plain")]
    [InlineData(200, "text/html")]
    [InlineData(200, "image/svg+xml")]
    [InlineData(200, "image/jpeg")]
    [InlineData(200, "image/png")]
    public async Task Returns406WithTheReason_WhenThePacsRendersNothing(int status, string type)
    {
        using var east = CreateBroken();
        east.Respond(PacsAnswer.Text(status, type, "<html><script>alert(1)</script></html>"), "/rendered");
        await using var proxy = new ProxyHost(("east", east.Address));

        var reply = await proxy.GetAsync(Rendered, ("Accept", "image/jpeg"));

        reply.IsProblem(406, names: "cannot be rendered");
        Assert.DoesNotContain("script", reply.Text);
        Assert.Equal(200, (int)(await proxy.GetAsync("/dicomweb/studies")).Status);
    }

    /// <summary>A rendering is bounded, and a truncated one is never sent.</summary>
    [Theory]
    [InlineData("Content-Length: 999999999999\r\n")]
    [InlineData("Transfer-Encoding: chunked\r\n")]
    [InlineData("Connection: close\r\n")]
    [InlineData("Content-Length: 3000\r\n")]
    public async Task RefusesALyingOrEndlessRendering(string header)
    {
        using var east = new RawPacs(new HeldStudy("1.2.1").With("1.2.1.1", "CT"));
        east.On("/metadata", connection => SendAsync(
            connection, GreyImages.AddPixels(east.Archive.Answer("studies/1.2.1/series/1.2.1.1/metadata", "", ""))));
        east.On("/rendered", async connection =>
        {
            await connection.SendAsync($"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n{header}\r\n");
            if (!header.StartsWith("Transfer", StringComparison.Ordinal))
            {
                await connection.SendAsync(Jpeg[..^2]);
                connection.Close();
                return;
            }
            var piece = Encoding.ASCII.GetBytes("100000\r\n").Concat(new byte[0x100000]).Concat("\r\n"u8.ToArray()).ToArray();
            Jpeg.CopyTo(piece, 8);
            while (true) await connection.SendAsync(piece);
        });
        await using var proxy = new ProxyHost(("east", east.Address));

        (await proxy.GetAsync(Rendered, ("Accept", "image/jpeg"))).IsProblem(406, names: "cannot be rendered");
    }

    [Fact]
    public async Task ThePacsRendersFirst_WhenTheSettingsSayBackend()
    {
        using var east = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 2)).WithGreyImages();
        east.On("1.2.1.1.1/frames/1/rendered", _ => new PacsAnswer(200, "image/jpeg", Jpeg));
        await using var proxy = new ProxyHost(("east", east.Address)) { ["Retrieve:Rendering"] = "Backend" };

        var ofPacs = await proxy.GetAsync(Rendered);
        var own = await proxy.GetAsync(Rendered.Replace("1.2.1.1.1/", "1.2.1.1.2/", StringComparison.Ordinal));

        Assert.Equal(Jpeg, ofPacs.Body);
        Assert.True((int)own.Status == 200, own.Text);
        Assert.Equal(1, east.Count("/frames/1"));
    }

    [Fact]
    public async Task AReportIsTextOfThePacs_AndNeverAPage()
    {
        using var east = new WireMockPacs(new HeldStudy("1.2.1").With(new HeldSeries("1.2.1.1", "SR", 1) { HasPixels = false }));
        await using var proxy = new ProxyHost(("east", east.Address));

        (await proxy.GetAsync(Rendered)).IsProblem(406, names: "east");
        (await proxy.GetAsync(Rendered, ("Accept", "text/html"))).IsProblem(406);
        (await proxy.GetAsync(Rendered, ("Accept", "image/jpeg"))).IsProblem(406);

        using var west = new WireMockPacs(new HeldStudy("1.2.1").With(new HeldSeries("1.2.1.1", "SR", 1) { HasPixels = false }));
        west.On("/rendered", r => PacsAnswer.Text(200, r.Headers["Accept"], r.Headers["Accept"] == "text/plain" ? "Report" : "<html>"));
        await using var other = new ProxyHost(("west", west.Address));
        var text = await other.GetAsync(Rendered, ("Accept", "text/html, text/plain;q=0.5"));

        Assert.Equal("Report", text.Text);
        Assert.Equal("text/plain", text["Content-Type"]);
        Assert.Equal("attachment", text["Content-Disposition"]);
    }

    private static async Task SendAsync(RawConnection connection, PacsAnswer answer)
    {
        await connection.SendAsync(
            $"HTTP/1.1 {answer.Status} OK\r\nContent-Type: {answer.ContentType}\r\nContent-Length: {answer.Body.Length}\r\n\r\n");
        await connection.SendAsync(answer.Body);
    }
}
