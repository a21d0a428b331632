using System.Text;
using FsCheck;
using FsCheck.Xunit;
using Proxy.Dicom;
using Xunit;

namespace Proxy.Tests.Dicom;

public class MediaTypeTests
{
    [Theory]
    [InlineData("multipart/related; type=application/octet-stream; transfer-syntax=*")]
    [InlineData("multipart/related; type=\"application/octet-stream\"; transfer-syntax=*")]
    [InlineData("multipart/related;type=\"application/octet-stream\";transfer-syntax=\"*\"")]
    [InlineData("Multipart/Related ; TYPE=application/octet-stream ;  Transfer-Syntax = *")]
    [InlineData("multipart/related; type=\"application/octet-stream; transfer-syntax=*\"")]
    public void ReadsTheFrameTypesOfViewers_QuotedOrNot(string text)
    {
        var type = MediaType.Parse(text)!;
        Assert.Equal("multipart/related", type.Type);
        Assert.Equal("application/octet-stream", type.Find("type"));
        Assert.Equal("*", type.Find("transfer-syntax"));
    }

    [Fact]
    public void ReadsASecondParameterInsideTheQuotes()
    {
        var type = MediaType.Parse(
            "multipart/related; type=\"application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1\"; boundary=b-1")!;
        Assert.Equal("application/octet-stream", type.Find("type"));
        Assert.Equal("1.2.840.10008.1.2.1", type.Find("transfer-syntax"));
        Assert.Equal("b-1", type.Find("boundary"));
    }

    [Theory]
    [InlineData("boundary=a:b/c", "a:b/c")]
    [InlineData("boundary=\"a:b/c\"", "a:b/c")]
    [InlineData("boundary=\"=_(x) y, z?\"", "=_(x) y, z?")]
    [InlineData("boundary==_x'()+_,-./:=?", "=_x'()+_,-./:=?")]
    [InlineData("boundary=\"a\\\"b\"", "a\"b")]
    [InlineData("boundary=", "")]
    public void ReadsUnusualBoundaries(string parameter, string boundary) =>
        Assert.Equal(boundary, MediaType.Parse("multipart/related; " + parameter + "; type=application/dicom")!.Find("boundary"));

    [Theory]
    [InlineData("")]
    [InlineData("text")]
    [InlineData("/")]
    [InlineData("/html")]
    [InlineData("text/")]
    [InlineData("; boundary=x")]
    public void ReturnsNull_WithoutATypeAndASubtype(string text) => Assert.Null(MediaType.Parse(text));

    [Fact]
    public void UsesTheFirst_WhenAParameterRepeats() => Assert.Equal("a", MediaType.Parse("x/y; p=a; P=b")!.Find("p"));

    [Fact]
    public void SkipsListElements_ThatAreNotMediaTypes() =>
        Assert.Equal(
            ["application/dicom+json", "image/jp2"],
            MediaType.ParseList(", ,nonsense,application/dicom+json;q=0.5,;,image/jp2,").Select(t => t.Type));

    [Fact]
    public void IgnoresCommasInsideQuotes() =>
        Assert.Equal(["a/b", "c/d"], MediaType.ParseList("a/b; p=\"x,y\", c/d").Select(t => t.Type));

    [Theory]
    [InlineData("application/octet-stream", true)]
    [InlineData("image/dicom+jpeg-ls", true)]
    [InlineData("application/", false)]
    [InlineData("/octet-stream", false)]
    [InlineData("application/octet stream", false)]
    [InlineData("application/octet-stream\nX-Injected: 1", false)]
    [InlineData("application/octet-str\u00E9am", false)]
    [InlineData("a/b/c", false)]
    public void AcceptsATypeOfTwoTokens(string type, bool isWellFormed) => Assert.Equal(isWellFormed, MediaType.IsWellFormed(type));

    /// <summary>Any value, quoted as RFC 9110 §5.6.4 defines, is read back unchanged.</summary>
    [Property(MaxTest = 1000)]
    public bool ReadsQuotedValuesBack(string? value)
    {
        var text = value ?? "";
        var quoted = text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
        return MediaType.ParseList($"a/b; p=\"{quoted}\"; r=s, c/d") is [{ } first, { Type: "c/d" }] && first.Find("p") == text
            && first.Find("r") == "s";
    }

    [Property(MaxTest = 1000)]
    public void NeverThrows(string? text)
    {
        _ = MediaType.Parse(text);
        _ = Accept.Parse(text);
        foreach (var type in MediaType.ParseList(text)) _ = BodyFormat.FromMediaType(type);
    }

    /// <summary>64 KB of random characters that have a meaning in the grammar.</summary>
    [Property(MaxTest = 60)]
    public void NeverThrows_NorTakesLong_OnLongGarbage(DoNotSize<int> any)
    {
        var seed = any.Item;
        const string Alphabet = "\\\"\";;;,=/ \tqtype*aq0.9";
        var random = new Random(seed);
        var text = new StringBuilder(64 * 1024);
        while (text.Length < 64 * 1024) text.Append(random.Next(8) == 0 ? "type=\"a;" : Alphabet[random.Next(Alphabet.Length)].ToString());
        foreach (var (type, _) in Accept.Parse(text.ToString()).Types) _ = BodyFormat.FromMediaType(type);
        _ = MediaType.Parse(text.ToString());
    }

    [Theory]
    [InlineData("type=\";")]
    [InlineData("a/b;type=\"x;type=\\\"y;type=z\\\"\";")]
    [InlineData("a/b,")]
    [InlineData(";")]
    [InlineData("\"\\")]
    public void NeverThrows_OnRepeatedGarbage(string unit) =>
        _ = Accept.Parse(string.Concat(Enumerable.Repeat(unit, 64 * 1024 / unit.Length)));
}
