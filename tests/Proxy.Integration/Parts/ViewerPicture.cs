namespace Proxy.Integration;

/// <summary>A viewport that shows a square phantom, fitted and centred as OHIF does.</summary>
public sealed class ViewerPicture(Screenshot screen)
{
    public Screenshot Screen { get; } = screen;

    /// <summary>Which instance it shows, by the mark in the picture; null when it shows none.</summary>
    public int? Number => SliceMark.Find(GreyAt);

    /// <summary>The grey of the screen at a place of the phantom, both from -1 to 1.</summary>
    public int GreyAt(double x, double y)
    {
        var half = Math.Min(Screen.Width, Screen.Height) / 2.0;
        return Screen.Grey((int)((Screen.Width / 2.0) + (x * half)), (int)((Screen.Height / 2.0) + (y * half)));
    }

    /// <summary>Whether both show the same, but for what the renderer rounds and a cursor covers.</summary>
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
