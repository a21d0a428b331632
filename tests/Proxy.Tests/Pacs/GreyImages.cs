using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;

namespace Proxy.Tests.Pacs;

/// <summary>Lets a fake PACS hold images that can be rendered: uncompressed, grey, with a window.</summary>
/// <remarks>
/// A frame is a ramp: the value of a pixel is 16 times its column, plus the instance number. The window shows columns from black to
/// white.
/// </remarks>
public static class GreyImages
{
    public const int Side = 64;

    private const string ExplicitLittleEndian = "1.2.840.10008.1.2.1";

    /// <summary>All images of the PACS are ramps of 64 × 64 pixels.</summary>
    public static WireMockPacs WithGreyImages(this WireMockPacs pacs)
    {
        pacs.Respond(request => request.Path.Split('/') switch
        {
            [.., "metadata"] => AddPixels(pacs.Archive.Answer(request.Path, request.Query, "application/dicom+json")),
            [.., "instances", var instance, "frames", var frame]
                when pacs.Archive.Answer(request.Path, request.Query, request.Headers.GetValueOrDefault("Accept", "")).Status == 200 =>
                Archive.Multipart($"application/octet-stream; transfer-syntax={ExplicitLittleEndian}", CreateFrame(instance, frame)),
            _ => null,
        });
        return pacs;
    }

    /// <summary>Metadata whose images describe their pixels.</summary>
    public static PacsAnswer AddPixels(PacsAnswer metadata)
    {
        if (metadata.Status != 200) return metadata;
        var datasets = JsonNode.Parse(metadata.Body)!.AsArray();
        foreach (var dataset in datasets.Where(d => d!["00280010"] is not null))
        {
            foreach (var (tag, vr, value) in ((string, string, JsonNode)[])[
                ("00280002", "US", 1), ("00280004", "CS", "MONOCHROME2"), ("00280010", "US", Side), ("00280011", "US", Side),
                ("00280100", "US", 16), ("00280101", "US", 12), ("00280102", "US", 11), ("00280103", "US", 0), ("00281050", "DS", 512),
                ("00281051", "DS", 1024)])
                dataset![tag] = new JsonObject { ["vr"] = vr, ["Value"] = new JsonArray(value) };
        }
        return metadata with { Body = Encoding.UTF8.GetBytes(datasets.ToJsonString()) };
    }

    private static byte[] CreateFrame(string instance, string frame)
    {
        var bytes = new byte[Side * Side * 2];
        var number = int.Parse(instance.Split('.')[^1]) + int.Parse(frame);
        for (var i = 0; i < Side * Side; i++)
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(2 * i), (ushort)(16 * (i % Side) + number));
        return bytes;
    }
}
