using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Time.Testing;
using Proxy.Backends.Credentials;
using Proxy.Operations;
using Xunit;

namespace Proxy.Tests.Backends.Credentials;

/// <summary>Signatures, against the published test suite of AWS Signature Version 4 and against another implementation.</summary>
public sealed class SignedRequestsTests
{
    private readonly FakeTimeProvider _time = new(new(2015, 8, 30, 12, 36, 0, TimeSpan.Zero));

    [Theory]
    [InlineData("https://example.amazonaws.com/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")]
    [InlineData(
        "https://example.amazonaws.com/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500")]
    public async Task SignsAsTheTestSuite(string address, string signature)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);

        await SignAsync(request, "service");

        Assert.Equal(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, "
            + $"Signature={signature}",
            request.Headers.NonValidated["Authorization"].ToString());
        Assert.Equal("20150830T123600Z", request.Headers.NonValidated["x-amz-date"].ToString());
    }

    [Fact]
    public async Task ReplacesTheSignature_WhenARequestIsSentAgain()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "https://example.amazonaws.com/");
        await SignAsync(request, "service");
        _time.Advance(TimeSpan.FromMinutes(1));

        await SignAsync(request, "service");

        Assert.Single(request.Headers.NonValidated["Authorization"]);
        Assert.Equal("20150830T123700Z", request.Headers.NonValidated["x-amz-date"].ToString());
    }

    [Fact]
    public async Task SignsAStoreRequest_WithoutReadingItsBody()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "https://example.amazonaws.com/studies")
        {
            Content = new StreamContent(new UnreadableStream()),
        };

        await SignAsync(request, "medical-imaging");

        Assert.Equal("UNSIGNED-PAYLOAD", request.Headers.NonValidated["x-amz-content-sha256"].ToString());
        Assert.Contains(
            "SignedHeaders=host;x-amz-content-sha256;x-amz-date,", request.Headers.NonValidated["Authorization"].ToString(),
            StringComparison.Ordinal);
    }

    private async Task SignAsync(HttpRequestMessage request, string service)
    {
        var settings = new SettingsReader(new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["A:Scheme"] = "SigV4",
            ["A:Region"] = "us-east-1",
            ["A:Service"] = service,
            ["A:AccessKeyId"] = "AKIDEXAMPLE",
            ["A:SecretAccessKey"] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        }).Build());
        using var signed = new SignedRequests(CredentialOptions.Read(settings, "A")!, _time);
        await signed.AddAsync(request, TestContext.Current.CancellationToken);
    }

    private sealed class UnreadableStream : MemoryStream
    {
        public override bool CanSeek => false;

        public override int Read(byte[] buffer, int offset, int count) => throw new IOException("the body was read");
    }
}
