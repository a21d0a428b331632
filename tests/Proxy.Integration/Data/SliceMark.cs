namespace Proxy.Integration;

/// <summary>
/// A row of squares below the phantom with the instance number in binary, so that a screenshot shows which instance a viewer
/// displays. The first square is always bright: if it is dark, there is no picture.
/// <code>
/// ■ ■ □ □ ■ □ □     always, 1, 2, 4, 8, 16, 32     here: 9
/// </code>
/// </summary>
public static class SliceMark
{
    private const int Bits = 6;
    private const double First = -0.6, Step = 0.2, Top = 0.8, Side = 0.12;

    public static void Draw(Canvas canvas, int number, ushort bright)
    {
        for (var bit = -1; bit < Bits; bit++)
        {
            var left = First + (Step * (bit + 1));
            if (bit < 0 || (number >> bit & 1) == 1)
                canvas.Rectangle(left, Top, left + Side, Top + Side, bright);
        }
    }

    /// <summary>The number, or null if <paramref name="greyAt"/> (phantom coordinates to 0–255) shows no mark.</summary>
    public static int? Find(Func<double, double, int> greyAt)
    {
        bool IsBright(int square) => greyAt(First + (Step * square) + (Side / 2), Top + (Side / 2)) > 128;
        return IsBright(0) ? Enumerable.Range(0, Bits).Sum(bit => IsBright(bit + 1) ? 1 << bit : 0) : null;
    }
}
