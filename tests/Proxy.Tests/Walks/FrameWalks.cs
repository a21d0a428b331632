using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The forms in which a client requests frames, and the cache entries they share.</summary>
public sealed class FrameWalks(FrameWalks.OnePacs fixture) : IClassFixture<FrameWalks.OnePacs>
{
    private const string AsStored = "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*";

    private const string ExplicitLittleEndian = "1.2.840.10008.1.2.1";

    private static readonly HeldSeries Held = new("1.2.1.1", "US", 1000) { Frames = 5 };

    private static int _instances;

    private readonly WireMockPacs _east = fixture.East;

    private readonly ProxyHost _proxy = fixture.Proxy;

    /// <summary>An instance that no other test requests.</summary>
    private readonly string _uid = $"1.2.1.1.{Interlocked.Increment(ref _instances)}";

    /// <summary>One proxy for all forms.</summary>
    public sealed class OnePacs : IAsyncDisposable
    {
        public OnePacs() => Proxy = new(("east", East.Address));

        public WireMockPacs East { get; } = new(new HeldStudy("1.2.1").With(Held));

        public ProxyHost Proxy { get; }

        public async ValueTask DisposeAsync()
        {
            await Proxy.DisposeAsync();
            East.Dispose();
        }
    }

    [Fact]
    public async Task ServesOneFrameAsOnePart_AsStored()
    {
        var reply = await GetAsync("1", AsStored);

        var (head, body) = Assert.Single(Parts.Read(reply));
        Assert.Equal(Held.GetFrame(_uid, 1), body);
        Assert.Contains($"Content-Type: application/octet-stream; transfer-syntax={HeldSeries.StoredTransferSyntax}", head);
        Assert.Equal(reply.Body.Length.ToString(System.Globalization.CultureInfo.InvariantCulture), reply["Content-Length"]);
        Assert.Equal("Proxy; fwd=miss; stored", reply.CacheStatus);
        Assert.Equal("private, no-cache", reply["Cache-Control"]);
        Assert.Equal("Accept, Accept-Encoding", reply["Vary"]);
        Assert.Contains("backend;dur=", reply["Server-Timing"]);
    }

    [Fact]
    public async Task ServesAListAsParts_InItsOrder()
    {
        var reply = await GetAsync("3,1,5", AsStored);

        Assert.Equal([3, 1, 5], Parts.Read(reply).Select(p => FrameNumber(p.Body)));
        Assert.Equal("Proxy; hit", (await GetAsync("5", AsStored)).CacheStatus);
        Assert.Equal(
            ["frames/1", "frames/3", "frames/5"],
            _east.Requests.Select(r => r.Path.Split($"/{_uid}/")).Where(p => p.Length > 1).Select(p => p[1]).Order());
    }

    [Theory]
    [InlineData("application/octet-stream; transfer-syntax=*")]
    [InlineData("application/octet-stream;transfer-syntax=\"*\"")]
    public async Task ServesOneFrameWithoutMultipart_WhenASingleTypeIsAccepted(string accept)
    {
        var reply = await GetAsync("2", accept);

        Assert.Equal(Held.GetFrame(_uid, 2), reply.Body);
        Assert.Equal($"application/octet-stream; transfer-syntax={HeldSeries.StoredTransferSyntax}", reply["Content-Type"]);
        (await GetAsync("1,2", accept)).IsProblem(406);
    }

    [Fact]
    public async Task SharesOneEntry_ForEverySpellingOfAsStored()
    {
        string[] ways =
        [
            AsStored, "multipart/related; type=application/octet-stream; transfer-syntax=*",
            "multipart/related; type=\"application/octet-stream\"; transfer-syntax=\"*\"",
            "multipart/related;transfer-syntax=*;type=application/octet-stream",
            "multipart/related; type=\"application/octet-stream; transfer-syntax=*\"", "application/octet-stream; transfer-syntax=*",
            "Multipart/Related; Type=\"application/octet-stream\"; Transfer-Syntax=*, text/html;q=0.1",
        ];

        foreach (var way in ways) Assert.Equal(200, (int)(await GetAsync("1", way)).Status);

        Assert.Equal(1, _east.Count($"{_uid}/frames/1"));
    }

    [Fact]
    public async Task ServesTheEntryAsStored_OnlyForItsTransferSyntax()
    {
        await GetAsync("1", AsStored);

        var same = await GetAsync(
            "1", $"multipart/related; type=\"application/octet-stream\"; transfer-syntax={HeldSeries.StoredTransferSyntax}");
        var sameByItsType = await GetAsync(
            "1", $"multipart/related; type=\"image/jls\"; transfer-syntax={HeldSeries.StoredTransferSyntax}");
        var other = await GetAsync("1", $"multipart/related; type=\"application/octet-stream\"; transfer-syntax={ExplicitLittleEndian}");

        Assert.Equal("Proxy; hit", same.CacheStatus);
        Assert.Equal("Proxy; hit", sameByItsType.CacheStatus);
        Assert.Equal(Held.GetFrame(_uid, 1), Parts.Read(same)[0].Body);
        Assert.Equal("Proxy; fwd=miss; stored", other.CacheStatus);
        Assert.Equal(Held.GetFrame(_uid, 1, ExplicitLittleEndian), Parts.Read(other)[0].Body);
        Assert.Equal(2, _east.Count($"{_uid}/frames/1"));
    }

    [Fact]
    public async Task DoesNotServeAnExplicitEntry_WhenTheStoredFormIsRequested()
    {
        await GetAsync("1", $"multipart/related; type=\"application/octet-stream\"; transfer-syntax={ExplicitLittleEndian}");

        Assert.Equal(Held.GetFrame(_uid, 1), Parts.Read(await GetAsync("1", AsStored))[0].Body);
    }

    [Theory]
    [InlineData("")]
    [InlineData("*/*")]
    [InlineData("multipart/related")]
    [InlineData("multipart/related; type=\"application/octet-stream\"")]
    public async Task ServesExplicitLittleEndian_WhenNoTransferSyntaxIsNamed(string accept)
    {
        var (head, body) = Assert.Single(Parts.Read(await GetAsync("1", accept)));

        Assert.Contains($"transfer-syntax={ExplicitLittleEndian}", head);
        Assert.Equal(Held.GetFrame(_uid, 1, ExplicitLittleEndian), body);
    }

    [Theory]
    [InlineData("image/jpeg", "1.2.840.10008.1.2.4.70")]
    [InlineData("image/jls", "1.2.840.10008.1.2.4.80")]
    [InlineData("image/jp2", "1.2.840.10008.1.2.4.90")]
    [InlineData("image/jphc", "1.2.840.10008.1.2.4.201")]
    [InlineData("image/dicom-rle", "1.2.840.10008.1.2.5")]
    public async Task RequestsTheDefaultTransferSyntax_OfACompressedType(string type, string transferSyntax)
    {
        var (head, body) = Assert.Single(Parts.Read(await GetAsync("1", $"multipart/related; type=\"{type}\"")));

        Assert.Contains($"Content-Type: {type}; transfer-syntax={transferSyntax}", head);
        Assert.Equal(Held.GetFrame(_uid, 1, transferSyntax), body);
    }

    [Fact]
    public async Task RequestsTheTypeWithTheHighestWeight()
    {
        var reply = await GetAsync("1", "multipart/related; type=\"image/jls\";q=0.3, multipart/related; type=\"image/jp2\";q=0.9");

        Assert.Contains("Content-Type: image/jp2", Assert.Single(Parts.Read(reply)).Head);
    }

    [Theory]
    [InlineData("text/html")]
    [InlineData("image/png")]
    [InlineData("application/dicom+json")]
    [InlineData("multipart/related; type=\"application/octet-stream\"; transfer-syntax=nonsense")]
    public async Task Returns406_WhenNoAcceptedTypeIsSupported(string accept)
    {
        (await GetAsync("1", accept)).IsProblem(406);
        Assert.Equal(0, _east.Count($"{_uid}/frames/1"));
    }

    [Fact]
    public async Task Returns404_WhenThePacsAnswers400ForAFramePastTheEnd() => (await GetAsync("99", AsStored)).IsProblem(404);

    [Theory]
    [InlineData("/dicomweb/studies/1.2.9/series/1.2.9.1/instances/1.2.9.1.1/frames/1")]
    [InlineData("/dicomweb/studies/1.2.1/series/1.2.1.9/instances/1.2.1.9.1/frames/1")]
    [InlineData("/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.9999/frames/1")]
    public async Task Returns404_WhenNoPacsHoldsTheInstance(string path) =>
        (await _proxy.GetAsync(path, ("Accept", AsStored))).IsProblem(404);

    [Fact]
    public async Task Returns304_WhenTheClientHasTheFrameInThisForm()
    {
        var multipart = await GetAsync("1", AsStored);
        var single = await GetAsync("1", "application/octet-stream; transfer-syntax=*");

        Assert.NotEqual(multipart["ETag"], single["ETag"]);
        var again = await _proxy.GetAsync(GetPath("1"), ("Accept", AsStored), ("If-None-Match", multipart["ETag"]));
        Assert.Equal(304, (int)again.Status);
        Assert.Empty(again.Body);
    }

    [Fact]
    public async Task ServesACachedFrame_WhenThePacsFails()
    {
        var first = await GetAsync("1", AsStored);
        _east.Fail(500, $"{_uid}/frames/1");

        var cached = await GetAsync("1", AsStored);

        Assert.Equal("Proxy; hit", cached.CacheStatus);
        Assert.Equal(first.Comparable.Body, cached.Comparable.Body);
    }

    [Fact]
    public async Task Returns406_WhenThePacsSendsAnotherTransferSyntax()
    {
        _east.Respond(Archive.Multipart(
            $"application/octet-stream; transfer-syntax={HeldSeries.StoredTransferSyntax}",
            Pixels.In(HeldSeries.StoredTransferSyntax, "other", 500)), $"{_uid}/frames/1");

        (await GetAsync("1", $"multipart/related; type=\"application/octet-stream\"; transfer-syntax={ExplicitLittleEndian}"))
            .IsProblem(406);
    }

    private string GetPath(string frames) => $"/dicomweb/studies/1.2.1/series/1.2.1.1/instances/{_uid}/frames/{frames}";

    private int FrameNumber(byte[] body) => Enumerable.Range(1, 5).Single(n => Held.GetFrame(_uid, n).AsSpan().SequenceEqual(body));

    private Task<Reply> GetAsync(string frames, string accept) =>
        _proxy.GetAsync(GetPath(frames), accept.Length > 0 ? [("Accept", accept)] : []);
}
