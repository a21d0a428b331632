namespace Proxy.Demo.Phantoms;

/// <summary>A chest radiograph: a projection in which the shadows of all organs add up.</summary>
/// <param name="Columns">Columns of a frame.</param>
/// <param name="Rows">Rows of a frame.</param>
/// <param name="Spacing">The pixel spacing, in mm.</param>
/// <param name="Seed">The seed of the noise.</param>
internal sealed record ChestRadiograph(int Columns, int Rows, float Spacing, uint Seed)
{
    private const short Max = 4095;

    /// <summary>The frontal view with bright bones; <paramref name="inverted"/> for MONOCHROME1, where low values are bright.</summary>
    public byte[] Front(bool inverted = false)
    {
        var frame = GC.AllocateUninitializedArray<byte>(Columns * Rows * 2);
        var canvas = new Canvas(frame, Columns, Rows, Spacing);
        canvas.Fill(180);
        canvas.Shadow(0, 60, 168, 420, 1500);
        canvas.Shadow(0, -240, 60, 120, 700);
        foreach (var side in (ReadOnlySpan<int>)[-1, 1])
        {
            canvas.Shadow(side * 128, -122, 96, 46, 480, side * 0.5f);
            canvas.Shadow(side * 66, -10, 54, 140, -830, side * -0.1f);
            canvas.Shadow(side * 74, 30, 52, 105, -400, side * -0.05f);
            canvas.Shadow(side * 75, 60, 60, 60, 130);
            canvas.Shadow(side * 120, -70, 14, 60, 260, side * -0.25f);
            Vessels(canvas, side);
            Ribs(canvas, side);
            for (var t = 0f; t < 1; t += 0.01f)
                canvas.Shadow(side * (8 + (t * 125)), -128 - (18 * t) + (8 * MathF.Sin(t * 6)), 7, 7, 45);
        }
        canvas.Shadow(-62, 190, 96, 104, 1300);
        canvas.Shadow(66, 202, 94, 102, 1200);
        canvas.Shadow(70, 122, 24, 14, -420);
        canvas.Shadow(26, 62, 62, 50, 900, 0.5f);
        canvas.Shadow(-16, 56, 36, 48, 500);
        canvas.Shadow(20, -44, 17, 22, 420);
        canvas.Shadow(0, 0, 32, 240, 360);
        for (var k = 0; k < 18; k++) canvas.Shadow(0, -215 + (k * 24), 17, 10, 260);
        canvas.Shadow(0, -110, 8, 95, -420);
        canvas.AddNoise(Seed, 60);
        canvas.Blur();
        canvas.Expose(1500, Max);
        canvas.Store(0, Max, inverted);
        return frame;
    }

    /// <summary>The left lateral view.</summary>
    public byte[] Side()
    {
        var frame = GC.AllocateUninitializedArray<byte>(Columns * Rows * 2);
        var canvas = new Canvas(frame, Columns, Rows, Spacing);
        canvas.Fill(180);
        canvas.Shadow(0, 60, 128, 420, 1900);
        canvas.Shadow(-10, -200, 70, 90, 600);
        canvas.Shadow(4, -10, 82, 145, -1150, 0.06f);
        canvas.Shadow(20, 60, 70, 90, -420, 0.1f);
        canvas.Shadow(-34, 68, 54, 44, 800, -0.4f);
        canvas.Shadow(-10, -30, 30, 40, 380, -0.3f);
        canvas.Shadow(-14, 185, 112, 84, 1100);
        canvas.Shadow(24, 178, 92, 62, 500);
        for (var k = 0; k < 18; k++)
        {
            var y = -215 + (k * 24);
            var x = 74 + (14 * MathF.Cos(y / 120f));
            canvas.Shadow(x, y, 17, 10.5f, 520);
            canvas.Shadow(x + 26, y + 8, 16, 5, 240, 0.5f);
        }
        for (var t = 0f; t < 1; t += 0.012f) canvas.Shadow(-92 - (10 * MathF.Sin(t * 3)), -90 + (t * 130), 5, 5, 90);
        for (var rib = 0; rib < 10; rib++)
            for (var t = 0f; t < 1; t += 0.012f)
                canvas.Shadow(76 - (160 * t), -140 + (rib * 24) + (70 * t * t), 5.5f, 5.5f, 24);
        canvas.Shadow(-6, -120, 8, 80, -420, 0.12f);
        canvas.AddNoise(Seed, 60);
        canvas.Blur();
        canvas.Expose(1500, Max);
        canvas.Store(0, Max);
        return frame;
    }

    // A rib runs from the spine outwards and downwards and back to the front; in projection both halves overlap.
    private static void Ribs(Canvas canvas, int side)
    {
        for (var rib = 0; rib < 10; rib++)
        {
            var wide = 86 + (40 * MathF.Sin(0.5f + (rib * 0.19f)));
            for (var angle = 0.1f; angle < 2.6f; angle += 0.02f)
            {
                var y = -140 + (rib * 22) + (8 * angle) + (22 * (1 - MathF.Cos(angle)));
                canvas.Shadow(side * (10 + (wide * MathF.Sin(angle))), y, 5.5f, 5.5f, angle < 1.6f ? 42 : 24);
            }
        }
    }

    private static void Vessels(Canvas canvas, int side)
    {
        canvas.Shadow(side * 34, 4, 15, 24, 220, side * 0.3f);
        for (var k = 0; k < 16; k++)
        {
            var angle = -1.3f + (k * 0.18f) + (0.1f * Noise.Even(31, k));
            var length = 50 + (40 * Noise.Even(37, k));
            for (var t = 0.15f; t < 1; t += 0.03f)
            {
                var width = 3.4f * (1.1f - t);
                var bend = angle + (t * (Noise.Even(41, k) - 0.5f));
                canvas.Shadow(side * (32 + (t * length * MathF.Cos(bend))), 4 + (t * length * MathF.Sin(bend)), width, width, 56);
            }
        }
    }
}
