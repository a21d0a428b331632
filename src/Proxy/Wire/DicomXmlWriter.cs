using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using Proxy.Dicom;

namespace Proxy.Wire;

/// <summary>Writes a DICOM JSON dataset as XML: the Native DICOM Model (PS3.19 §A.1), in UTF-8.</summary>
/// <remarks>
/// <code>
/// {"00100010":{"vr":"PN","Value":[{"Alphabetic":"Doe^Jane"}]},"00291020":{"vr":"LO","Value":["x"]}}
///
/// &lt;NativeDicomModel xmlns="…" xml:space="preserve"&gt;
///   &lt;DicomAttribute tag="00100010" vr="PN" keyword="PatientName"&gt;
///     &lt;PersonName number="1"&gt;&lt;Alphabetic&gt;&lt;FamilyName&gt;Doe&lt;/FamilyName&gt;&lt;GivenName&gt;Jane…
///   &lt;DicomAttribute tag="00290020" vr="LO" privateCreator="ACME"&gt;&lt;Value number="1"&gt;x&lt;/Value&gt;…
/// </code>
/// <para>
/// A private attribute has the name of its creator and no block number (Table A.1.5-2), so the creator itself, like a group length,
/// is left out. Without a known creator it keeps its tag. Numbers keep their text. A character that XML 1.0 §2.2 forbids becomes
/// U+FFFD. Line ends are escaped, so the text has none: no line in it can be the delimiter of a multipart answer.
/// </para>
/// </remarks>
public static class DicomXmlWriter
{
    private static readonly string[] NameGroups = ["Alphabetic", "Ideographic", "Phonetic"];

    private static readonly string[] NameComponents = ["FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"];

    /// <summary>All that is escaped or may be forbidden: markup, control characters, and the lead byte of U+FFFE and U+FFFF.</summary>
    private static readonly SearchValues<byte> Special =
        SearchValues.Create([.. Enumerable.Range(0, 32).Select(b => (byte)b), (byte)'&', (byte)'<', (byte)'>', (byte)'"', 0xEF]);

    /// <summary>Writes one document.</summary>
    /// <param name="output">Receives the XML.</param>
    /// <param name="json">The dataset, with the URLs that the client gets.</param>
    public static void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> json)
    {
        output.Write("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"u8);
        output.Write("<NativeDicomModel xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\" xml:space=\"preserve\">"u8);
        var cursor = new DatasetCursor(json);
        // The creators of the private blocks of each dataset around the cursor, and the number of the item in its sequence.
        var levels = new Stack<(Dictionary<uint, string> Creators, int Items)>();
        var (creators, items) = (new Dictionary<uint, string>(), 0);
        while (cursor.MoveNext())
        {
            switch (cursor.Node)
            {
                case DatasetNode.Element when cursor.Value == ElementValue.Items:
                    WriteStart(output, ref cursor, creators);
                    levels.Push((creators, items));
                    items = 0;
                    break;
                case DatasetNode.Element:
                    WriteElement(output, ref cursor, creators);
                    break;
                case DatasetNode.Item:
                    WriteNumbered(output, "<Item"u8, ++items);
                    output.Write(">"u8);
                    creators = [];
                    break;
                case DatasetNode.ItemEnd:
                    output.Write("</Item>"u8);
                    break;
                default:
                    output.Write("</DicomAttribute>"u8);
                    (creators, items) = levels.Pop();
                    break;
            }
        }
        output.Write("</NativeDicomModel>"u8);
    }

    private static void WriteElement(IBufferWriter<byte> output, ref DatasetCursor cursor, Dictionary<uint, string> creators)
    {
        var tag = cursor.Tag;
        if ((tag.Value & 0xFFFF) == 0) return;
        if (tag.IsPrivateCreator)
        {
            if (Dataset.ReadFirst(cursor.Attribute) is { } creator) creators[tag.PrivateBlock] = creator;
            return;
        }
        WriteStart(output, ref cursor, creators);
        switch (cursor.Value)
        {
            case ElementValue.Values:
                WriteValues(output, cursor.Text, isName: cursor.Vr == "PN");
                break;
            case ElementValue.BulkData:
                output.Write("<BulkData uri=\""u8);
                WriteJsonString(output, cursor.Text);
                output.Write("\"/>"u8);
                break;
            case ElementValue.Inline:
                output.Write("<InlineBinary>"u8);
                WriteJsonString(output, cursor.Text);
                output.Write("</InlineBinary>"u8);
                break;
        }
        output.Write("</DicomAttribute>"u8);
    }

    private static void WriteStart(IBufferWriter<byte> output, ref DatasetCursor cursor, Dictionary<uint, string> creators)
    {
        var tag = cursor.Tag;
        var creator = tag.IsPrivate ? creators.GetValueOrDefault(tag.PrivateBlock) : null;
        output.Write("<DicomAttribute tag=\""u8);
        WriteHexadecimal(output, creator is null ? tag.Value : tag.Value & 0xFFFF00FF);
        if (cursor.Vr is { } vr)
        {
            output.Write("\" vr=\""u8);
            WriteText(output, vr);
        }
        if (Keywords.Find(tag) is { } keyword)
        {
            output.Write("\" keyword=\""u8);
            WriteText(output, keyword);
        }
        if (creator is not null)
        {
            output.Write("\" privateCreator=\""u8);
            WriteText(output, creator);
        }
        output.Write("\">"u8);
    }

    private static void WriteValues(IBufferWriter<byte> output, ReadOnlySpan<byte> array, bool isName)
    {
        var reader = new Utf8JsonReader(array, Dataset.ReaderOptions);
        reader.Read();
        for (var number = 1; reader.Read() && reader.TokenType != JsonTokenType.EndArray; number++)
        {
            WriteNumbered(output, isName ? "<PersonName"u8 : "<Value"u8, number);
            output.Write(">"u8);
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject when isName:
                    WriteName(output, ref reader);
                    break;
                // Some archives write a name as text, as they did before PS3.18 §F.2.2 defined the object.
                case JsonTokenType.String when isName:
                    WriteGroups(output, FindText(ref reader).Split('='));
                    break;
                case JsonTokenType.String when !reader.ValueIsEscaped:
                    WriteEscaped(output, reader.ValueSpan);
                    break;
                case JsonTokenType.String:
                    WriteText(output, FindText(ref reader));
                    break;
                case JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False:
                    WriteEscaped(output, reader.ValueSpan);
                    break;
                default:
                    reader.Skip();
                    break;
            }
            output.Write(isName ? "</PersonName>"u8 : "</Value>"u8);
        }
    }

    private static void WriteName(IBufferWriter<byte> output, ref Utf8JsonReader reader)
    {
        var groups = new string[NameGroups.Length];
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var group = Array.IndexOf(NameGroups, FindText(ref reader));
            reader.Read();
            if (group >= 0 && reader.TokenType == JsonTokenType.String) groups[group] = FindText(ref reader);
            else reader.Skip();
        }
        WriteGroups(output, groups);
    }

    /// <summary>Writes the groups and components of a name that have a value (PS3.5 §6.2.1).</summary>
    private static void WriteGroups(IBufferWriter<byte> output, string?[] groups)
    {
        for (var i = 0; i < Math.Min(groups.Length, NameGroups.Length); i++)
        {
            if (string.IsNullOrEmpty(groups[i])) continue;
            WriteTag(output, "<"u8, NameGroups[i]);
            var components = groups[i]!.Split('^', NameComponents.Length);
            for (var c = 0; c < components.Length; c++)
            {
                if (components[c].Length == 0) continue;
                WriteTag(output, "<"u8, NameComponents[c]);
                WriteText(output, components[c]);
                WriteTag(output, "</"u8, NameComponents[c]);
            }
            WriteTag(output, "</"u8, NameGroups[i]);
        }
    }

    private static void WriteTag(IBufferWriter<byte> output, ReadOnlySpan<byte> open, string name)
    {
        output.Write(open);
        output.Advance(Encoding.ASCII.GetBytes(name, output.GetSpan(name.Length)));
        output.Write(">"u8);
    }

    private static void WriteNumbered(IBufferWriter<byte> output, ReadOnlySpan<byte> start, int number)
    {
        output.Write(start);
        output.Write(" number=\""u8);
        var room = output.GetSpan(10);
        Utf8Formatter.TryFormat(number, room, out var length);
        output.Advance(length);
        output.Write("\""u8);
    }

    private static void WriteHexadecimal(IBufferWriter<byte> output, uint tag)
    {
        var room = output.GetSpan(8);
        Utf8Formatter.TryFormat(tag, room, out var length, new StandardFormat('X', 8));
        output.Advance(length);
    }

    /// <summary>The text of a string or a name; with U+FFFD for text that is not valid.</summary>
    private static string FindText(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair, escaped.
            return "\uFFFD";
        }
    }

    private static void WriteJsonString(IBufferWriter<byte> output, ReadOnlySpan<byte> quoted)
    {
        var reader = new Utf8JsonReader(quoted);
        reader.Read();
        if (reader.ValueIsEscaped) WriteText(output, FindText(ref reader));
        else WriteEscaped(output, reader.ValueSpan);
    }

    private static void WriteText(IBufferWriter<byte> output, string text)
    {
        var length = Encoding.UTF8.GetByteCount(text);
        if (length <= 512)
        {
            Span<byte> bytes = stackalloc byte[length];
            Encoding.UTF8.GetBytes(text, bytes);
            WriteEscaped(output, bytes);
        }
        else
        {
            WriteEscaped(output, Encoding.UTF8.GetBytes(text));
        }
    }

    private static void WriteEscaped(IBufferWriter<byte> output, ReadOnlySpan<byte> text)
    {
        for (int at; (at = text.IndexOfAny(Special)) >= 0;)
        {
            output.Write(text[..at]);
            text = text[at..];
            var length = 1;
            output.Write(text[0] switch
            {
                (byte)'&' => "&amp;"u8,
                (byte)'<' => "&lt;"u8,
                (byte)'>' => "&gt;"u8,
                (byte)'"' => "&quot;"u8,
                (byte)'\t' => "&#9;"u8,
                (byte)'\n' => "&#10;"u8,
                (byte)'\r' => "&#13;"u8,
                0xEF => text[..(length = Math.Min(3, text.Length))] is [_, 0xBF, 0xBE or 0xBF] ? "\uFFFD"u8 : text[..length],
                _ => "\uFFFD"u8,
            });
            text = text[length..];
        }
        output.Write(text);
    }
}
