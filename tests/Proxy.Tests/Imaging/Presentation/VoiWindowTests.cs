using Proxy.Imaging.Presentation;
using Xunit;

namespace Proxy.Tests.Imaging.Presentation;

/// <summary>The VOI functions of PS3.3 §C.11.2.1.</summary>
public class VoiWindowTests
{
    private static readonly int[] Values = [-1000, -160, -159, 0, 10, 39, 40, 41, 150, 239, 240, 3000];

    /// <summary>Calculated with a Python script from the pseudo-code of the standard, with its bounds, and rounded.</summary>
    [Theory]
    [InlineData(VoiFunction.Linear, 40, 400, new[] { 0, 0, 1, 102, 109, 127, 128, 128, 198, 255, 255, 255 })]
    [InlineData(VoiFunction.Linear, 2048, 4096, new[] { 0, 0, 0, 0, 1, 2, 2, 3, 9, 15, 15, 187 })]
    [InlineData(VoiFunction.Linear, 0.5, 1, new[] { 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255 })]
    [InlineData(VoiFunction.Linear, 0, 2, new[] { 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255 })]
    [InlineData(VoiFunction.LinearExact, 40, 400, new[] { 0, 0, 1, 102, 108, 127, 128, 128, 198, 254, 255, 255 })]
    [InlineData(VoiFunction.LinearExact, 10, 0.5, new[] { 0, 0, 0, 0, 128, 255, 255, 255, 255, 255, 255, 255 })]
    [InlineData(VoiFunction.Sigmoid, 40, 400, new[] { 0, 30, 31, 102, 109, 127, 128, 128, 191, 224, 225, 255 })]
    [InlineData(VoiFunction.Sigmoid, -600, 1500, new[] { 65, 195, 195, 212, 213, 216, 216, 216, 225, 230, 230, 255 })]
    public void MapsValues(VoiFunction function, double center, double width, int[] greys) =>
        Assert.Equal(greys, Frames.Draw(Frames.Signed(Values), window: new(center, width, function)).Select(g => (int)g));

    [Theory]
    [InlineData("-600,1500,linear", -600, 1500, VoiFunction.Linear)]
    [InlineData("40.5,0.25,linear-exact", 40.5, 0.25, VoiFunction.LinearExact)]
    [InlineData("4e1,+1,LINEAR_EXACT", 40, 1, VoiFunction.LinearExact)]
    [InlineData("0,1,Sigmoid", 0, 1, VoiFunction.Sigmoid)]
    public void ReadsTheParameter(string text, double center, double width, VoiFunction function)
    {
        Assert.True(VoiWindow.TryParse(text, out var window, out _));

        Assert.Equal(new(center, width, function), window);
    }

    [Theory]
    [InlineData("", "center,width,function")]
    [InlineData("40", "center,width,function")]
    [InlineData("40,400", "center,width,function")]
    [InlineData("40,400,cubic", "center,width,function")]
    [InlineData("40,400,linear,1", "center,width,function")]
    [InlineData("NaN,400,linear", "center,width,function")]
    [InlineData("40,Infinity,linear", "center,width,function")]
    [InlineData("40,1e999,linear", "center,width,function")]
    [InlineData("40,1e99,linear", "width of at least 1")]
    [InlineData("40,0.5,linear", "width of at least 1")]
    [InlineData("40,0,linear-exact", "width above 0")]
    [InlineData("40,-1,sigmoid", "width above 0")]
    public void RefusesTheParameter(string text, string rule)
    {
        Assert.False(VoiWindow.TryParse(text, out _, out var said));

        Assert.Contains(rule, said, StringComparison.Ordinal);
    }
}
