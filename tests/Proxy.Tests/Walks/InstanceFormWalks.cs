using Proxy.Tests.Pacs;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Transfer syntaxes of whole instances over WADO-RS and WADO-URI, and the parameters of WADO-URI.</summary>
public sealed class InstanceFormWalks : IDisposable
{
    private const string Explicit = Part10File.Explicit;
    private const string Implicit = Part10File.Implicit;
    private const string BigEndian = "1.2.840.10008.1.2.2";
    private const string Uid = Part10File.SopInstanceUid;
    private const string Instance = $"/dicomweb/studies/2.25/series/2.25/instances/{Uid}";
    private const string Uri = $"/dicomweb?requestType=WADO&studyUID=2.25&seriesUID=2.25&objectUID={Uid}";
    private const string Multipart = "multipart/related; type=\"application/dicom\"";

    private readonly WireMockPacs _east = new(new HeldStudy("2.25").With("2.25", "CT", 7));

    private readonly ProxyHost _proxy;

    public InstanceFormWalks() => _proxy = new(("east", _east.Address));

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
    }

    [Fact]
    public async Task SharesOneEntry_ForEveryRequestOfAnInstance()
    {
        Store(Explicit);

        var replies = new List<Reply>
        {
            await GetAsync(Instance, $"{Multipart}; transfer-syntax=*"),
            await GetAsync(Instance, Multipart),
            await GetAsync(Instance, $"{Multipart}; transfer-syntax={Explicit}"),
            await GetAsync(Instance, "application/dicom"),
            await GetAsync(Instance, ""),
            await GetAsync(Uri + "&contentType=application/dicom"),
            await GetAsync(Uri + "&contentType=application/dicom&transferSyntax=*"),
            await GetAsync(Uri + $"&contentType=application/dicom&transferSyntax={Explicit}"),
        };

        Assert.All(replies, r => Assert.Equal(File(Explicit), GetBody(r)));
        Assert.Equal(1, _east.Count($"/instances/{Uid}"));
        Assert.Equal(1, await EntriesAsync());
    }

    [Fact]
    public async Task SharesOneEntry_WhenTheStoredFormIsRequestedLater()
    {
        Store(Explicit);

        await GetAsync(Instance, Multipart);
        await GetAsync(Instance, $"{Multipart}; transfer-syntax=*");

        Assert.Equal(1, await EntriesAsync());
        Assert.Equal("Proxy; hit", (await GetAsync(Instance, Multipart)).CacheStatus);
    }

    [Theory]
    [InlineData(Implicit)]
    [InlineData(BigEndian)]
    public async Task RequestsExplicitLittleEndian_WhenTheStoredFormMustNotBeSent(string stored)
    {
        Store(stored, Explicit);

        Assert.Equal(File(Explicit), GetBody(await GetAsync(Instance, $"{Multipart}; transfer-syntax=*")));
        Assert.Equal(File(Explicit), GetBody(await GetAsync(Uri + "&contentType=application/dicom&transferSyntax=*")));
        Assert.Equal("Proxy; hit", (await GetAsync(Instance, Multipart)).CacheStatus);
    }

    [Theory]
    [InlineData(Implicit)]
    [InlineData(BigEndian)]
    public async Task DoesNotServe_WhenThePacsOnlyHasAFormThatMustNotBeSent(string stored)
    {
        Store(stored);

        Assert.NotEqual(200, (int)(await GetAsync(Instance, $"{Multipart}; transfer-syntax=*")).Status);
        Assert.NotEqual(200, (int)(await GetAsync(Uri + "&contentType=application/dicom&transferSyntax=*")).Status);
    }

    [Theory]
    [InlineData(Implicit)]
    [InlineData(BigEndian)]
    public async Task Returns406_WhenAFormThatMustNotBeSentIsRequested(string syntax)
    {
        Store(syntax, Explicit);

        (await GetAsync(Instance, $"{Multipart}; transfer-syntax={syntax}")).IsProblem(406);
        (await GetAsync(Uri + $"&contentType=application/dicom&transferSyntax={syntax}")).IsProblem(406);
    }

    [Fact]
    public async Task ServesTheStoredForm_WhenThePacsCannotTranscodeAndNoneIsNamed()
    {
        Store(Part10File.JpegBaseline);

        var cold = await GetAsync(Instance, Multipart);
        var warm = await GetAsync(Instance, Multipart);

        Assert.Equal(File(Part10File.JpegBaseline), GetBody(cold));
        Assert.Equal("Proxy; hit", warm.CacheStatus);
        Assert.Equal(cold.Comparable.Body, warm.Comparable.Body);
    }

    [Theory]
    [InlineData("&contentType=Application/DICOM")]
    // The object has no picture.
    [InlineData("&contentType=image/jpeg,application/dicom")]
    [InlineData("&contentType=image/jpeg%2Capplication%2Fdicom%3Bq%3D0.5")]
    [InlineData("&contentType=*/*")]
    [InlineData("&contentType=")]
    [InlineData("")]
    public async Task ReadsContentTypeOfWadoUriAsAList_IgnoringCaseAndWithADefault(string contentType)
    {
        Store(Explicit);

        var reply = await GetAsync(Uri + contentType);

        Assert.Equal(File(Explicit), reply.Body);
        Assert.Equal($"application/dicom; transfer-syntax={Explicit}", reply["Content-Type"]);
    }

    [Theory]
    [InlineData("&contentType=image/jpeg", "*/*")]
    [InlineData("", "image/jpeg")]
    public async Task Returns406_WhenWadoUriRequestsAnotherTypeThanDicom(string contentType, string accept)
    {
        Store(Explicit);

        (await GetAsync(Uri + contentType, accept)).IsProblem(406);
    }

    [Theory]
    [InlineData(Uri + "&contentType=application/dicom&anonymize=yes", "anonymize")]
    [InlineData(Uri + "&contentType=application/dicom&anonymize=YES", "anonymize")]
    [InlineData(Uri + "&contentType=application/dicom&annotation=patient", "annotation")]
    [InlineData(Uri + "&contentType=application/dicom&region=0,0,0.5,0.5", "region")]
    [InlineData(Uri + "&contentType=application/dicom&frameNumber=2", "frameNumber")]
    [InlineData(Uri + "&contentType=application/dicom&presentationUID=1.2&presentationSeriesUID=1.2", "presentationUID")]
    [InlineData(Instance + "?anonymize=yes", "anonymize")]
    [InlineData("/dicomweb/studies/2.25/metadata?anonymize=yes", "anonymize")]
    [InlineData("/backends/east/dicomweb/studies?anonymize=yes", "anonymize")]
    public async Task Refuses_WhenAParameterWouldChangeTheDisclosedContent(string path, string parameter)
    {
        Store(Explicit);

        (await GetAsync(path)).IsProblem(400, parameter);
        Assert.Equal(0, _east.Count($"/instances/{Uid}"));
    }

    [Fact]
    public async Task Serves_WhenAnonymizationIsExplicitlyOff()
    {
        Store(Explicit);

        Assert.Equal(200, (int)(await GetAsync(Uri + "&contentType=application/dicom&anonymize=no")).Status);
    }

    [Fact]
    public async Task NamesTheResourceOfEachPart()
    {
        Store(Explicit);

        Assert.Contains(
            $"Content-Location: {_proxy.Address}{Instance}", Assert.Single(Parts.Read(await GetAsync(Instance, Multipart))).Head);
    }

    /// <summary>A file in a transfer syntax; files of different transfer syntaxes also differ after the meta information.</summary>
    private static byte[] File(string syntax) => new Part10File(syntax == BigEndian ? Explicit : syntax)
        .SetRaw(0x00020003, Part10File.Element(0x00020003, "UI", Part10File.Even(Uid, '\0')))
        .SetRaw(0x00020010, Part10File.Element(0x00020010, "UI", Part10File.Even(syntax, '\0')))
        .Set(0x0020000D, "UI", Part10File.Even("2.25", '\0')).Set(0x0020000E, "UI", Part10File.Even("2.25", '\0'))
        .Set(0x00200010, "SH", syntax).ToArray();

    private static byte[] GetBody(Reply reply)
    {
        Assert.True((int)reply.Status == 200, $"{reply.Status}: {reply.Text}");
        return reply["Content-Type"].StartsWith("multipart/", StringComparison.Ordinal)
            ? Assert.Single(Parts.Read(reply)).Body
            : reply.Body;
    }

    private async Task<int> EntriesAsync() => (int)(await _proxy.GetAsync("/cache")).Json["backends"]!["east"]!["memory"]!["entries"]!;

    private Task<Reply> GetAsync(string path, string accept = "") => _proxy.GetAsync(path, accept.Length > 0 ? [("Accept", accept)] : []);

    /// <summary>The PACS now serves the instance in these transfer syntaxes; the first one is the stored one.</summary>
    private void Store(params string[] syntaxes) => _east.On($"/instances/{Uid}", request =>
    {
        var asked = request.Headers["Accept"].Split("transfer-syntax=").Skip(1).Select(t => t.Split(';', ',')[0])
            .Select(t => t == "*" ? syntaxes[0] : t);
        return asked.FirstOrDefault(syntaxes.Contains) is { } given
            ? Archive.Multipart($"application/dicom; transfer-syntax={given}", File(given))
            : PacsAnswer.Text(406, "text/plain", "no");
    });
}
