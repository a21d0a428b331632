using Proxy.Tests.Wire;

namespace Proxy.Tests.Pacs;

/// <summary>Requests that store instances, and the answers of a fake PACS.</summary>
internal static class StowMessage
{
    public const string ContentType = "multipart/related; type=\"application/dicom\"; boundary=a-part";

    /// <summary>A file of this instance, with a private value of this length instead of pixels.</summary>
    public static byte[] File(string study, string series, string instance, int bytes = 1000) =>
    [
        .. new Part10File().Set(0x00020003, "UI", Part10File.Even(instance, '\0')).Set(0x00080018, "UI", Part10File.Even(instance, '\0'))
            .Set(0x0020000D, "UI", Part10File.Even(study, '\0')).Set(0x0020000E, "UI", Part10File.Even(series, '\0'))
            .Set(0x00210010, "LO", "TESTS").Set(0x00211001, "OB", Pixels.Create(instance, bytes)).ToArray(),
    ];

    /// <summary>The files as parts, framed as viewers frame them: without lengths.</summary>
    public static byte[] Join(params IEnumerable<byte[]> files) =>
    [
        .. files.SelectMany(
            file => (byte[])[.. "--a-part\r\nContent-Type: application/dicom\r\n\r\n"u8, .. file, .. "\r\n"u8]), .. "--a-part--\r\n"u8,
    ];

    /// <summary>The body of a request.</summary>
    public static HttpContent Body(params IEnumerable<byte[]> files) => WithType(new ByteArrayContent(Join(files)));

    public static HttpContent WithType(HttpContent content, string type = ContentType)
    {
        content.Headers.Remove("Content-Type");
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        return content;
    }

    /// <summary>The dataset that a PACS answers with; <paramref name="root"/> is its own.</summary>
    public static string Stored(string root, string study, string series, params IEnumerable<string> instances)
    {
        const string Item =
            """{"00081155":{"vr":"UI","Value":["#"]},"00081190":{"vr":"UR","Value":["{study}/series/{series}/instances/#"]}}""";
        const string All = """{"00081190":{"vr":"UR","Value":["{study}"]},"00081199":{"vr":"SQ","Value":[{items}]}}""";
        var items = string.Join(',', instances.Select(i => Item.Replace("#", i, StringComparison.Ordinal)));
        return All.Replace("{items}", items, StringComparison.Ordinal).Replace("{series}", series, StringComparison.Ordinal)
            .Replace("{study}", $"{root}/studies/{study}", StringComparison.Ordinal);
    }
}
