using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Proxy.Imaging;
using Proxy.Imaging.Pictures;
using Proxy.Imaging.Presentation;
using Xunit;

namespace Proxy.Tests.Imaging;

/// <summary>Small frames and datasets, and the pixels that they are drawn with.</summary>
internal static class Frames
{
    public const string Mono2 = "MONOCHROME2";

    /// <summary>A layout of one row.</summary>
    public static PixelLayout Layout(int columns, int allocated, int? stored = null, string photometric = Mono2, int samples = 1) => new()
    {
        Rows = 1,
        Columns = columns,
        SamplesPerPixel = samples,
        PhotometricInterpretation = photometric,
        BitsAllocated = allocated,
        BitsStored = stored ?? allocated,
        HighBit = (stored ?? allocated) - 1,
    };

    /// <summary>A frame of one row of 16-bit words.</summary>
    public static NativeFrame Words(params int[] values) => new(Layout(values.Length, 16), Bytes(values));

    /// <summary>A frame of one row of signed 16-bit words.</summary>
    public static NativeFrame Signed(params int[] values) => new(Layout(values.Length, 16) with { IsSigned = true }, Bytes(values));

    public static byte[] Bytes(params int[] words)
    {
        var bytes = new byte[words.Length * 2];
        for (var at = 0; at < words.Length; at++) BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(2 * at), (ushort)words[at]);
        return bytes;
    }

    /// <summary>A dataset in JSON with single quotes; an attribute is <c>'00281050':'DS 40'</c> or an object of DICOM JSON.</summary>
    public static byte[] Json(string text)
    {
        var dataset = JsonNode.Parse(text.Replace('\'', '"'))!.AsObject();
        foreach (var (tag, value) in dataset.ToList())
        {
            if (value is not JsonValue compact) continue;
            var parts = compact.GetValue<string>().Split(' ', 2);
            dataset[tag] = new JsonObject { ["vr"] = parts[0], ["Value"] = new JsonArray([.. parts[1].Split('\\').Select(Value)]) };

            JsonNode Value(string part) => parts[0] is "CS" ? JsonValue.Create(part)! : JsonNode.Parse(part)!;
        }
        return Encoding.UTF8.GetBytes(dataset.ToJsonString());
    }

    public static ImagePresentation Read(string json, int frame = 1) => ImagePresentation.Read(Json(json), frame);

    /// <summary>The components of all pixels of the picture, which must be possible.</summary>
    public static byte[] Draw(NativeFrame frame, ImagePresentation presentation, PictureParameters? parameters = null)
    {
        using var raster = FramePictures.Draw(frame, presentation, parameters ?? new(), out var reason);
        Assert.Null(reason);
        return raster!.Pixels[..(raster.Width * raster.Height * raster.Components)];
    }

    public static byte[] Draw(NativeFrame frame, string json = "{}", VoiWindow? window = null) =>
        Draw(frame, Read(json), new() { Window = window });
}
