using System.Text;
using System.Text.Json;

namespace Proxy.Dicom;

/// <summary>The kind of position of a <see cref="DatasetCursor"/>.</summary>
public enum DatasetNode
{
    /// <summary>A data element.</summary>
    Element,

    /// <summary>The beginning of an item of the sequence before it.</summary>
    Item,

    /// <summary>The end of the current item.</summary>
    ItemEnd,

    /// <summary>The end of the current sequence.</summary>
    SequenceEnd,
}

/// <summary>The form of an element's value (PS3.18 §F.2.2).</summary>
public enum ElementValue
{
    /// <summary>No value.</summary>
    Empty,

    /// <summary>A list of values.</summary>
    Values,

    /// <summary>Items, which the cursor visits next.</summary>
    Items,

    /// <summary>The URI of the value.</summary>
    BulkData,

    /// <summary>The value in base64.</summary>
    Inline,
}

/// <summary>A position in a dataset that moves from element to element, into the items of sequences and out of them (PS3.5 §7.5).</summary>
/// <remarks>
/// <code>
/// {"00080060":{"vr":"CS","Value":["CT"]},"00081140":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["1.2"]}}]}}
///  Element                                Element                       Item Element              ItemEnd  SequenceEnd
/// </code>
/// The source is DICOM JSON (PS3.18 Annex F) in any order of members; nothing is copied. Members that are not part of DICOM JSON
/// are passed over.
/// </remarks>
public ref struct DatasetCursor
{
    private readonly ReadOnlySpan<byte> _json;
    private Utf8JsonReader _reader;
    private (int Start, int End) _attribute;
    private (int Start, int End) _value;

    /// <summary>Creates a cursor in front of the first element.</summary>
    /// <param name="json">One dataset, from <c>{</c> to <c>}</c>.</param>
    public DatasetCursor(ReadOnlySpan<byte> json)
    {
        _json = json;
        _reader = new(json, Dataset.ReaderOptions);
        _reader.Read();
    }

    /// <summary>The kind of the current position.</summary>
    public DatasetNode Node { get; private set; }

    /// <summary>The number of items around the current position; 0 in the dataset itself.</summary>
    public int Depth { get; private set; }

    /// <summary>The tag of the current element.</summary>
    public Tag Tag { get; private set; }

    /// <summary>The two letters of the current element's VR; null when it is missing.</summary>
    public string? Vr { get; private set; }

    /// <summary>The form of the current element's value.</summary>
    public ElementValue Value { get; private set; }

    /// <summary>The offset of the current element's value object in the dataset.</summary>
    public int Start { get; private set; }

    /// <summary>The value object of the current element, such as <c>{"vr":"CS","Value":["CT"]}</c>; empty for a sequence.</summary>
    public readonly ReadOnlySpan<byte> Attribute => _json[_attribute.Start.._attribute.End];

    /// <summary>
    /// The text of the current element's value: the array of the values, or the string of a URI or of base64 with its quotes; empty for
    /// a sequence.
    /// </summary>
    public readonly ReadOnlySpan<byte> Text => _json[_value.Start.._value.End];

    /// <summary>The offset of <see cref="Text"/> in the dataset.</summary>
    public readonly int TextStart => _value.Start;

    /// <summary>Moves to the next position; false at the end of the dataset.</summary>
    public bool MoveNext()
    {
        if (Node == DatasetNode.Element && Value == ElementValue.Items || Node == DatasetNode.ItemEnd) return MoveToItem();
        while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName)
        {
            var isElement = Tag.TryParse(_reader.ValueSpan, out var tag)
                || _reader.ValueIsEscaped && Tag.TryParse(FindText(ref _reader), out tag);
            _reader.Read();
            if (isElement && _reader.TokenType == JsonTokenType.StartObject)
            {
                Tag = tag;
                ReadElement();
                return true;
            }
            _reader.Skip();
        }
        Node = DatasetNode.ItemEnd;
        return Depth-- > 0;
    }

    /// <summary>Moves to the next item of the current sequence, or to the end of the sequence.</summary>
    private bool MoveToItem()
    {
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
        {
            if (_reader.TokenType == JsonTokenType.StartObject)
            {
                Node = DatasetNode.Item;
                Depth++;
                return true;
            }
            _reader.Skip();
        }
        while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName) _reader.Skip();
        Node = DatasetNode.SequenceEnd;
        return true;
    }

    /// <summary>Reads the members of an element up to its end; of a sequence up to the beginning of its items.</summary>
    private void ReadElement()
    {
        (Node, Vr, Value, _value, _attribute) = (DatasetNode.Element, null, ElementValue.Empty, default, default);
        Start = (int)_reader.TokenStartIndex;
        while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName)
        {
            if (IsNamed(ref _reader, "vr"u8))
            {
                _reader.Read();
                if (_reader.TokenType == JsonTokenType.String) Vr = ReadVr(ref _reader);
                else _reader.Skip();
                continue;
            }
            var form = IsNamed(ref _reader, "Value"u8) ? ElementValue.Values
                : IsNamed(ref _reader, "BulkDataURI"u8) ? ElementValue.BulkData
                : IsNamed(ref _reader, "InlineBinary"u8) ? ElementValue.Inline
                : ElementValue.Empty;
            _reader.Read();
            var isForm = _reader.TokenType == (form == ElementValue.Values ? JsonTokenType.StartArray : JsonTokenType.String);
            if (form == ElementValue.Values && isForm && IsSequence())
            {
                Value = ElementValue.Items;
                return;
            }
            var valueStart = (int)_reader.TokenStartIndex;
            _reader.Skip();
            if (form != ElementValue.Empty && isForm) (Value, _value) = (form, (valueStart, (int)_reader.BytesConsumed));
        }
        _attribute = (Start, (int)_reader.BytesConsumed);
    }

    /// <summary>
    /// Whether the array at the reader contains items. The VR may follow it; without a VR the first object's name decides.
    /// </summary>
    private bool IsSequence()
    {
        var ahead = _reader;
        if (Vr is null)
        {
            ahead.Skip();
            while (ahead.Read() && ahead.TokenType == JsonTokenType.PropertyName)
            {
                var isVr = IsNamed(ref ahead, "vr"u8);
                ahead.Read();
                if (isVr && ahead.TokenType == JsonTokenType.String) Vr = ReadVr(ref ahead);
                ahead.Skip();
            }
        }
        if (Vr is not null) return Vr == "SQ";
        ahead = _reader;
        return ahead.Read() && ahead.TokenType == JsonTokenType.StartObject && ahead.Read()
            && ahead.TokenType == JsonTokenType.PropertyName && Tag.TryParse(ahead.ValueSpan, out _);
    }

    private static bool IsNamed(ref Utf8JsonReader reader, ReadOnlySpan<byte> name) =>
        reader.ValueIsEscaped ? FindText(ref reader) is { } text && Ascii.Equals(name, text) : reader.ValueSpan.SequenceEqual(name);

    /// <summary>The text of a VR; the usual ones are not allocated.</summary>
    private static string? ReadVr(ref Utf8JsonReader reader) =>
        reader is { ValueIsEscaped: false, ValueSpan: [var first, var second] } && FindVr(first, second) is { } vr
            ? vr
            : FindText(ref reader);

    /// <summary>The text of a string; null when an escape is half of a surrogate pair, which is not valid text.</summary>
    private static string? FindText(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private static string? FindVr(byte first, byte second)
    {
        foreach (var vr in Vrs)
        {
            if (vr[0] == first && vr[1] == second) return vr;
        }
        return null;
    }

    /// <summary>The VRs of PS3.5 Table 6.2-1.</summary>
    private static readonly string[] Vrs =
    [
        "CS", "UI", "DS", "IS", "DA", "TM", "LO", "SH", "PN", "US", "SQ", "AE", "AS", "AT", "DT", "FD", "FL", "LT", "OB", "OD", "OF", "OL",
        "OV", "OW", "SL", "SS", "ST", "SV", "UC", "UL", "UN", "UR", "UT", "UV",
    ];
}
