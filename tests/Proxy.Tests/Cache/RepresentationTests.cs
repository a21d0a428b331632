using Proxy.Cache;
using Proxy.Dicom;
using Xunit;

namespace Proxy.Tests.Cache;

public sealed class RepresentationTests
{
    private static readonly BodyFormat Jpeg = new("image/jpeg", "");

    [Fact]
    public void EqualsAnotherOfTheSameFormatAndParameters()
    {
        Assert.Equal(new(Jpeg) { Parameters = "quality=80" }, new Representation(Jpeg) { Parameters = string.Concat("quality=", "80") });
        Assert.NotEqual(new(Jpeg) { Parameters = "quality=80" }, new Representation(Jpeg) { Parameters = "quality=90" });
        Assert.NotEqual(new(Jpeg) { Parameters = "quality=80" }, new Representation(Jpeg));
        Assert.NotEqual(new(BodyFormat.AsStored), new Representation(Jpeg));
    }

    [Fact]
    public void HasNoParameters_UnlessTheyAreGiven()
    {
        Assert.Equal(default, new Representation(null) { Parameters = "" });
        Assert.Equal("", default(Representation).Parameters);
        Assert.Equal(new Representation(Jpeg), (Representation)Jpeg);
    }

    [Fact]
    public void DistinguishesKeysAndRemovals()
    {
        var plain = new EntryKey("east", "studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.5/frames/6", Jpeg);
        var rendered = plain with { Representation = plain.Representation with { Parameters = "window=40,400" } };
        Assert.NotEqual(plain, rendered);
        Assert.Equal(rendered, plain with { Representation = new(Jpeg) { Parameters = "window=40,400" } });
        Assert.Equal(rendered.GetHashCode(), (rendered with { }).GetHashCode());

        Assert.True(new Removal(Representation: rendered.Representation).Matches(rendered));
        Assert.False(new Removal(Representation: rendered.Representation).Matches(plain));
        Assert.True(new Removal("east").Matches(rendered));
    }
}
