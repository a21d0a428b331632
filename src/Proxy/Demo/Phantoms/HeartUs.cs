namespace Proxy.Demo.Phantoms;

/// <summary>An apical four-chamber view of a beating heart with colour Doppler and an ECG trace.</summary>
internal static class HeartUs
{
    /// <summary>Columns of a frame.</summary>
    public const int Columns = 640;

    /// <summary>Rows of a frame.</summary>
    public const int Rows = 480;

    /// <summary>The number of frames, one heartbeat.</summary>
    public const int Frames = 30;

    /// <summary>The column of the sector's tip.</summary>
    public const int TipX = 320;

    /// <summary>The row of the sector's tip.</summary>
    public const int TipY = 24;

    /// <summary>The depth of the sector in pixels, which is 16 cm.</summary>
    public const int Depth = 400;

    /// <summary>The calibration of the sector.</summary>
    public const double CentimetresPerPixel = 16.0 / Depth;

    /// <summary>Half of the sector's opening angle, in radians.</summary>
    private const float HalfAngle = 0.72f;

    /// <summary>Generates a frame by its zero-based index, as RGB.</summary>
    public static byte[] Frame(int index)
    {
        var frame = new byte[Columns * Rows * 3];
        var phase = MathF.Tau * index / Frames;
        Sector(frame, index, phase);
        Ruler(frame);
        Ecg(frame, index);
        return frame;
    }

    private static void Sector(byte[] frame, int index, float phase)
    {
        // Below zero in systole, when the ventricles contract; above zero in diastole.
        var beat = MathF.Cos(phase);
        for (var y = TipY + 8; y < TipY + Depth; y++)
        {
            var half = (int)MathF.Min((y - TipY) * MathF.Tan(HalfAngle), 300);
            for (var x = TipX - half; x <= TipX + half; x++)
            {
                var (dx, dy) = ((float)(x - TipX), (float)(y - TipY));
                var r = MathF.Sqrt((dx * dx) + (dy * dy));
                if (r > Depth) continue;

                // Speckle follows the beams: fine in depth, broad across, and broader with the distance.
                var beam = (int)((dx / dy * 220) + 400);
                var seed = (uint)(index / 2);
                var speckle = Noise.Even(seed, (beam * 1024) + (int)(r / 2.2f))
                    * (0.4f + Noise.Even(seed + 99, (beam / 2 * 2048) + (int)(r / 4)));
                var light = Echo(dx, dy, beat) * (0.35f + (1.5f * speckle)) * (1.1f - (0.5f * r / Depth));
                var grey = (byte)Math.Clamp(light * 255, 0, 255);
                Paint(frame, x, y, grey, grey, grey);
                Doppler(frame, x, y, dx, dy, phase, speckle);
            }
        }
    }

    // The echo intensity of the tissue at a position.
    private static float Echo(float dx, float dy, float beat)
    {
        var left = Ring(dx - 42, dy - 182, 40 + (8 * beat), 84 + (8 * beat));
        var right = Ring(dx + 48, dy - 192, 33 + (6 * beat), 72 + (8 * beat));
        var atriumLeft = Ring(dx - 52, dy - 326, 50 - (6 * beat), 42 - (5 * beat));
        var atriumRight = Ring(dx + 52, dy - 322, 48 - (6 * beat), 42 - (5 * beat));
        var nearest = MathF.Min(MathF.Min(left, right), MathF.Min(atriumLeft, atriumRight));

        // The two valves: bright lines that open and close.
        foreach (var side in (ReadOnlySpan<int>)[-1, 1])
        {
            var along = (dx - (side * 46)) * side;
            var leaf = MathF.Abs(dy - 272 + (MathF.Abs(along) * (0.15f + (0.45f * MathF.Max(0, beat)))));
            if (leaf < 3.5f && MathF.Abs(along) is > 6 and < 40) return 0.85f;
        }
        if (nearest < 0.97f) return 0.035f;
        if (nearest < 1.07f) return 0.62f;
        var heart = Ring(dx, dy - 240, 122, 176);
        return heart switch
        {
            < 0.96f => 0.36f,
            < 1.04f => 0.95f,
            _ => 0.2f,
        };
    }

    // Flow into the left ventricle (towards the probe: red) and out of it (away from the probe: blue).
    private static void Doppler(byte[] frame, int x, int y, float dx, float dy, float phase, float speckle)
    {
        var flow = MathF.Sin(phase + 1.2f);
        var jet = Ring(dx - 44, dy - 232, 20, 62);
        if (jet > 1 || MathF.Abs(flow) < 0.2f || speckle < 0.1f) return;
        var strength = (byte)(120 + (130 * MathF.Abs(flow) * (1 - jet)));
        if (flow > 0) Paint(frame, x, y, strength, (byte)(strength * (1 - jet) * 0.6f), 0);
        else Paint(frame, x, y, 0, (byte)(strength * (1 - jet) * 0.5f), strength);
    }

    private static float Ring(float dx, float dy, float rx, float ry) => MathF.Sqrt((dx * dx / (rx * rx)) + (dy * dy / (ry * ry)));

    // A tick per centimetre of depth, and the greyscale bar.
    private static void Ruler(byte[] frame)
    {
        for (var tick = 0; tick <= 16; tick++)
            for (var x = 0; x < (tick % 5 == 0 ? 12 : 6); x++)
                Paint(frame, 618 - x, TipY + (tick * Depth / 16), 210, 210, 210);
        for (var y = 0; y < 160; y++)
            for (var x = 0; x < 12; x++)
                Paint(frame, 14 + x, 40 + y, (byte)(255 - (y * 255 / 160)), (byte)(255 - (y * 255 / 160)), (byte)(255 - (y * 255 / 160)));
    }

    private static void Ecg(byte[] frame, int index)
    {
        var before = 456;
        for (var x = 40; x < 600; x++)
        {
            var t = (x - 40) % 280 / 280f;
            var complex = (34 * Peak(t, 0.3f, 0.011f)) - (8 * Peak(t, 0.27f, 0.009f)) - (12 * Peak(t, 0.33f, 0.01f));
            var wave = (9 * Peak(t, 0.18f, 0.03f)) + complex + (11 * Peak(t, 0.55f, 0.045f));
            var y = 462 - (int)wave;
            for (var step = Math.Min(before, y); step <= Math.Max(before, y); step++) Paint(frame, x, step, 60, 220, 90);
            before = y;
        }
        var now = 40 + (index * 560 / Frames);
        for (var y = 424; y < 476; y++) Paint(frame, now, y, 240, 200, 60);
    }

    private static float Peak(float t, float at, float width) => MathF.Exp(-((t - at) * (t - at)) / (2 * width * width));

    private static void Paint(byte[] frame, int x, int y, byte red, byte green, byte blue)
    {
        var at = ((y * Columns) + x) * 3;
        (frame[at], frame[at + 1], frame[at + 2]) = (red, green, blue);
    }
}
