using System.Globalization;
using FsCheck.Xunit;
using Microsoft.AspNetCore.Http;
using Proxy.Imaging.Pictures;
using Proxy.Rendering.Requests;
using Xunit;

namespace Proxy.Tests.Rendering;

public sealed class RenderedParametersTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("?unknown=1&unknown=2", "")]
    [InlineData("?quality=90", "")]
    [InlineData("?quality=50", "quality=50")]
    [InlineData("?viewport=256%2C256", "viewport=256,256")]
    [InlineData("?viewport=256,256", "viewport=256,256")]
    [InlineData("?viewport=256,256,,,,", "viewport=256,256")]
    [InlineData("?viewport=100,50,10,20,-30,40.5", "viewport=100,50,10,20,-30,40.5")]
    [InlineData("?window=40,400,linear", "window=40,400,linear")]
    [InlineData("?window=040.0,4e2,LINEAR", "window=40,400,linear")]
    [InlineData("?iccprofile=no&window=-600,1500,sigmoid&viewport=64,64", "window=-600,1500,sigmoid&viewport=64,64&iccprofile=no")]
    [InlineData("?window=1,0.5,linear-exact", "window=1,0.5,linear-exact")]
    public void EqualParametersHaveEqualText(string query, string text)
    {
        Assert.Null(RenderedParameters.Refuse(Request(query), isThumbnail: false, out var parameters));
        Assert.Equal(text, parameters.ToQuery(isLossy: true));
    }

    [Theory]
    [InlineData("?quality=0")]
    [InlineData("?quality=101")]
    [InlineData("?quality=-1")]
    [InlineData("?quality=50.5")]
    [InlineData("?quality=")]
    [InlineData("?quality=50&quality=60")]
    [InlineData("?viewport=256")]
    [InlineData("?viewport=0,256")]
    [InlineData("?viewport=256,-1")]
    [InlineData("?viewport=65535,65535")]
    [InlineData("?viewport=8192,8192")]
    [InlineData("?viewport=99999999999,1")]
    [InlineData("?viewport=1,1,NaN,0,0,0")]
    [InlineData("?viewport=")]
    [InlineData("?viewport=1,1&viewport=1,1")]
    [InlineData("?window=40,400")]
    [InlineData("?window=40,0,linear")]
    [InlineData("?window=40,0.5,linear")]
    [InlineData("?window=40,-1,sigmoid")]
    [InlineData("?window=NaN,400,linear")]
    [InlineData("?window=Infinity,400,linear")]
    [InlineData("?window=1e400,400,linear")]
    [InlineData("?window=40,400,cubic")]
    [InlineData("?window=")]
    [InlineData("?annotation=patient")]
    [InlineData("?annotation=")]
    [InlineData("?iccprofile=adobergb")]
    [InlineData("?iccprofile=")]
    [InlineData("?accept=image/png&accept=image/jpeg")]
    public void RefusesAnInvalidParameter(string query) =>
        Assert.NotNull(RenderedParameters.Refuse(Request(query), isThumbnail: false, out _));

    [Fact]
    public void AThumbnailHasAViewportByDefault()
    {
        Assert.Null(RenderedParameters.Refuse(Request(""), isThumbnail: true, out var byDefault));
        Assert.Null(RenderedParameters.Refuse(Request("?viewport=64,48"), isThumbnail: true, out var asked));

        Assert.Equal("viewport=128,128", byDefault.ToQuery(isLossy: true));
        Assert.Equal("viewport=64,48", asked.ToQuery(isLossy: true));
    }

    [Fact]
    public void QualityIsNoParameterOfALosslessPicture() => Assert.Equal("", new RenderedParameters(Quality: 10).ToQuery(isLossy: false));

    [Theory]
    [InlineData("", true)]
    [InlineData("?viewport=256,256", true)]
    [InlineData("?viewport=128,128", true)]
    [InlineData("?viewport=257,257", false)]
    [InlineData("?viewport=256,128", false)]
    [InlineData("?viewport=256,256,1,1,10,10", false)]
    [InlineData("?window=40,400,linear", false)]
    [InlineData("?quality=10", false)]
    [InlineData("?iccprofile=no", false)]
    public void UsualParametersAreFew(string query, bool areUsual)
    {
        Assert.Null(RenderedParameters.Refuse(Request(query), isThumbnail: false, out var parameters));
        Assert.Equal(areUsual, parameters.AreUsual);
    }

    /// <summary>The canonical text means the same parameters again: read(write(x)) = x.</summary>
    [Property(MaxTest = 200)]
    public void TheTextIsReadBack(short center, ushort width, byte function, byte side, sbyte region)
    {
        var name = ((string[])["linear", "linear-exact", "sigmoid"])[function % 3];
        var query = string.Create(
            CultureInfo.InvariantCulture,
            $"?window={center / 8.0},{width + 1},{name}&viewport={side + 1},{side + 2},{side},{side},{region},{-region}"
            + $"&quality={side % 100 + 1}");
        Assert.Null(RenderedParameters.Refuse(Request(query), isThumbnail: false, out var first));

        Assert.Null(RenderedParameters.Refuse(Request("?" + first.ToQuery(isLossy: true)), isThumbnail: false, out var second));

        Assert.Equal(first, second with { Quality = second.Quality ?? PictureParameters.DefaultQuality });
    }

    /// <summary>Any text gives parameters or a problem, within the bounds of a picture.</summary>
    [Property(MaxTest = 300)]
    public void AnyTextIsReadOrRefused(string name, string value)
    {
        var known = ((string[])["window", "viewport", "quality", "iccprofile"])[(name ?? "").Length % 4];
        var request = Request($"?{known}={Uri.EscapeDataString(value ?? "")}");
        if (RenderedParameters.Refuse(request, isThumbnail: false, out var parameters) is not null) return;
        Assert.True(parameters.Viewport is null or { Width: > 0 and <= 8192, Height: > 0 and <= 8192 });
        Assert.True(parameters.Quality is null or (>= 1 and <= 100));
    }

    private static HttpRequest Request(string query)
    {
        var context = new DefaultHttpContext();
        context.Request.QueryString = new(query);
        return context.Request;
    }
}
