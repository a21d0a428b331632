using System.Text.RegularExpressions;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The form of a frame that a client gets: by its Accept header, the PACS and the cache.</summary>
public sealed partial class NegotiationWalks : IDisposable
{
    private const string Explicit = "1.2.840.10008.1.2.1";
    private const string Jls = HeldSeries.StoredTransferSyntax;
    private const string Jp2 = "1.2.840.10008.1.2.4.90";
    private const string Frame = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1";
    private const string AsStored = "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*";

    private static readonly HeldSeries Held = new("1.2.1.1", "CT", 3) { Frames = 2 };

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With(Held));

    private readonly ProxyHost _proxy;

    public NegotiationWalks() => _proxy = new(("east", _east.Address));

    /// <summary>How a server reads a list of alternatives when it cannot produce all of them.</summary>
    public enum Reading
    {
        /// <summary>By weight (RFC 9110).</summary>
        ByWeight,

        /// <summary>The first one; 406 if the server cannot produce it.</summary>
        First,

        /// <summary>The last one; 500 if the server cannot produce it (Orthanc 1.10).</summary>
        Last,

        /// <summary>None: a list is a 400.</summary>
        NoLists,
    }

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    [Fact]
    public async Task OffersEveryAcceptableFormToThePacs_InOneRequest()
    {
        Serve(Reading.ByWeight, Jls);

        var reply = await GetAsync("image/jp2, multipart/related; type=\"image/jls\";q=0.5, text/html");

        Assert.Equal(Jls, GetSyntax(reply));
        var accept = Assert.Single(Asked()).Headers["Accept"];
        Assert.Contains($"multipart/related; type=\"image/jp2\"; transfer-syntax={Jp2}", accept);
        Assert.Contains($"multipart/related; type=\"image/jls\"; transfer-syntax={Jls};q=0.9", accept);
        Assert.DoesNotContain("text/html", accept);
    }

    [Theory]
    [InlineData(Reading.ByWeight)]
    [InlineData(Reading.First)]
    [InlineData(Reading.Last)]
    [InlineData(Reading.NoLists)]
    public async Task ServesTheBestForm_WhenThePacsCanProduceIt(Reading reading)
    {
        Serve(reading, Jls, Jp2, Explicit);

        Assert.Equal(Jp2, GetSyntax(await GetAsync("image/jls;q=0.3, image/jp2;q=0.9, application/octet-stream;q=0.1")));
    }

    [Theory]
    [InlineData(Reading.ByWeight)]
    [InlineData(Reading.First)]
    [InlineData(Reading.Last)]
    [InlineData(Reading.NoLists)]
    public async Task ServesTheNextFormColdAndWarm_WhenThePacsCannotProduceTheBest(Reading reading)
    {
        const string Accept = "image/jp2, image/jls;q=0.5";
        Serve(reading, Jls);

        var cold = await GetAsync(Accept);
        var asked = Asked().Count;
        await Until.TrueAsync(async () => (await GetAsync(Accept)).CacheStatus == "Proxy; hit");
        var warm = await GetAsync(Accept);

        Assert.Equal((Jls, "Proxy; fwd=miss; stored"), (GetSyntax(cold), cold.CacheStatus));
        Assert.Equal((Jls, "Proxy; hit"), (GetSyntax(warm), warm.CacheStatus));
        Assert.Equal(cold.Comparable.Body, warm.Comparable.Body);
        Assert.Equal(asked, Asked().Count);
    }

    [Theory]
    [InlineData("")]
    [InlineData("*/*")]
    [InlineData("multipart/related")]
    public async Task ServesExplicitLittleEndianOrElseTheStoredForm_WhenTheClientSendsAWildcard(string accept)
    {
        Serve(Reading.Last, Jls);

        Assert.Equal(Jls, GetSyntax(await GetAsync(accept)));
        // A body ends at its client before the cache has it.
        await Until.TrueAsync(async () => (await GetAsync(accept)).CacheStatus == "Proxy; hit");
        // The proxy does not request a form again that one frame of the series lacked.
        var asked = Asked().Count;
        Assert.Equal(Jls, GetSyntax(await GetAsync(accept, Frame.Replace("frames/1", "frames/2", StringComparison.Ordinal))));
        Assert.Equal(asked + 1, Asked().Count);
    }

    [Fact]
    public async Task ServesExplicitLittleEndianForAWildcard_WhenTheStoredFormIsCached()
    {
        Serve(Reading.Last, Jls, Explicit);
        await GetAsync(AsStored);

        Assert.Equal(Explicit, GetSyntax(await GetAsync("*/*")));
        Assert.Equal(Explicit, GetSyntax(await GetAsync("*/*")));
        Assert.Equal(2, Asked().Count);
    }

    [Fact]
    public async Task FetchesTheBestForm_WhenALesserFormIsCached()
    {
        Serve(Reading.ByWeight, Jls, Jp2);
        await GetAsync(AsStored);

        Assert.Equal(Jp2, GetSyntax(await GetAsync("image/jls;q=0.5, image/jp2")));
    }

    [Fact]
    public async Task ServesACachedLesserForm_WhenThePacsFails()
    {
        Serve(Reading.ByWeight, Jls, Jp2);
        await GetAsync(AsStored);
        _east.Fail(503, "/frames/1");

        Assert.Equal(Jls, GetSyntax(await GetAsync("image/jls;q=0.5, image/jp2")));
    }

    [Theory]
    [InlineData("application/octet-stream, image/jls")]
    [InlineData(
        "multipart/related; type=\"application/octet-stream\"; transfer-syntax=1.2.840.10008.1.2.1, multipart/related; type=\"image/jls\"")]
    [InlineData("image/jp2;q=0.7, image/jls;q=0.7")]
    public async Task PrefersTheStoredForm_WhenTheClientAcceptsIt(string accept)
    {
        Serve(Reading.First, Jls, Jp2, Explicit);
        await GetAsync(AsStored);

        var reply = await GetAsync(accept);

        Assert.Equal((Jls, "Proxy; hit"), (GetSyntax(reply), reply.CacheStatus));
        // The other frames of the series probably have the same stored form, so the proxy offers it first.
        Assert.Equal(Jls, GetSyntax(await GetAsync(accept, Frame.Replace("frames/1", "frames/2", StringComparison.Ordinal))));
    }

    /// <summary>Of equally acceptable images: the stored form, with one request, however the PACS reads a list.</summary>
    [Theory]
    [InlineData("image/*", Reading.ByWeight)]
    [InlineData("image/*", Reading.NoLists)]
    [InlineData("image/jp2, image/jls", Reading.First)]
    [InlineData("image/jls, image/jp2", Reading.Last)]
    [InlineData("image/jp2; transfer-syntax=*, image/jls; transfer-syntax=*, image/jpeg", Reading.First)]
    public async Task ServesTheStoredFormColdAndWarm_WhenImagesAreEquallyAcceptable(string accept, Reading reading)
    {
        Serve(reading, Jls, Jp2, "1.2.840.10008.1.2.4.70", Explicit);

        var cold = await GetAsync(accept);
        await Until.TrueAsync(async () => (await GetAsync(accept)).CacheStatus == "Proxy; hit");

        Assert.Equal((Jls, Jls), (GetSyntax(cold), GetSyntax(await GetAsync(accept))));
        Assert.Single(Asked());
        Assert.Equal(Jls, GetSyntax(await GetAsync(accept, Frame.Replace("frames/1", "frames/2", StringComparison.Ordinal))));
        Assert.Equal(2, Asked().Count);
    }

    [Theory]
    [InlineData("image/jp2", "image/*", Jp2)]
    [InlineData("image/jls; transfer-syntax=*", "image/jls; transfer-syntax=*", Jls)]
    [InlineData("image/jls; transfer-syntax=*", "image/jls", Jls)]
    [InlineData("image/jls", "image/jp2; transfer-syntax=*, image/jls; transfer-syntax=*", Jls)]
    public async Task ServesACachedImage_ThatIsAsAcceptableAsAnother(string first, string accept, string syntax)
    {
        Serve(Reading.ByWeight, Jls, Jp2);
        await GetAsync(first);

        await Until.TrueAsync(async () => (await GetAsync(accept)).CacheStatus == "Proxy; hit");

        Assert.Equal(syntax, GetSyntax(await GetAsync(accept)));
        Assert.Single(Asked());
    }

    [Fact]
    public async Task Returns406_WhenNoPacsCanProduceTheForm()
    {
        Serve(Reading.ByWeight, Jls);

        (await GetAsync("image/jp2, application/octet-stream")).IsProblem(406);
    }

    [Fact]
    public async Task WrapsTheFrame_AsTheChosenAlternativeSays()
    {
        const string Accept = "application/octet-stream, multipart/related; type=\"image/jls\";q=0.5";
        Serve(Reading.ByWeight, Jls);
        Assert.StartsWith("multipart/related", (await GetAsync(Accept))["Content-Type"]);

        await _proxy.SendAsync(HttpMethod.Delete, "/cache", []);
        Serve(Reading.ByWeight, Jls, Explicit);
        Assert.StartsWith("application/octet-stream", (await GetAsync(Accept))["Content-Type"]);
    }

    [Fact]
    public async Task SendsDifferentETags_ForTwoBodiesOfOneRequest()
    {
        const string Accept = "image/jp2, image/jls;q=0.5";
        Serve(Reading.ByWeight, Jls);
        var stored = await GetAsync(Accept);
        await _proxy.SendAsync(HttpMethod.Delete, "/cache", []);
        Serve(Reading.ByWeight, Jls, Jp2);
        var other = await GetAsync(Accept);

        Assert.NotEqual(stored.Body, other.Body);
        Assert.NotEqual(stored["ETag"], other["ETag"]);
        Assert.DoesNotContain("W/", stored["ETag"]);
    }

    [Fact]
    public async Task SendsAWeakETag_ForAMultipartAnswer() =>
        Assert.StartsWith("W/\"", (await GetAsync(AsStored))["ETag"]);

    [Theory]
    [InlineData("?accept=image/jp2", "image/jls", Jp2)]
    [InlineData("?accept=text/html", "image/jls", Jls)]
    [InlineData("?accept=image/jls;q=0.1,image/jp2;q=0.2", "", Jp2)]
    [InlineData("?accept=image%2Fjls", "text/html", Jls)]
    public async Task PrefersTheAcceptParameter_OverTheHeader(string query, string accept, string given)
    {
        Serve(Reading.ByWeight, Jls, Jp2, Explicit);

        Assert.Equal(given, GetSyntax(await GetAsync(accept, Frame + query)));
    }

    [Theory]
    [InlineData("/dicomweb/studies/1.2.1/metadata")]
    [InlineData("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata")]
    [InlineData("/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/metadata")]
    public async Task ReadsAcceptAndCharsetParameters_ForMetadata(string path)
    {
        Assert.Equal(200, (int)(await GetAsync("text/html", path + "?accept=application/dicom%2Bjson")).Status);
        Assert.Equal(200, (int)(await GetAsync("text/html", path + "?accept=application/dicom+json")).Status);
        Assert.Equal(200, (int)(await GetAsync("application/dicom+json", path + "?accept=text/html&charset=UTF-8")).Status);
        (await GetAsync("", path + "?accept=text/html")).IsProblem(406);
        (await GetAsync("", path + "?charset=iso-8859-1")).IsProblem(406, "UTF-8");
        Assert.Equal(200, (int)(await GetAsync("", path + "?charset=iso-8859-1,utf-8;q=0.5")).Status);
        (await GetAsync("application/dicom+json;q=0", path)).IsProblem(406);
        (await GetAsync("application/dicom+json;q=0, */*", path)).IsProblem(406);
    }

    [Theory]
    [InlineData("/dicomweb/studies")]
    [InlineData("/dicomweb/studies/1.2.1/series")]
    public async Task Returns406_WhenASearchDoesNotAcceptDicomJson(string path)
    {
        (await GetAsync("application/dicom+json;q=0", path)).IsProblem(406);
        (await GetAsync("application/dicom+json;q=0, */*;q=0.1", path)).IsProblem(406);
    }

    [Fact]
    public async Task NamesTheResourceOfEachPart()
    {
        var parts = Parts.Read(await GetAsync(AsStored, Frame.Replace("frames/1", "frames/2,1", StringComparison.Ordinal)));

        Assert.Equal(
            [2, 1],
            parts.Select(p => int.Parse(GetLocation(p.Head).Split("/frames/")[1], System.Globalization.CultureInfo.InvariantCulture)));
        Assert.All(
            parts,
            p => Assert.StartsWith(
                $"{_proxy.Address}/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/", GetLocation(p.Head)));
        var location = GetLocation(Assert.Single(Parts.Read(await GetAsync(AsStored))).Head);
        Assert.Equal(_proxy.Address + Frame, location);
        Assert.Equal(200, (int)(await GetAsync(AsStored, location[_proxy.Address.Length..])).Status);
    }

    [Fact]
    public async Task UsesAnUnpredictableBoundary_InEveryAnswer()
    {
        var list = Frame.Replace("frames/1", "frames/1,2", StringComparison.Ordinal);
        var instance = Frame[..Frame.IndexOf("/frames", StringComparison.Ordinal)];
        var ranges = instance + "?accept=application/dicom";
        var boundaries = new HashSet<string>();
        for (var i = 0; i < 2; i++)
        {
            foreach (var path in (string[])[Frame, list, instance, "/dicomweb/studies/1.2.1", ranges])
            {
                var reply = await _proxy.GetAsync(
                    path, ("Accept", path == Frame || path == list ? AsStored : "multipart/related; type=\"application/dicom\""),
                    ("Range", path == ranges ? "bytes=0-1,-2" : "none=0"));
                Assert.Matches("^multipart/.*boundary=part-[0-9a-f]{32}$", reply["Content-Type"]);
                Assert.True(boundaries.Add(reply["Content-Type"].Split("boundary=")[1]));
                // A delimiter in front of each part, and one at the end.
                Assert.True(reply.Text.Split(reply["Content-Type"].Split("boundary=")[1]).Length > 2);
            }
        }
    }

    [Fact]
    public async Task ConsidersSixteenAlternatives()
    {
        Serve(Reading.ByWeight, Jls);
        var many = string.Join(", ", Enumerable.Range(1, 15).Select(i => $"application/octet-stream; transfer-syntax=1.2.{i}"));

        Assert.Equal(Jls, GetSyntax(await GetAsync($"{many}, image/jls")));
        var accept = Asked()[0].Headers["Accept"];
        Assert.Equal(17, accept.Split(", ").Length);
        (await GetAsync(
            $"{many}, application/octet-stream; transfer-syntax=1.2.16, image/jls",
            Frame.Replace("frames/1", "frames/2", StringComparison.Ordinal))).IsProblem(406);
    }

    private static string GetLocation(string head) => LocationLine().Match(head).Groups[1].Value;

    [GeneratedRegex("Content-Location: ([^\r\n]+)")]
    private static partial Regex LocationLine();

    /// <summary>The transfer syntax of a body, detected from its bytes.</summary>
    private static string GetSyntax(Reply reply)
    {
        Assert.True((int)reply.Status == 200, $"{reply.Status}: {reply.Text}");
        var body = reply["Content-Type"].StartsWith("multipart/", StringComparison.Ordinal)
            ? Assert.Single(Parts.Read(reply)).Body
            : reply.Body;
        return new[] { Jls, Jp2, Explicit }.Single(
            syntax => Enumerable.Range(1, 2).Any(frame => Held.GetFrame("1.2.1.1.1", frame, syntax).AsSpan().SequenceEqual(body)));
    }

    private Task<Reply> GetAsync(string accept, string path = Frame) =>
        _proxy.GetAsync(path, accept.Length > 0 ? [("Accept", accept)] : []);

    private List<PacsRequest> Asked() => [.. _east.Requests.Where(r => r.Path.Contains("/frames/", StringComparison.Ordinal))];

    /// <summary>The PACS now serves frames in these transfer syntaxes; the first one is the stored one.</summary>
    private void Serve(Reading reading, params string[] syntaxes)
    {
        foreach (var frame in (int[])[1, 2])
            _east.On($"1.2.1.1.1/frames/{frame}", request => Answer(request.Headers.GetValueOrDefault("Accept", ""), frame));

        PacsAnswer Answer(string accept, int frame)
        {
            var alternatives = accept.Split(", ").Select(a => (Syntax: SyntaxOfAlternative(a), Weight: WeightOf(a))).ToList();
            var (wanted, refusal) = reading switch
            {
                Reading.ByWeight => (
                    alternatives.OrderByDescending(a => a.Weight).FirstOrDefault(a => syntaxes.Contains(a.Syntax)).Syntax, 406),
                Reading.First => (alternatives[0].Syntax, 406),
                Reading.Last => (alternatives[^1].Syntax, 500),
                _ => (alternatives.Count == 1 ? alternatives[0].Syntax : null, 400),
            };
            if (wanted is null || !syntaxes.Contains(wanted)) return PacsAnswer.Text(refusal, "text/plain", "no");
            var type = wanted switch { Jls => "image/jls", Jp2 => "image/jp2", _ => "application/octet-stream" };
            return Archive.Multipart($"{type}; transfer-syntax={wanted}", Held.GetFrame("1.2.1.1.1", frame, wanted));
        }

        string? SyntaxOfAlternative(string alternative) =>
            alternative.Split("transfer-syntax=").ElementAtOrDefault(1)?.Split(';')[0] is "*"
                ? syntaxes[0]
                : alternative.Split("transfer-syntax=").ElementAtOrDefault(1)?.Split(';')[0];

        static double WeightOf(string alternative) =>
            alternative.Split(";q=").ElementAtOrDefault(1) is { } q
                ? double.Parse(q, System.Globalization.CultureInfo.InvariantCulture)
                : 1;
    }
}
