namespace Proxy.Demo.Phantoms;

/// <summary>A turned ellipse about the origin as Axx + 2Bxy + Cyy = 1.</summary>
internal readonly struct Conic
{
    private readonly float _a;
    private readonly float _b;
    private readonly float _c;

    public Conic(float rx, float ry, float slot)
    {
        var (sin, cos) = MathF.SinCos(slot);
        var (x, y) = (1 / (rx * rx), 1 / (ry * ry));
        _a = (cos * cos * x) + (sin * sin * y);
        _b = sin * cos * (x - y);
        _c = (sin * sin * x) + (cos * cos * y);
        Height = MathF.Sqrt(_a / ((_a * _c) - (_b * _b)));
    }

    /// <summary>How far it reaches up and down.</summary>
    public float Height { get; }

    /// <summary>0 in the middle, 1 on the edge.</summary>
    public float At(float x, float y) => (_a * x * x) + (2 * _b * x * y) + (_c * y * y);

    /// <summary>Where the horizontal line at <paramref name="y"/> enters and leaves.</summary>
    public bool TryCross(float y, out float left, out float right)
    {
        var root = (_b * _b * y * y) - (_a * ((_c * y * y) - 1));
        var half = root < 0 ? float.NaN : MathF.Sqrt(root) / _a;
        (left, right) = ((-_b * y / _a) - half, (-_b * y / _a) + half);
        return root >= 0;
    }
}
