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
        var written = 0;
        var isChanged = false;
        output.Write("[{"u8);
        foreach (var attribute in attributes)
        {
            var value = dataset[attribute.Start..attribute.End];
            if (value.IndexOf(DicomJsonWriter.RootMark) >= 0 || !starts.Contains(attribute.Start)) continue;
            if (written++ > 0) output.Write(","u8);
            DicomJsonWriter.WriteName(output, attribute.Tag);
            isChanged |= WriteRepaired(output, attribute.Tag, value);
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

    /// <summary>Writes an attribute's value object. The VR may follow the values, so the changes are collected first.</summary>
    /// <returns>True when the text changed.</returns>
    private static bool WriteRepaired(ArrayBufferWriter<byte> output, Tag tag, ReadOnlySpan<byte> attribute)
    {
        var copied = 0;
        foreach (var (start, end, text, vr) in FindRepairs(tag, attribute))
        {
            output.Write(attribute[copied..start]);
            var values = text.Split('\\');
            for (var i = 0; i < values.Length; i++)
            {
                if (i > 0) output.Write(","u8);
                WriteValue(output, vr == Uid ? values[i].TrimEnd('\0', ' ') : values[i]);
            }
            copied = end;
        }
        output.Write(attribute[copied..]);
        return copied > 0;
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
    private static List<(int Start, int End, string Text, string? Vr)> FindRepairs(Tag tag, ReadOnlySpan<byte> attribute)
    {
        var found = new List<(int Start, int End, string Text, int Object)>();
        // The VR of each object by its number, and the numbers of the open objects.
        var vrs = new List<string?>();
        var open = new Stack<int>();
        var (isVr, isValue) = (false, false);
        var reader = new Utf8JsonReader(attribute, Dataset.ReaderOptions);
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject:
                    open.Push(vrs.Count);
                    vrs.Add(vrs.Count == 0 && IsUid(tag) ? Uid : null);
                    break;
                case JsonTokenType.EndObject:
                    open.Pop();
                    isValue = false;
                    break;
                case JsonTokenType.PropertyName:
                    (isVr, isValue) = (reader.ValueTextEquals("vr"u8), reader.ValueTextEquals("Value"u8));
                    break;
                case JsonTokenType.String when isVr:
                    vrs[open.Peek()] = reader.GetString();
                    break;
                case JsonTokenType.String when isValue && (reader.ValueIsEscaped || reader.ValueSpan.EndsWith(" "u8)):
                    found.Add(((int)reader.TokenStartIndex, (int)reader.BytesConsumed, reader.GetString()!, open.Peek()));
                    break;
            }
        }
        return [.. from value in found
                   let vr = vrs[value.Object]
                   where MultiValued.Contains(vr) && MayNeedRepair(value.Text, isUid: vr == Uid)
                   select (value.Start, value.End, value.Text, vr)];
    }
}
