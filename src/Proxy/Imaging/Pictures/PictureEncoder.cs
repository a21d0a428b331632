using System.Buffers;
using System.Runtime.InteropServices;
using SkiaSharp;

namespace Proxy.Imaging.Pictures;

/// <summary>Encodes pixels as JPEG and PNG with Skia, which never sees bytes of a PACS, and as GIF.</summary>
internal static class PictureEncoder
{
    private const int PngLevel = 4;

    /// <summary>Encodes a raster.</summary>
    /// <param name="raster">The pixels.</param>
    /// <param name="parameters">Format and quality.</param>
    /// <param name="profile">The ICC profile of a colour picture; empty for none.</param>
    public static Picture Encode(Raster raster, PictureParameters parameters, ReadOnlySpan<byte> profile)
    {
        ReadOnlyMemory<byte> bytes = parameters.Format switch
        {
            PictureFormat.Gif => EncodeGif(raster, parameters),
            PictureFormat.Png => IccSegments.InsertIntoPng(EncodeWithSkia(raster, EncodePng), profile),
            _ => IccSegments.InsertIntoJpeg(EncodeWithSkia(raster, p => EncodeJpeg(p, parameters.Quality)), profile),
        };
        return new(bytes, parameters.Format, raster.Width, raster.Height);
    }

    private static ReadOnlyMemory<byte> EncodeGif(Raster raster, PictureParameters parameters)
    {
        var gif = new Animation(parameters);
        gif.Add(raster, TimeSpan.Zero);
        return gif.Complete().Bytes;
    }

    private static SKData? EncodeJpeg(SKPixmap pixels, int quality) => pixels.Encode(
        new SKJpegEncoderOptions(quality, SKJpegEncoderDownsample.Downsample444, SKJpegEncoderAlphaOption.Ignore));

    private static SKData? EncodePng(SKPixmap pixels) =>
        pixels.Encode(new SKPngEncoderOptions(SKPngEncoderFilterFlags.AllFilters, PngLevel));

    private static byte[] EncodeWithSkia(Raster raster, Func<SKPixmap, SKData?> encode)
    {
        if (raster.Components == 1) return EncodePixels(raster.Pixels, raster, SKColorType.Gray8, encode);
        var pixels = ArrayPool<byte>.Shared.Rent(raster.Width * raster.Height * 4);
        try
        {
            var to = pixels.AsSpan();
            for (var from = raster.Pixels.AsSpan(0, raster.Width * raster.Height * 3); from.Length > 0; from = from[3..], to = to[4..])
                (to[0], to[1], to[2], to[3]) = (from[0], from[1], from[2], byte.MaxValue);
            return EncodePixels(pixels, raster, SKColorType.Rgb888x, encode);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(pixels);
        }
    }

    private static byte[] EncodePixels(byte[] pixels, Raster raster, SKColorType type, Func<SKPixmap, SKData?> encode)
    {
        var pin = GCHandle.Alloc(pixels, GCHandleType.Pinned);
        try
        {
            using var map = new SKPixmap(new SKImageInfo(raster.Width, raster.Height, type, SKAlphaType.Opaque), pin.AddrOfPinnedObject());
            using var data = encode(map) ?? throw new InvalidOperationException("Skia cannot encode a picture that is within its bounds.");
            return data.ToArray();
        }
        finally
        {
            pin.Free();
        }
    }
}
