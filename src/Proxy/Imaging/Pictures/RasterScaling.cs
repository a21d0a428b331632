using System.Buffers;
using System.Numerics;
using Proxy.Imaging.Presentation;

namespace Proxy.Imaging.Pictures;

/// <summary>Scales the rows of a frame to a picture: means when it becomes smaller, linear interpolation when it becomes larger.</summary>
/// <remarks>
/// Each row of the picture is a weighted sum of rows of the frame, which is then scaled horizontally. The frame is never held as a
/// whole in 8 bits.
/// </remarks>
internal static class RasterScaling
{
    /// <summary>Draws a picture. The caller disposes it.</summary>
    public static Raster Draw(PixelRows rows, PictureGeometry geometry)
    {
        var raster = new Raster(geometry.Width, geometry.Height, rows.Components);
        try
        {
            if (geometry.Width == geometry.Columns && geometry.Height == geometry.Rows) Copy(rows, geometry, raster);
            else Scale(rows, geometry, raster);
            return raster;
        }
        catch
        {
            raster.Dispose();
            throw;
        }
    }

    private static void Copy(PixelRows rows, PictureGeometry geometry, Raster raster)
    {
        for (var y = 0; y < geometry.Height; y++)
        {
            var row = raster.Row(geometry.IsFlippedVertically ? geometry.Height - 1 - y : y);
            rows.Read(geometry.Y + y, geometry.X, row);
            if (geometry.IsFlippedHorizontally) Flip(row, raster.Components);
        }
    }

    private static void Scale(PixelRows rows, PictureGeometry geometry, Raster raster)
    {
        var length = geometry.Columns * raster.Components;
        var source = ArrayPool<byte>.Shared.Rent(length);
        var sums = ArrayPool<float>.Shared.Rent(length);
        try
        {
            var vertical = new ScalingAxis(geometry.Rows, geometry.Height);
            var horizontal = new ScalingAxis(geometry.Columns, geometry.Width);
            for (var y = 0; y < geometry.Height; y++)
            {
                var sum = sums.AsSpan(0, length);
                sum.Clear();
                var at = vertical.Starts[y];
                foreach (var weight in vertical.Weights(y))
                {
                    rows.Read(geometry.Y + at++, geometry.X, source.AsSpan(0, length));
                    AddRow(sum, source.AsSpan(0, length), weight);
                }
                var row = raster.Row(geometry.IsFlippedVertically ? geometry.Height - 1 - y : y);
                ScaleRow(sum, horizontal, row, raster.Components);
                if (geometry.IsFlippedHorizontally) Flip(row, raster.Components);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(source);
            ArrayPool<float>.Shared.Return(sums);
        }
    }

    private static void AddRow(Span<float> sum, ReadOnlySpan<byte> row, float weight)
    {
        var (at, step) = (0, Vector<float>.Count);
        var factor = new Vector<float>(weight);
        for (; at + Vector<byte>.Count <= row.Length; at += Vector<byte>.Count)
        {
            Vector.Widen(new Vector<byte>(row[at..]), out var low, out var high);
            Vector.Widen(low, out var first, out var second);
            Vector.Widen(high, out var third, out var fourth);
            var to = sum.Slice(at, 4 * step);
            Add(to, first);
            Add(to[step..], second);
            Add(to[(2 * step)..], third);
            Add(to[(3 * step)..], fourth);
        }
        for (; at < row.Length; at++) sum[at] += weight * row[at];

        void Add(Span<float> to, Vector<uint> samples) =>
            (new Vector<float>(to) + factor * Vector.ConvertToSingle(Vector.AsVectorInt32(samples))).CopyTo(to);
    }

    private static void ScaleRow(ReadOnlySpan<float> sum, ScalingAxis axis, Span<byte> row, int components)
    {
        for (var x = 0; x < axis.Starts.Length; x++)
        {
            var weights = axis.Weights(x);
            for (var component = 0; component < components; component++)
            {
                var (value, at) = (0.5f, axis.Starts[x] * components + component);
                foreach (var weight in weights)
                {
                    value += weight * sum[at];
                    at += components;
                }
                row[x * components + component] = (byte)Math.Clamp(value, 0, 255);
            }
        }
    }

    private static void Flip(Span<byte> row, int components)
    {
        row.Reverse();
        if (components == 1) return;
        for (; row.Length >= 3; row = row[3..]) (row[0], row[2]) = (row[2], row[0]);
    }
}
