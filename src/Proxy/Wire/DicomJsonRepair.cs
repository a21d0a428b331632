using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Proxy.Dicom;

namespace Proxy.Wire;

/// <summary>Rewrites a dataset without its invalid attributes, and with its values in the form that PS3.18 §F.2 requires.</summary>
/// <remarks>
/// <code>
/// removed    an attribute that contains U+FFFF, a noncharacter; a tag that occurs twice with different values
/// changed    {"vr":"CS","Value":["CT\\SR"]}   →  {"vr":"CS","Value":["CT","SR"]}     PS3.5 §6.4: \ separates values
///            {"vr":"UI","Value":["1.2.3 "]}   →  {"vr":"UI","Value":["1.2.3"]}       PS3.5 §9.1: padding is not part of a UID
/// </code>
/// Few datasets need it; <see cref="DicomJsonReader"/> finds them while it reads.
/// </remarks>
internal static class DicomJsonRepair
{
    private const string Uid = "UI";

    /// <summary>VRs in which <c>\</c> separates values; in LT, ST, UT and UR it is text (PS3.5 §6.2).</summary>
    private static readonly string[] MultiValued = ["AE", "AS", "AT", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UC", Uid];

    /// <summary>True when <see cref="Write"/> may change a text: it contains <c>\</c> or, in a UID, trailing padding.</summary>
    public static bool MayNeedRepair(string text, bool isUid) =>
        text.Contains('\\', StringComparison.Ordinal) || isUid && text.Length > 0 && text[^1] is ' ' or '\0';

    /// <summary>True for an attribute that identifies a study, a series, an instance or a frame of reference.</summary>
    public static bool IsUid(Tag tag) => tag.Value is 0x0020000D or 0x0020000E or 0x00080018 or 0x00081155 or 0x00200052;

    /// <summary>Writes an array that contains only the repaired dataset.</summary>
    /// <param name="dataset">The text of the dataset.</param>
    /// <param name="attributes">Its valid attributes: objects named by a tag.</param>
    /// <param name="hasOthers">True when it has other members.</param>
    /// <param name="leftOut">The number of valid attributes that are removed.</param>
    /// <returns>Null when the dataset needs no repair.</returns>
    public static byte[]? Write(ReadOnlySpan<byte> dataset, IReadOnlyList<Dataset.Attribute> attributes, bool hasOthers, out int leftOut)
    {
        var output = new ArrayBufferWriter<byte>(dataset.Length + 64);
        var starts = FindStarts(dataset, attributes);
        var changes = FindChanges(dataset, starts);
        var written = 0;
        var isChanged = false;
        output.Write("[{"u8);
        foreach (var attribute in attributes)
        {
            var value = dataset[attribute.Start..attribute.End];
            if (value.IndexOf(DicomJsonWriter.RootMark) >= 0 || !starts.Contains(attribute.Start)) continue;
            if (written++ > 0) output.Write(","u8);
            DicomJsonWriter.WriteName(output, attribute.Tag);
            isChanged |= WriteRepaired(output, dataset, attribute, changes);
        }
        output.Write("}]"u8);
        leftOut = attributes.Count - written;
        return isChanged || hasOthers || leftOut > 0 ? output.WrittenSpan.ToArray() : null;
    }

    /// <summary>
    /// The start offsets of the attributes to write. Of a repeated tag with equal values the first is written; with different
    /// values none, because either may be wrong.
    /// </summary>
    private static HashSet<int> FindStarts(ReadOnlySpan<byte> dataset, IReadOnlyList<Dataset.Attribute> attributes)
    {
        var firsts = new Dictionary<Tag, Dataset.Attribute>(attributes.Count);
        var starts = new HashSet<int>(attributes.Count);
        foreach (var attribute in attributes)
        {
            if (firsts.TryAdd(attribute.Tag, attribute))
            {
                starts.Add(attribute.Start);
                continue;
            }
            var first = firsts[attribute.Tag];
            var isSame = dataset[first.Start..first.End].SequenceEqual(dataset[attribute.Start..attribute.End]);
            if (!isSame) starts.Remove(first.Start);
        }
        return starts;
    }

    /// <summary>Writes an attribute's value object with its changes.</summary>
    /// <returns>True when the text changed.</returns>
    private static bool WriteRepaired(
        ArrayBufferWriter<byte> output, ReadOnlySpan<byte> dataset, Dataset.Attribute attribute, Queue<Change> changes)
    {
        var copied = attribute.Start;
        while (changes.TryPeek(out var change) && change.End <= attribute.End)
        {
            changes.Dequeue();
            if (change.Start < attribute.Start) continue;
            output.Write(dataset[copied..change.Start]);
            var values = change.Text.Split('\\');
            for (var i = 0; i < values.Length; i++)
            {
                if (i > 0) output.Write(","u8);
                WriteValue(output, change.IsUid ? values[i].TrimEnd('\0', ' ') : values[i]);
            }
            copied = change.End;
        }
        output.Write(dataset[copied..attribute.End]);
        return copied > attribute.Start;
    }

    /// <summary>An empty value is written as null (PS3.18 §F.2.5).</summary>
    private static void WriteValue(ArrayBufferWriter<byte> output, string value)
    {
        if (value.Length == 0)
        {
            output.Write("null"u8);
            return;
        }
        output.Write("\""u8);
        output.Write(JsonEncodedText.Encode(value, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes);
        output.Write("\""u8);
    }

    /// <summary>The strings directly in a <c>Value</c> that must change, with the offsets of their quotes, at any depth.</summary>
    /// <param name="dataset">The text of the dataset.</param>
    /// <param name="starts">The offsets of the attributes to read.</param>
    private static Queue<Change> FindChanges(ReadOnlySpan<byte> dataset, HashSet<int> starts)
    {
        var changes = new Queue<Change>();
        var cursor = new DatasetCursor(dataset);
        var isRead = false;
        while (cursor.MoveNext())
        {
            if (cursor.Node != DatasetNode.Element) continue;
            if (cursor.Depth == 0) isRead = starts.Contains(cursor.Start);
            var vr = cursor.Vr ?? (cursor.Depth == 0 && IsUid(cursor.Tag) ? Uid : null);
            if (!isRead || cursor.Value != ElementValue.Values || !MultiValued.Contains(vr)) continue;
            var reader = new Utf8JsonReader(cursor.Text, Dataset.ReaderOptions);
            while (reader.Read())
            {
                if (reader.CurrentDepth != 1 || reader.TokenType != JsonTokenType.String
                    || !reader.ValueIsEscaped && !reader.ValueSpan.EndsWith(" "u8)
                    || reader.GetString() is not { } text || !MayNeedRepair(text, isUid: vr == Uid))
                    continue;
                changes.Enqueue(
                    new(cursor.TextStart + (int)reader.TokenStartIndex, cursor.TextStart + (int)reader.BytesConsumed, text, vr == Uid));
            }
        }
        return changes;
    }

    /// <summary>A string to rewrite.</summary>
    /// <param name="Start">The offset of its opening quote in the dataset.</param>
    /// <param name="End">The offset behind its closing quote.</param>
    /// <param name="Text">The text.</param>
    /// <param name="IsUid">True when trailing padding is removed.</param>
    private readonly record struct Change(int Start, int End, string Text, bool IsUid);
}
