using Microsoft.Extensions.Primitives;
using Proxy.Operations;
using Xunit;

namespace Proxy.Tests.Operations;

/// <summary>Negotiation of the coding of an answer (RFC 9110 §12.5.3).</summary>
public class CodingsTests
{
    [Theory]
    [InlineData(null, Coding.Identity)]
    [InlineData("", Coding.Identity)]
    [InlineData("gzip, deflate, br, zstd", Coding.Brotli)]
    [InlineData("gzip, deflate", Coding.Gzip)]
    [InlineData("x-gzip", Coding.Gzip)]
    [InlineData("GZIP", Coding.Gzip)]
    [InlineData("br", Coding.Brotli)]
    [InlineData("deflate, zstd", Coding.Identity)]
    [InlineData("gzipped, brotli", Coding.Identity)]
    [InlineData("br;q=0.5, gzip;q=0.8", Coding.Gzip)]
    [InlineData("br;q=0.8, gzip;q=0.5", Coding.Brotli)]
    [InlineData("gzip;q=1.0, br;q=1", Coding.Brotli)]
    [InlineData("br;q=0, gzip", Coding.Gzip)]
    [InlineData("br;q=0.000, gzip;q=0.0", Coding.Identity)]
    [InlineData("gzip ; Q = 0.001", Coding.Gzip)]
    [InlineData("*", Coding.Brotli)]
    [InlineData("*;q=0", Coding.Identity)]
    [InlineData("*, br;q=0", Coding.Gzip)]
    [InlineData("*;q=0.1, gzip;q=0.5", Coding.Gzip)]
    [InlineData("*;q=0.5, gzip;q=0.1", Coding.Brotli)]
    [InlineData("gzip, *;q=0", Coding.Gzip)]
    [InlineData("identity", Coding.Identity)]
    [InlineData("identity, gzip;q=0.5", Coding.Identity)]
    [InlineData("identity;q=0.5, gzip;q=0.5", Coding.Gzip)]
    [InlineData("identity;q=0, gzip;q=0.1", Coding.Gzip)]
    [InlineData("identity;q=0", Coding.Identity)]
    [InlineData("gzip;q=2, br;q=-1", Coding.Identity)]
    [InlineData("gzip;q=, br;level=5", Coding.Identity)]
    [InlineData(",, gzip ,", Coding.Gzip)]
    public void ChoosesTheHighestWeight_ThenTheSmallestResult(string? header, Coding chosen) =>
        Assert.Equal(chosen, Codings.Choose(header));

    [Fact]
    public void ReadsSeveralHeadersAsOneList() => Assert.Equal(Coding.Brotli, Codings.Choose(new StringValues(["gzip;q=0.5", "br;q=0.6"])));
}
