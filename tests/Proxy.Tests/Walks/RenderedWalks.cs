using System.Text;
using Proxy.Tests.Pacs;
using SkiaSharp;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Rendered instances, frames, series and studies (PS3.18 §10.4.1.1.3).</summary>
public sealed class RenderedWalks
{
    private const string Instance = "/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1";
    private const string Rendered = "/dicomweb" + Instance + "/rendered";

    private static WireMockPacs CreatePacs(int instances = 1, int frames = 1) =>
        new WireMockPacs(new HeldStudy("1.2.1").With(new HeldSeries("1.2.1.1", "CT", instances) { Frames = frames })).WithGreyImages();

    private static SKBitmap Decode(Reply reply) => SKBitmap.Decode(reply.Body) ?? throw new InvalidDataException("no picture");

    [Theory]
    [InlineData("/dicomweb")]
    [InlineData("/backends/east/dicomweb")]
    public async Task RendersAnInstance_AndKeepsThePicture(string root)
    {
        using var east = CreatePacs();
        await using var proxy = new ProxyHost(("east", east.Address));

        var cold = await proxy.GetAsync(root + Instance + "/rendered");
        var asked = east.Requests.Count;
        var warm = await proxy.GetAsync(root + Instance + "/rendered");
        var ofFrame = await proxy.GetAsync(root + Instance + "/frames/1/rendered");
        var known = await proxy.GetAsync(root + Instance + "/rendered", ("If-None-Match", warm["ETag"]));
        var head = await proxy.SendAsync(HttpMethod.Head, root + Instance + "/rendered", []);

        Assert.True((int)cold.Status == 200, cold.Text);
        Assert.Equal("image/jpeg", cold["Content-Type"]);
        Assert.Equal("Proxy; fwd=miss; stored", cold.CacheStatus);
        Assert.Equal("Accept", cold["Vary"]);
        Assert.Equal("inline", cold["Content-Disposition"]);
        Assert.Equal("sandbox", cold["Content-Security-Policy"]);
        Assert.Equal("nosniff", cold["X-Content-Type-Options"]);
        using var picture = Decode(cold);
        Assert.Equal((GreyImages.Side, GreyImages.Side), (picture.Width, picture.Height));
        Assert.InRange(picture.GetPixel(2, 32).Red, 0, 12);
        Assert.InRange(picture.GetPixel(32, 32).Red, 122, 134);
        Assert.InRange(picture.GetPixel(61, 32).Red, 240, 255);

        Assert.Equal("Proxy; hit", warm.CacheStatus);
        Assert.Equal(cold.Body, warm.Body);
        Assert.Equal(cold["ETag"], warm["ETag"]);
        Assert.NotEmpty(warm["ETag"]);
        Assert.NotEmpty(warm["Age"]);
        Assert.Equal(cold.Body, ofFrame.Body);
        Assert.Equal("Proxy; hit", ofFrame.CacheStatus);
        Assert.Equal(304, (int)known.Status);
        Assert.Equal(200, (int)head.Status);
        Assert.Empty(head.Body);
        Assert.Equal(warm["Content-Length"], head["Content-Length"]);
        Assert.Equal(asked, east.Requests.Count);
        Assert.Equal(0, east.Count("/rendered"));
    }

    [Fact]
    public async Task MakesThePictureAgain_WhenThePacsCorrectsTheWindow()
    {
        using var east = CreatePacs();
        await using var proxy = new ProxyHost(("east", east.Address));
        var before = await proxy.GetAsync(Rendered);
        east.On("/metadata", request =>
        {
            var answer = GreyImages.AddPixels(east.Archive.Answer(request.Path, request.Query, "application/dicom+json"));
            return answer with { Body = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(answer.Body).Replace("[1024]", "[100]")) };
        });
        await proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata", ("Cache-Control", "no-cache"));

        var after = await proxy.GetAsync(Rendered, ("If-None-Match", before["ETag"]));

        Assert.Equal(200, (int)after.Status);
        Assert.NotEqual(before.Body, after.Body);
    }

    [Theory]
    [InlineData("image/png", "image/png")]
    [InlineData("image/gif", "image/gif")]
    [InlineData("image/avif,image/webp,image/apng,image/*,*/*;q=0.8", "image/jpeg")]
    [InlineData("*/*", "image/jpeg")]
    [InlineData("text/html, image/png;q=0.9", "image/png")]
    public async Task RendersInTheAcceptedType(string accept, string type)
    {
        using var east = CreatePacs();
        await using var proxy = new ProxyHost(("east", east.Address));

        var reply = await proxy.GetAsync(Rendered, ("Accept", accept));

        Assert.Equal(type, reply["Content-Type"]);
        using var picture = Decode(reply);
        Assert.Equal(GreyImages.Side, picture.Width);
    }

    [Fact]
    public async Task RendersAsAsked()
    {
        using var east = CreatePacs();
        await using var proxy = new ProxyHost(("east", east.Address));

        using var plain = Decode(await proxy.GetAsync(Rendered + "?accept=image/png"));
        using var wide = Decode(await proxy.GetAsync(Rendered + "?accept=image/png&window=512,4096,linear"));
        using var large = Decode(await proxy.GetAsync(Rendered + "?viewport=256%2C256"));
        using var narrow = Decode(await proxy.GetAsync(Rendered + "?viewport=32,200"));
        using var flipped = Decode(await proxy.GetAsync(Rendered + "?accept=image/png&viewport=64,64,0,0,-64,64"));
        var fine = await proxy.GetAsync(Rendered + "?quality=100");
        var coarse = await proxy.GetAsync(Rendered + "?quality=1");

        Assert.InRange(plain.GetPixel(5, 5).Red, 10, 40);
        Assert.InRange(wide.GetPixel(5, 5).Red, 90, 128);
        Assert.Equal((256, 256), (large.Width, large.Height));
        Assert.Equal((32, 32), (narrow.Width, narrow.Height));
        Assert.Equal(plain.GetPixel(5, 5), flipped.GetPixel(58, 5));
        Assert.True(coarse.Body.Length < fine.Body.Length);
        Assert.Equal(1, east.Count("/frames/1"));
    }

    [Fact]
    public async Task RefusesARegionOutsideTheFrame()
    {
        using var east = CreatePacs();
        await using var proxy = new ProxyHost(("east", east.Address));

        (await proxy.GetAsync(Rendered + "?viewport=16,16,64,0,8,8")).IsProblem(400, names: "viewport");
        Assert.Equal(0, east.Count("/frames/1"));
    }

    [Theory]
    [InlineData("?quality=0", "quality")]
    [InlineData("?quality=101", "quality")]
    [InlineData("?viewport=0,0", "viewport")]
    [InlineData("?viewport=100000,100000", "viewport")]
    [InlineData("?window=1,2", "window")]
    [InlineData("?annotation=patient", "annotation")]
    [InlineData("?iccprofile=rommrgb", "iccprofile")]
    [InlineData("?window=1,2,linear&window=1,2,linear", "window")]
    public async Task RefusesAParameterByName_AtEveryLevel(string query, string parameter)
    {
        using var east = CreatePacs();
        await using var proxy = new ProxyHost(("east", east.Address));

        foreach (var path in (string[])["/studies/1.2.1", "/studies/1.2.1/series/1.2.1.1", Instance, Instance + "/frames/1"])
        {
            foreach (var kind in (string[])["/rendered", "/thumbnail"])
            {
                var reply = await proxy.GetAsync("/dicomweb" + path + kind + query);
                reply.IsProblem(400, names: parameter);
                Assert.Equal(parameter, (string)reply.Json["parameter"]!);
            }
        }
        Assert.Empty(east.Requests);
    }

    [Fact]
    public async Task RendersSeveralFrames_AsParts()
    {
        using var east = CreatePacs(frames: 5);
        await using var proxy = new ProxyHost(("east", east.Address));

        var two = await proxy.GetAsync($"/dicomweb{Instance}/frames/2,4/rendered");
        var all = await proxy.GetAsync(Rendered, ("Accept", "multipart/related; type=\"image/png\""));
        var first = await proxy.GetAsync(Rendered);
        var animation = await proxy.GetAsync(Rendered, ("Accept", "image/gif"));

        Assert.StartsWith("multipart/related; type=\"image/jpeg\"", two["Content-Type"]);
        var parts = Parts.Read(two);
        Assert.Equal(2, parts.Count);
        Assert.Contains($"Content-Location: {proxy.Address}/dicomweb{Instance}/frames/4/rendered", parts[1].Head);
        Assert.Contains("Content-Type: image/jpeg", parts[1].Head);
        using var picture = SKBitmap.Decode(parts[1].Body);
        Assert.Equal(GreyImages.Side, picture.Width);
        Assert.Equal(5, Parts.Read(all).Count);
        Assert.Equal("image/jpeg", first["Content-Type"]);
        Assert.Equal("image/gif", animation["Content-Type"]);
        using var codec = SKCodec.Create(new MemoryStream(animation.Body));
        Assert.Equal(5, codec.FrameCount);
        (await proxy.GetAsync($"/dicomweb{Instance}/frames/2,6/rendered")).IsProblem(404);
        (await proxy.GetAsync($"/dicomweb{Instance}/frames/6/rendered")).IsProblem(404);
        (await proxy.GetAsync($"/dicomweb{Instance}/frames/0/rendered")).IsProblem(400, names: "frames");
        (await proxy.GetAsync($"/dicomweb{Instance}/frames/1,2/rendered", ("Accept", "image/jpeg"))).IsProblem(406, names: "multipart");
    }

    [Fact]
    public async Task RendersAStudyOfTwoPacs_EachSeriesFromItsOwner()
    {
        using var east = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 3)
            .With(new HeldSeries("1.2.1.3", "SR", 1) { HasPixels = false })).WithGreyImages();
        using var west = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.2", "MR", 2)).WithGreyImages();
        await using var proxy = new ProxyHost(("east", east.Address), ("west", west.Address));

        var study = await proxy.GetAsync("/dicomweb/studies/1.2.1/rendered");
        var series = await proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.2/rendered?viewport=16,16");
        var one = await proxy.GetAsync("/backends/west/dicomweb/studies/1.2.1/rendered", ("Accept", "multipart/related;type=image/png"));

        Assert.Equal(5, Parts.Read(study).Count);
        Assert.Equal(2, Parts.Read(series).Count);
        Assert.Equal(2, Parts.Read(one).Count);
        (await proxy.GetAsync("/dicomweb/studies/1.2.1/rendered", ("Accept", "image/jpeg"))).IsProblem(406, names: "multipart/related");
        (await proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.3/rendered")).IsProblem(406);
        (await proxy.GetAsync("/dicomweb/studies/1.2.9/rendered")).IsProblem(404);
    }

    /// <summary>Many clients that ask for one picture cause one request for its frame.</summary>
    [Fact]
    public async Task MakesAPictureOnce_ForAllClientsThatWait()
    {
        using var east = CreatePacs();
        await using var proxy = new ProxyHost(("east", east.Address));
        await proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata");
        var gate = east.Hang("/frames/1");

        var clients = Enumerable.Range(0, 5).Select(_ => proxy.GetAsync(Rendered)).ToList();
        await Until.TrueAsync(() => gate.Arrived == 1 && proxy.Arrived == 6, "five clients and one request");
        gate.Open();
        var replies = await Task.WhenAll(clients);

        Assert.All(replies, reply => Assert.Equal(replies[0].Body, reply.Body));
        Assert.Equal(1, east.Count("/frames/1"));
    }

    [Fact]
    public async Task APurgeRemovesThePictures()
    {
        using var east = CreatePacs();
        await using var proxy = new ProxyHost(("east", east.Address));
        await proxy.GetAsync(Rendered);
        await proxy.GetAsync(Rendered + "?window=1,2,linear");

        await proxy.SendAsync(HttpMethod.Delete, "/cache/studies/1.2.1", []);

        Assert.Equal(0, (int)(await proxy.GetAsync("/cache")).Json["memory"]!["entries"]!);
        Assert.Equal("Proxy; fwd=miss; stored", (await proxy.GetAsync(Rendered)).CacheStatus);
        Assert.Equal(2, east.Count("/frames/1"));
    }

    /// <summary>A scroll through windows leaves few pictures, and none on disk.</summary>
    [Fact]
    public async Task AScrollThroughWindowsKeepsFewPictures()
    {
        using var east = CreatePacs();
        await using var proxy = new ProxyHost(("east", east.Address));
        proxy["Cache:Disk:Path"] = Path.Combine(proxy.Root, "kept");
        await proxy.GetAsync(Rendered);
        var before = (int)(await proxy.GetAsync("/cache")).Json["memory"]!["entries"]!;

        for (var window = 1; window <= 100; window++) await proxy.GetAsync($"{Rendered}?viewport=16,16&window=512,{window},linear");
        var cache = (await proxy.GetAsync("/cache")).Json;

        Assert.InRange((int)cache["memory"]!["entries"]!, before, before + 9);
        Assert.InRange((int)cache["disk"]!["entries"]!, 0, 3);
        Assert.Equal(1, east.Count("/frames/1"));
    }

    [Fact]
    public async Task APictureInAListOpensNoStudy()
    {
        using var east = CreatePacs(instances: 3);
        await using var proxy = new ProxyHost(("east", east.Address)) { ["Prefetch:SeriesReadAhead"] = "true" };

        foreach (var path in (string[])["/studies/1.2.1/thumbnail", Instance + "/rendered", "/studies/1.2.1/series/1.2.1.1/thumbnail"])
            Assert.Equal(200, (int)(await proxy.GetAsync("/dicomweb" + path)).Status);
        var jobs = await proxy.GetAsync("/prefetch");

        Assert.DoesNotContain("read-ahead", jobs.Text);
    }

    [Theory]
    [InlineData(404, 404)]
    [InlineData(500, 502)]
    public async Task SaysWhyThereIsNoPicture_WhenThePacsGivesNoFrame(int ofPacs, int status)
    {
        using var east = CreatePacs();
        east.Fail(ofPacs, "/frames/1");
        if (status == 502) east.Fail(ofPacs, "/studies");
        await using var proxy = new ProxyHost(("east", east.Address));

        Assert.InRange((int)(await proxy.GetAsync(Rendered)).Status, Math.Min(status, 404), status);
    }

    [Fact]
    public async Task RendersTheDocument_WithoutItsPadding()
    {
        var document = Encoding.ASCII.GetBytes("%PDF-1.4\n" + new string('x', 668) + "\n%%E");
        using var east = new WireMockPacs(
            new HeldStudy("1.2.1").With(new HeldSeries("1.2.1.1", "DOC", 1) { HasPixels = false }));
        east.On("/metadata", request => Pdf(east, request));
        east.On("/bulk/00420011", _ => Archive.Multipart("application/octet-stream", [.. document, 0]));
        await using var proxy = new ProxyHost(("east", east.Address));

        foreach (var accept in (string[])["*/*", "application/pdf", "image/avif,image/*,*/*;q=0.8"])
        {
            var reply = await proxy.GetAsync(Rendered, ("Accept", accept));
            Assert.True((int)reply.Status == 200, reply.Text);
            Assert.Equal("application/pdf", reply["Content-Type"]);
            // A browser shows the document in its own viewer, also on a page that is isolated.
            Assert.Equal(
                ("default-src 'none'", "inline", "require-corp"),
                (reply["Content-Security-Policy"], reply["Content-Disposition"], reply["Cross-Origin-Embedder-Policy"]));
            Assert.Equal(document, reply.Body);
        }
        (await proxy.GetAsync(Rendered, ("Accept", "image/jpeg"))).IsProblem(406, names: "application/pdf");
        Assert.Equal(206, (int)(await proxy.GetAsync(Rendered, ("Range", "bytes=0-4"))).Status);
        Assert.Equal(document, Parts.Read(
            await proxy.GetAsync("/dicomweb/studies/1.2.1/rendered", ("Accept", "multipart/related; type=\"application/pdf\"")))[0].Body);
    }

    [Fact]
    public async Task SendsTheStoredVideo()
    {
        byte[] video = [0, 0, 0, 24, .. "ftypmp42"u8, .. Pixels.Create("video", 3000)];
        const string Mp4 = "1.2.840.10008.1.2.4.102";
        using var east = new WireMockPacs(new HeldStudy("1.2.1").With(
            new HeldSeries("1.2.1.1", "XC", 1) { Frames = 100, AvailableTransferSyntax = Mp4 }));
        east.On("/frames/1", _ => Archive.Multipart($"video/mp4; transfer-syntax={Mp4}", video));
        await using var proxy = new ProxyHost(("east", east.Address));

        foreach (var accept in (string[])["*/*", "video/mp4", "video/*"])
        {
            var reply = await proxy.GetAsync(Rendered, ("Accept", accept));
            Assert.True((int)reply.Status == 200, reply.Text);
            Assert.Equal("video/mp4", reply["Content-Type"]);
            Assert.Equal(video, reply.Body);
        }
        Assert.Equal(206, (int)(await proxy.GetAsync(Rendered, ("Range", "bytes=0-9"))).Status);
        (await proxy.GetAsync(Rendered, ("Accept", "image/jpeg"))).IsProblem(406, names: "video");
        Assert.Equal("image/jpeg", (await proxy.GetAsync($"/dicomweb{Instance}/thumbnail"))["Content-Type"]);
        Assert.Equal(1, east.Count("/frames/1"));
    }

    private static PacsAnswer Pdf(WireMockPacs pacs, PacsRequest request)
    {
        var answer = pacs.Archive.Answer(request.Path, request.Query, "application/dicom+json");
        var text = Encoding.UTF8.GetString(answer.Body).Replace(
            "1.2.840.10008.5.1.4.1.1.2\"", "1.2.840.10008.5.1.4.1.1.104.1\"", StringComparison.Ordinal);
        var link = $"\"00420011\":{{\"vr\":\"OB\",\"BulkDataURI\":\"{pacs.Address}{Instance}/bulk/00420011\"}}";
        return answer with { Body = Encoding.UTF8.GetBytes($"{text[..^2]},{link}}}]") };
    }
}
