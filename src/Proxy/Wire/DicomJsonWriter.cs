using System.Buffers;
using Proxy.Dicom;

namespace Proxy.Wire;

/// <summary>Writes datasets for a client, with the address that the client used where a URL begins.</summary>
/// <remarks>
/// A kept dataset holds <see cref="RootMark"/> in place of the DICOMweb root, so that one kept copy serves every address
/// of the proxy. The mark is U+FFFF: a noncharacter that no text may hold, and legal inside a JSON string.
/// <code>
/// kept     {"00081190":{"vr":"UR","Value":["□/studies/1.2"]}}
/// written  {"00081190":{"vr":"UR","Value":["https://pacs.example/dicomweb/studies/1.2"]}}
/// </code>
/// Links to bulk data are signed on the way (<see cref="BulkTokens"/>).
/// </remarks>
public static class DicomJsonWriter
{
    private const int MaxTagsOnStack = 128;

    public static ReadOnlySpan<byte> RootMark => "\uFFFF"u8;

    /// <summary>Writes kept JSON for a client: its root at every mark, and links to bulk data signed.</summary>
    public static void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> kept, ClientRoot root)
    {
        for (int at; (at = kept.IndexOf(RootMark)) >= 0;)
        {
            output.Write(kept[..at]);
            output.Write(root.Address);
            kept = kept[(at + RootMark.Length)..];
            kept = kept[root.WriteBulkLink(output, kept)..];
        }
        output.Write(kept);
    }

    /// <summary>
    /// Writes kept JSON with <paramref name="root"/> (such as <c>https://host/dicomweb</c>) at every mark; links to bulk data stay as kept.
    /// </summary>
    public static void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> kept, ReadOnlySpan<byte> root)
    {
        for (int at; (at = kept.IndexOf(RootMark)) >= 0; kept = kept[(at + RootMark.Length)..])
        {
            output.Write(kept[..at]);
            output.Write(root);
        }
        output.Write(kept);
    }

    /// <summary>Writes a dataset with some attributes replaced, added or left out, in ascending order of tags (PS3.18 §F.2.2).</summary>
    /// <param name="output">Where to.</param>
    /// <param name="dataset">The dataset as kept.</param>
    /// <param name="changes">The new value object of an attribute; null leaves it out.</param>
    /// <param name="root">The DICOMweb root as the client sees it.</param>
    public static void Write(IBufferWriter<byte> output, Dataset dataset, IReadOnlyDictionary<Tag, byte[]?> changes, ClientRoot root)
    {
        Span<Tag> tags = stackalloc Tag[MaxTagsOnStack];
        var all = dataset.Attributes.Length + changes.Count;
        if (all > MaxTagsOnStack) tags = new Tag[all];
        var count = 0;
        foreach (var attribute in dataset.Attributes) tags[count++] = attribute.Tag;
        foreach (var (tag, _) in changes) tags[count++] = tag;
        tags[..count].Sort();
        output.Write("{"u8);
        var isFirst = true;
        for (var i = 0; i < count; i++)
        {
            var tag = tags[i];
            if (i > 0 && tag == tags[i - 1] || changes.TryGetValue(tag, out var change) && change is null) continue;
            if (!isFirst) output.Write(","u8);
            isFirst = false;
            WriteName(output, tag);
            Write(output, change is null ? dataset.FindAttribute(tag) : change, root);
        }
        output.Write("}"u8);
    }

    /// <summary><c>"0020000D":</c></summary>
    public static void WriteName(IBufferWriter<byte> output, Tag tag)
    {
        var name = output.GetSpan(11);
        System.Text.Unicode.Utf8.TryWrite(name, System.Globalization.CultureInfo.InvariantCulture, $"\"{tag.Value:X8}\":", out var length);
        output.Advance(length);
    }
}
