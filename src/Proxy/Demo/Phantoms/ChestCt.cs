namespace Proxy.Demo.Phantoms;

/// <summary>An axial CT of the chest and upper abdomen, 300 mm from the apex of the lungs to the kidneys.</summary>
/// <remarks>
/// Painted in Hounsfield units from the outside in: each shape covers parts of the previous shapes. z increases towards
/// the feet, the patient's right is on the left of the frame, the spine at the bottom.
/// </remarks>
/// <param name="Nodule">Radius of the nodule in the right lung, in mm.</param>
/// <param name="Grain">The amplitude of the noise; higher for a sharp kernel.</param>
/// <param name="Seed">The seed of the noise, different per series.</param>
internal sealed record ChestCt(float Nodule, float Grain, uint Seed)
{
    /// <summary>Rows and columns.</summary>
    public const int Size = 512;

    /// <summary>The pixel spacing, in mm.</summary>
    public const float Spacing = 0.78125f;

    /// <summary>Generates the frame at a distance below the apex of the lungs, in mm.</summary>
    public byte[] Frame(float z)
    {
        var frame = GC.AllocateUninitializedArray<byte>(Size * Size * 2);
        var canvas = new Canvas(frame, Size, Size, Spacing);
        canvas.Fill(-1000);
        Table(canvas);
        Wall(canvas, z);
        Lungs(canvas, z);
        Lesion(canvas, z);
        if (z > 150) Diaphragm(canvas, z - 150);
        if (z > 190) Abdomen(canvas, z - 205);
        Mediastinum(canvas, z);
        Spine(canvas, z);
        Ribs(canvas, z);
        canvas.AddNoise(Seed + (uint)z, Grain);
        canvas.Blur();
        canvas.Store(1024, 4095);
        return frame;
    }

    private static void Table(Canvas canvas)
    {
        canvas.Ellipse(0, 50, 205, 90, -180);
        canvas.Ellipse(0, 46, 205, 90, -940);
        canvas.Ellipse(0, 36, 205, 90, -1000);
    }

    private static void Wall(Canvas canvas, float z)
    {
        var broad = 6 * MathF.Cos(z / 60);
        canvas.Ellipse(0, 0, 176 + broad, 122, 15);
        canvas.Ellipse(0, 0, 174 + broad, 120, -105);
        canvas.Ellipse(0, 4, 158 + broad, 105, 55);
        foreach (var side in (ReadOnlySpan<int>)[-1, 1])
        {
            canvas.Ellipse(side * 42, 92, 40, 17, 60, side * -0.15f);
            canvas.Ellipsoid(side * 75, -84, z - 60, 48, 11, 90, 58, side * 0.35f);
            canvas.Ellipsoid(side * 108, 66, z - 50, 40, 12, 85, 58, side * -0.75f);
            canvas.Ellipsoid(side * 110, 70, z - 45, 36, 3.5f, 75, 480, side * -0.75f);
        }
        canvas.Ellipse(0, -2, 140, 88, 35);
        canvas.Ellipse(0, -2, 136, 84, -70);
    }

    private static void Abdomen(Canvas canvas, float z)
    {
        // The gut first: the organs behind it cover it.
        for (var k = 0; k < 7; k++)
        {
            var (x, y) = (18 + (k * 14) - (k % 2 * 20), -58 + (k % 3 * 26) + (8 * MathF.Sin(k + (z / 24))));
            canvas.Ellipsoid(x, y, z - 95, 19, 15, 60, 28, k);
            if (k % 3 == 0) canvas.Ellipsoid(x, y - 7, z - 95, 10, 5, 50, -880);
        }
        foreach (var side in (ReadOnlySpan<int>)[-1, 1])
        {
            canvas.Ellipsoid(side * 62, 40, z - 80, 30, 25, 52, 165, side * 0.5f);
            canvas.Ellipsoid(side * 56, 37, z - 80, 13, 9, 26, 25, side * 0.5f);
        }
        canvas.Ellipsoid(96, 30, z - 32, 28, 42, 52, 110, -0.35f);
        canvas.Ellipsoid(62, -26, z - 40, 52, 42, 58, 30, -0.4f);
        canvas.Ellipsoid(68, -52, z - 36, 36, 14, 40, -930);
        canvas.Ellipsoid(-60, -2, z - 50, 76, 74, 92, 105);
        canvas.Ellipsoid(5, -46, z - 40, 62, 30, 58, 105, 0.2f);
        for (var k = 0; k < 6; k++)
            canvas.Ellipsoid(-95 + (k * 14), -20 + (22 * MathF.Sin((k * 2.1f) + (z / 30))), z - 40, 9 - k, 3.5f, 60, 160, k * 0.7f);
        canvas.Ellipsoid(-66, -34, z - 75, 17, 13, 24, 8);
        canvas.Ellipsoid(-20, 6, z - 50, 12, 10, 200, 150);
    }

    private static void Lungs(Canvas canvas, float z)
    {
        foreach (var side in (ReadOnlySpan<int>)[-1, 1])
        {
            var (x, rx) = side < 0 ? (-72f, 62f) : (74f, 60f);
            var rest = 1 - MathF.Pow((z - 105) / 112, 4);
            if (rest > 0) canvas.Ellipse(x, -3, rx * MathF.Pow(rest, 0.4f), 81 * MathF.Pow(rest, 0.4f), -865, side * -0.12f);
            if (rest > 0.3f) Vessels(canvas, side, z);
        }
    }

    // The lesion is oblique: its centre moves from plane to plane.
    private void Lesion(Canvas canvas, float z)
    {
        var x = -88 + ((z - 92) * 0.4f);
        for (var k = 0; k < 5; k++)
            canvas.Ellipsoid(x, 24, z - 92, Nodule * (1.2f + (0.5f * Noise.Even(29, k))), 0.8f, Nodule, -150, k * 0.65f);
        canvas.Ellipsoid(x, 24, z - 92, Nodule, Nodule * 0.9f, Nodule, 45);
    }

    // A dome that replaces the lung, starting at the centre and ending at the back.
    private static void Diaphragm(Canvas canvas, float below)
    {
        var root = MathF.Sqrt(below);
        canvas.Ellipse(-66, -6, MathF.Min(62, 11 * root), MathF.Min(74, 12 * root), 105);
        canvas.Ellipse(68, -6, MathF.Min(60, 10 * root), MathF.Min(72, 11 * root), 40);
        if (below is > 20 and < 60) canvas.Ellipse(68, -42, 28, 12, -930);
    }

    // Vessels run from the hilum in all directions and taper; in a plane they appear as dots or short branches.
    private static void Vessels(Canvas canvas, int side, float z)
    {
        var first = side < 0 ? 0 : 500;
        for (var k = first; k < first + 46; k++)
        {
            var steep = (Noise.Even(11, k) - 0.5f) * 3;
            var far = MathF.Abs(z - 100 - (20 * (Noise.Even(13, k) - 0.5f)));
            var reach = MathF.Abs(steep) < 0.25f ? 12 + (70 * Noise.Even(17, k)) : far / MathF.Abs(steep);
            if (reach is < 8 or > 92 || (steep < 0) == (z > 100)) continue;
            var angle = (Noise.Even(19, k) - 0.5f) * 2.9f;
            var (sin, cos) = MathF.SinCos(angle);
            var width = MathF.Max(1.1f, 3.6f - (reach / 30));
            var length = width * (1.2f + (2.5f * Noise.Even(23, k)));
            canvas.Ellipse(side * (32 + (reach * 0.9f * cos)), -3 + (reach * 0.85f * sin), length, width, 20, side * angle);
        }
    }

    private static void Mediastinum(Canvas canvas, float z)
    {
        if (z < 175)
        {
            canvas.Ellipsoid(2, 0, z - 60, 38, 62, 150, -75);
            canvas.Ellipse(0, 34, 24, 22, -60);
        }
        canvas.Ellipsoid(22, -26, z - 152, 68, 52, 58, -85, 0.45f);
        canvas.Ellipsoid(24, -26, z - 152, 63, 47, 54, 70, 0.45f);
        canvas.Ellipsoid(46, -20, z - 158, 30, 21, 36, 230, 0.5f);
        canvas.Ellipsoid(12, -44, z - 152, 31, 20, 36, 260, 0.3f);
        canvas.Ellipsoid(-14, -18, z - 146, 22, 25, 34, 250);
        canvas.Ellipsoid(14, 6, z - 138, 28, 16, 24, 235);

        canvas.Ellipsoid(6, -24, z - 98, 40, 12, 11, 280, 0.25f);
        canvas.Ellipsoid(8, -6, z - 66, 15, 44, 9, 250, -0.45f);
        canvas.Ellipsoid(-14, -30, z - 104, 16, 16, 46, 255);
        canvas.Ellipsoid(-32, -24, z - 70, 9, 9, 70, 330);
        if (z > 64) canvas.Ellipse(24 - MathF.Min(14, z / 20), 36, 12.5f, 12.5f, 240);
        if (z < 64)
            foreach (var x in (ReadOnlySpan<float>)[-22, 4, 22]) canvas.Ellipse(x, -16 - (x / 3), 6, 6, 250);

        var fork = MathF.Max(0, z - 82);
        foreach (var side in (ReadOnlySpan<int>)[-1, 1])
            if (fork < 34) canvas.Ellipse(side * (fork * 0.9f), -2 + (fork * 0.15f), 8.5f, 8 - (fork / 12), -990);
        if (z < 240) canvas.Ellipse(9, 22, 7, 5, 40);
    }

    private static void Spine(Canvas canvas, float z)
    {
        var disc = z % 26 < 5;
        canvas.Ellipse(0, 90, 19, 15, 520);
        canvas.Ellipse(0, 110, 4, 11, (short)(z % 26 < 15 ? 480 : 55));
        if (!disc)
            foreach (var side in (ReadOnlySpan<int>)[-1, 1]) canvas.Ellipse(side * 27, 84, 17, 4.5f, 420, side * 0.3f);
        canvas.Ellipse(0, 60, 21, 17, (short)(disc ? 95 : 560));
        if (!disc) canvas.Ellipse(0, 60, 18.5f, 14.5f, 210);
        canvas.Ellipse(0, 85, 10, 9, 15);
        canvas.Ellipse(0, 85, 5.5f, 5, 42);
        canvas.Ellipsoid(0, -94, z - 85, 22, 6.5f, 70, 380);
        canvas.Ellipsoid(0, -94, z - 85, 19, 4, 68, 150);
    }

    // A rib runs forwards and downwards, so the height of the plane determines the angle from the spine at which it is cut.
    private static void Ribs(Canvas canvas, float z)
    {
        for (var rib = 0; rib < 12; rib++)
        {
            var angle = (z + 62 - (rib * 25)) / 34;
            if (angle < 0.25f || angle > (rib > 9 ? 1.6f : 2.75f)) continue;
            var (sin, cos) = MathF.SinCos(angle);
            var tangent = MathF.Atan2(-91 * sin, 145 * cos);
            foreach (var side in (ReadOnlySpan<int>)[-1, 1])
            {
                canvas.Ellipse(side * 145 * sin, 2 + (91 * cos), 15, 5, 560, side * tangent);
                canvas.Ellipse(side * 145 * sin, 2 + (91 * cos), 12, 2.6f, 190, side * tangent);
            }
        }
    }
}
