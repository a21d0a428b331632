using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Frames in the form in which they are stored, of a PACS that does not know <c>transfer-syntax=*</c> for an image type.</summary>
public sealed class StoredFormWalks : IDisposable
{
    private const string Native = "1.2.840.10008.1.2.1";
    private const string Jls = "1.2.840.10008.1.2.4.80";
    private const string Jp2 = "1.2.840.10008.1.2.4.90";
    private const string Frame = "/dicomweb/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1";

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    private readonly ProxyHost _proxy;

    public StoredFormWalks() => _proxy = new(("east", _east.Address));

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    [Theory]
    [InlineData(Jls, "image/jls; transfer-syntax=*")]
    [InlineData(Jp2, "image/jp2; transfer-syntax=*")]
    [InlineData(Jp2, "multipart/related; type=\"image/jp2\"; transfer-syntax=*, image/jls; transfer-syntax=*;q=0.5")]
    [InlineData(Jls, "image/*")]
    [InlineData(Jp2, "image/jphc, application/octet-stream; transfer-syntax=*;q=0.9")]
    [InlineData(Jp2, "*/*")]
    public async Task ServesTheStoredForm_ColdAndWarm(string stored, string accept)
    {
        Store(stored);

        var cold = await _proxy.GetAsync(Frame, ("Accept", accept));
        Assert.Equal(200, (int)cold.Status);
        await Until.TrueAsync(async () => (await _proxy.GetAsync(Frame, ("Accept", accept))).CacheStatus == "Proxy; hit");
        var warm = await _proxy.GetAsync(Frame, ("Accept", accept));

        Assert.Contains(stored, cold["Content-Type"] + cold.Text);
        Assert.Equal((cold.Comparable.Text, cold["ETag"]), (warm.Comparable.Text, warm["ETag"]));
    }

    [Theory]
    [InlineData(Native, "image/jpeg; transfer-syntax=*")]
    [InlineData(Native, "image/*; transfer-syntax=*")]
    [InlineData(Jp2, "application/octet-stream")]
    [InlineData(Jp2, "image/jls; transfer-syntax=*, image/jphc")]
    [InlineData(Jp2, "application/octet-stream; transfer-syntax=1.2.840.10008.1.2")]
    public async Task Returns406_WhenTheStoredFormIsNotAccepted_ColdAndWarm(string stored, string accept)
    {
        Store(stored);

        (await _proxy.GetAsync(Frame, ("Accept", accept))).IsProblem(406);
        Assert.Equal(200, (int)(await _proxy.GetAsync(Frame, ("Accept", "application/octet-stream; transfer-syntax=*"))).Status);
        (await _proxy.GetAsync(Frame, ("Accept", accept))).IsProblem(406);
    }

    [Fact]
    public async Task DoesNotAskForTheStoredForm_WhenTheMetadataSaysThatItIsAnother()
    {
        var series = new HeldSeries("1.2.1.1", "CT", 1) { AvailableTransferSyntax = Native };
        _east.Hold(new HeldStudy("1.2.1").With(series));
        await _proxy.GetAsync("/dicomweb/studies/1.2.1/series/1.2.1.1/metadata");
        Store(Native);

        (await _proxy.GetAsync(Frame, ("Accept", "image/jpeg; transfer-syntax=*"))).IsProblem(406);

        var asked = Assert.Single(_east.Requests, r => r.Path.EndsWith("/frames/1", StringComparison.Ordinal));
        Assert.DoesNotContain("octet-stream", asked.Headers["Accept"]);
    }

    /// <summary>
    /// Like Orthanc 1.10: the last alternative counts, only octets may be requested in any transfer syntax, and nothing is decoded.
    /// </summary>
    private void Store(string stored) => _east.On("/frames/1", request =>
    {
        var last = request.Headers["Accept"].Split(", ")[^1];
        var asked = last.Split("transfer-syntax=").ElementAtOrDefault(1)?.Split(';')[0] ?? Native;
        if (asked == "*" && !last.Contains("octet-stream", StringComparison.Ordinal)) return PacsAnswer.Text(400, "text/plain", "no");
        if (asked != "*" && asked != stored) return PacsAnswer.Text(500, "text/plain", "no");
        var type = stored switch { Jls => "image/jls", Jp2 => "image/jp2", _ => "application/octet-stream" };
        return Archive.Multipart($"{type}; transfer-syntax={stored}", Pixels.In(stored, "stored", 2000));
    });
}
