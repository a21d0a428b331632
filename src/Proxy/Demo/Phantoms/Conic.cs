namespace Proxy.Demo.Phantoms;

/// <summary>A rotated ellipse around the origin: Axx + 2Bxy + Cyy = 1.</summary>
internal readonly struct Conic
{
    private readonly float _a;
    private readonly float _b;
    private readonly float _c;

    /// <summary>An ellipse by its radii and its rotation in radians.</summary>
    public Conic(float rx, float ry, float angle)
    {
        var (sin, cos) = MathF.SinCos(angle);
        var (x, y) = (1 / (rx * rx), 1 / (ry * ry));
        _a = (cos * cos * x) + (sin * sin * y);
        _b = sin * cos * (x - y);
        _c = (sin * sin * x) + (cos * cos * y);
        Height = MathF.Sqrt(_a / ((_a * _c) - (_b * _b)));
    }

    /// <summary>Half of its vertical extent.</summary>
    public float Height { get; }

    /// <summary>The value of the equation's left side: 0 at the centre, 1 on the edge.</summary>
    public float At(float x, float y) => (_a * x * x) + (2 * _b * x * y) + (_c * y * y);

    /// <summary>The intersections with the horizontal line at <paramref name="y"/>.</summary>
    /// <returns>Whether the line intersects the ellipse.</returns>
    public bool TryCross(float y, out float left, out float right)
    {
        var root = (_b * _b * y * y) - (_a * ((_c * y * y) - 1));
        var half = root < 0 ? float.NaN : MathF.Sqrt(root) / _a;
        (left, right) = ((-_b * y / _a) - half, (-_b * y / _a) + half);
        return root >= 0;
    }
}
