using Proxy.Dicom;
using Xunit;

namespace Proxy.Tests.Dicom;

public sealed class DataDictionaryTests
{
    [Theory]
    [InlineData(0x00100010u, "PN")]
    [InlineData(0x7FE00010u, "OW")]
    [InlineData(0x00280106u, "xs")]
    [InlineData(0x00283006u, "OW")]
    [InlineData(0xFFFAFFFAu, "SQ")]
    [InlineData(0x60000010u, "US")]
    [InlineData(0x60023000u, "OW")]
    [InlineData(0x601E3000u, "OW")]
    [InlineData(0x50020005u, "US")]
    [InlineData(0x7F020010u, "OW")]
    [InlineData(0x00203199u, "CS")]
    [InlineData(0x00280450u, "US")]
    [InlineData(0x10000120u, "US")]
    [InlineData(0x00110010u, "LO")]
    [InlineData(0x001100FFu, "LO")]
    [InlineData(0x00111001u, "UN")]
    [InlineData(0x00110001u, "UN")]
    [InlineData(0x00100011u, "UN")]
    [InlineData(0x60010010u, "LO")]
    public void KnowsTheVr(uint tag, string vr) => Assert.Equal((vr[0] << 8) | vr[1], DataDictionary.FindVr(new(tag)));
}
