using Xunit;

namespace Proxy.Integration;

/// <summary>The expected picture of a <see cref="CtSlice"/>.</summary>
public static class Phantom
{
    /// <summary>Every tissue has its windowed grey value at its position, and covers about the expected area.</summary>
    public static void AssertIsShown(ViewerPicture picture)
    {
        (string Tissue, double X, double Y, int Hounsfield)[] places =
        [
            ("air", -0.95, -0.7, CtSlice.Air), ("fat", -0.84, 0, CtSlice.Fat), ("muscle", -0.1, 0.2, CtSlice.Muscle),
            ("lung", -0.38, -0.02, CtSlice.Air), ("heart", 0.1, -0.1, CtSlice.Heart), ("bone", 0, 0.4, CtSlice.Bone),
        ];
        foreach (var (tissue, x, y, hounsfield) in places)
            Assert.True(
                Math.Abs(picture.GreyAt(x, y) - CtSlice.Grey(hounsfield)) <= 4,
                $"{tissue} is {picture.GreyAt(x, y)}, not {CtSlice.Grey(hounsfield)}");
        foreach (var tissue in new[] { CtSlice.Air, CtSlice.Fat, CtSlice.Muscle, CtSlice.Heart })
            Assert.InRange(picture.Screen.GetShare(CtSlice.Grey(tissue), 4), 0.005, 0.9);
    }
}
