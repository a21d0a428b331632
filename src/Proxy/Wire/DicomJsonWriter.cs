using System.Buffers;
using Proxy.Dicom;

namespace Proxy.Wire;

/// <summary>Writes datasets for a client, with the address that the client used at the beginning of every URL.</summary>
/// <remarks>
/// A stored dataset holds <see cref="RootMark"/> in place of the DICOMweb root, so that one stored copy serves every address
/// of the proxy. The mark is U+FFFF: a noncharacter that no valid text contains, and legal inside a JSON string.
/// <code>
/// stored   {"00081190":{"vr":"UR","Value":["□/studies/1.2"]}}
/// written  {"00081190":{"vr":"UR","Value":["https://pacs.example/dicomweb/studies/1.2"]}}
/// </code>
/// Links to bulk data are signed while they are written (<see cref="BulkTokens"/>).
/// </remarks>
public static class DicomJsonWriter
{
    private const int MaxTagsOnStack = 128;

    /// <summary>Stands for the DICOMweb root in stored datasets: U+FFFF in UTF-8.</summary>
    public static ReadOnlySpan<byte> RootMark => "\uFFFF"u8;

    /// <summary>Writes stored JSON for a client: its root at every mark, and signed links to bulk data.</summary>
    public static void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> stored, ClientRoot root)
    {
        for (int at; (at = stored.IndexOf(RootMark)) >= 0;)
        {
            output.Write(stored[..at]);
            output.Write(root.Address);
            stored = stored[(at + RootMark.Length)..];
            stored = stored[root.WriteBulkLink(output, stored)..];
        }
        output.Write(stored);
    }

    /// <summary>
    /// Writes stored JSON with <paramref name="root"/> (such as <c>https://host/dicomweb</c>) at every mark; bulk data links stay unsigned.
    /// </summary>
    public static void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> stored, ReadOnlySpan<byte> root)
    {
        for (int at; (at = stored.IndexOf(RootMark)) >= 0; stored = stored[(at + RootMark.Length)..])
        {
            output.Write(stored[..at]);
            output.Write(root);
        }
        output.Write(stored);
    }

    /// <summary>Writes a dataset with some attributes replaced, added or removed, in ascending order of tags (PS3.18 §F.2.2).</summary>
    /// <param name="output">Receives the JSON.</param>
    /// <param name="dataset">The stored dataset.</param>
    /// <param name="changes">The new value object of an attribute; null removes the attribute.</param>
    /// <param name="root">The DICOMweb root as the client addresses it.</param>
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

    /// <summary>Writes the name of a member, such as <c>"0020000D":</c></summary>
    public static void WriteName(IBufferWriter<byte> output, Tag tag)
    {
        var name = output.GetSpan(11);
        System.Text.Unicode.Utf8.TryWrite(name, System.Globalization.CultureInfo.InvariantCulture, $"\"{tag.Value:X8}\":", out var length);
        output.Advance(length);
    }
}
