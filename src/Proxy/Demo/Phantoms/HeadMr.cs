using System.Runtime.InteropServices;

namespace Proxy.Demo.Phantoms;

/// <summary>The brightness of each tissue in one MR contrast.</summary>
/// <param name="Fat">Fat.</param>
/// <param name="Fluid">Cerebrospinal fluid.</param>
/// <param name="Grey">Grey matter.</param>
/// <param name="White">White matter.</param>
/// <param name="Lesion">Lesions of the white matter.</param>
internal sealed record MrContrast(short Fat, short Fluid, short Grey, short White, short Lesion)
{
    /// <summary>T1 weighting.</summary>
    public static MrContrast T1 { get; } = new(1250, 210, 620, 900, 520);

    /// <summary>T2 weighting.</summary>
    public static MrContrast T2 { get; } = new(950, 1700, 900, 600, 1350);

    /// <summary>Fluid-attenuated inversion recovery.</summary>
    public static MrContrast Flair { get; } = new(760, 130, 800, 620, 1500);
}

/// <summary>An axial head MR: the same anatomy in three contrasts.</summary>
/// <param name="Contrast">T1, T2 or FLAIR.</param>
/// <param name="Lesions">The number of lesions of the white matter, 0 to 6; more in a later study.</param>
/// <param name="Seed">The seed of the noise, different per series.</param>
internal sealed record HeadMr(MrContrast Contrast, int Lesions, uint Seed)
{
    /// <summary>Rows and columns.</summary>
    public const int Size = 256;

    /// <summary>The pixel spacing, in mm.</summary>
    public const float Spacing = 0.9f;

    private const short Bone = 70;
    private const short Air = 12;

    // Centre in mm, height of the centre, radius in mm.
    private static readonly (float X, float Y, float Height, float Radius)[] Spots =
    [
        (-26, -22, 0.62f, 6), (24, 26, 0.58f, 7), (-22, 30, 0.66f, 5), (28, -8, 0.7f, 6), (-30, 6, 0.74f, 5), (20, -30, 0.64f, 4),
    ];

    /// <summary>Generates the frame at a height from 0 (the eyes) to 1 (the crown).</summary>
    public byte[] Frame(float height)
    {
        var frame = GC.AllocateUninitializedArray<byte>(Size * Size * 2);
        var canvas = new Canvas(frame, Size, Size, Spacing);
        Paint(MemoryMarshal.Cast<byte, short>(frame.AsSpan()), height);
        Inside(canvas, height);
        canvas.Blur();
        canvas.AddNoise(Seed + (uint)(height * 100), 60);
        canvas.Store(0, 4095);
        return frame;
    }

    // Scalp, skull and folded cortex, pixel by pixel.
    private void Paint(Span<short> pixels, float height)
    {
        var scale = MathF.Sqrt(1 - (0.8f * height * height));
        var (a, b) = (73 * scale, 93 * scale);
        for (var i = 0; i < pixels.Length; i++)
        {
            var x = ((i % Size) - (Size / 2)) * Spacing;
            var y = ((i / Size) - (Size / 2)) * Spacing;
            var r = MathF.Sqrt((x * x / (a * a)) + (y * y / (b * b)));
            var depth = (1 - r) * (a + b) / 2;
            pixels[i] = depth switch
            {
                < 0 => Air,
                < 1.8f => (short)(Contrast.Fat / 2),
                < 6 => Contrast.Fat,
                < 12 => Bone,
                < 14 => Contrast.Fluid,
                _ => Brain(x, y, depth - 14, height),
            };
        }
    }

    // Folds of the cortex: fluid in the sulci, grey matter along them and below the surface, white matter inside.
    private short Brain(float x, float y, float depth, float height)
    {
        var cleft = MathF.Abs(x + (1.2f * MathF.Sin(y / 7)));
        var parted = MathF.Abs(y) > 30 || height > 0.72f;
        if (parted && cleft < 1.3f) return Contrast.Fluid;

        var angle = MathF.Atan2(x, y);
        var wave = MathF.Sin((21 * angle) + (1.5f * MathF.Sin((5 * angle) + (6 * height))) + (0.07f * depth * MathF.Sin(4 * angle)));
        var reach = 13 + (7 * MathF.Sin((3 * angle) + 1.7f + (5 * height)));
        if (wave < -0.86f && depth < reach) return Contrast.Fluid;
        var grey = depth < 4 + (1.5f * wave) || (wave < -0.3f && depth < reach + 3) || (parted && cleft < 4.5f);
        return grey ? Contrast.Grey : Contrast.White;
    }

    private void Inside(Canvas canvas, float height)
    {
        foreach (var side in (ReadOnlySpan<int>)[-1, 1])
        {
            // Basal ganglia and thalamus, then the ventricles, whose horns diverge with the height.
            var deep = height - 0.45f;
            canvas.Ellipsoid(side * 24, -8, deep, 6, 17, 0.16f, Contrast.Grey, side * 0.2f);
            canvas.Ellipsoid(side * 10, 10, deep, 8, 13, 0.15f, Contrast.Grey, side * 0.45f);
            canvas.Ellipsoid(side * 12, -22, deep - 0.08f, 5, 11, 0.18f, Contrast.Grey, side * -0.3f);
            var horn = height - 0.56f;
            canvas.Ellipsoid(side * 8, -20, horn, 4, 15, 0.19f, Contrast.Fluid, side * -0.35f);
            canvas.Ellipsoid(side * 9, 4, horn - 0.06f, 4, 20, 0.13f, Contrast.Fluid, side * 0.1f);
            canvas.Ellipsoid(side * 18, 28, horn, 4.5f, 17, 0.17f, Contrast.Fluid, side * 0.45f);

            // At eye level: the globes with their lenses in fat, and the cerebellum.
            canvas.Ellipsoid(side * 30, -62, height + 0.02f, 19, 22, 0.2f, Contrast.Fat);
            canvas.Ellipsoid(side * 31, -68, height, 12.5f, 12.5f, 0.13f, Contrast.Fluid);
            canvas.Ellipsoid(side * 31, -79, height, 4.5f, 2, 0.09f, Bone);
            canvas.Ellipsoid(side * 28, 44, height, 33, 25, 0.25f, Contrast.Grey, side * -0.3f);
            for (var fold = 0; fold < 6; fold++)
                canvas.Ellipsoid(
                    side * 27, 27 + (fold * 6.5f), height, 24 - MathF.Abs((fold - 2.5f) * 5), 1.6f, 0.22f, Contrast.White, side * -0.3f);
        }
        canvas.Ellipsoid(0, 6, height - 0.43f, 2, 13, 0.13f, Contrast.Fluid);
        canvas.Ellipsoid(0, 4, height, 16, 15, 0.26f, Contrast.White);
        canvas.Ellipsoid(0, 22, height - 0.05f, 8, 5, 0.14f, Contrast.Fluid);
        canvas.Ellipsoid(0, -70, height, 9, 20, 0.14f, Air);
        foreach (var (x, y, at, radius) in Spots.AsSpan(0, Lesions))
            canvas.Ellipsoid(x, y, (height - at) * 130, radius, radius * 0.75f, radius * 1.5f, Contrast.Lesion, x);
    }
}
