namespace Proxy.Integration;

/// <summary>A viewport with a square phantom, fitted and centred as OHIF does.</summary>
public sealed class ViewerPicture(Screenshot screen)
{
    public Screenshot Screen { get; } = screen;

    /// <summary>The number of the displayed instance, read from the mark in the picture, or null.</summary>
    public int? Number => SliceMark.Find(GreyAt);

    /// <summary>The grey value on screen at a position of the phantom, both coordinates from -1 to 1.</summary>
    public int GreyAt(double x, double y)
    {
        var half = Math.Min(Screen.Width, Screen.Height) / 2.0;
        return Screen.Grey((int)((Screen.Width / 2.0) + (x * half)), (int)((Screen.Height / 2.0) + (y * half)));
    }

    /// <summary>Whether both show the same picture, except for rounding and a cursor.</summary>
    public bool ShowsTheSameAs(ViewerPicture other)
    {
        if ((Screen.Width, Screen.Height, Number) != (other.Screen.Width, other.Screen.Height, other.Number))
            return false;
        var different = 0;
        for (var y = 0; y < Screen.Height; y++)
        {
            for (var x = 0; x < Screen.Width; x++)
                different += Math.Abs(Screen.Grey(x, y) - other.Screen.Grey(x, y)) > 2 ? 1 : 0;
        }

        return different < Screen.Width * Screen.Height / 1000;
    }
}
