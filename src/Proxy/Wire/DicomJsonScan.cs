using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Proxy.Dicom;

namespace Proxy.Wire;

/// <summary>Builds datasets from the tokens of an answer, and holds the state of the reading between two buffers.</summary>
/// <param name="rowsWithout">The attribute to exclude from rows; null for whole datasets.</param>
/// <param name="isTrusted">True for text that the proxy itself wrote, which needs no checks.</param>
internal sealed class DicomJsonScan(Tag? rowsWithout, bool isTrusted = false)
{
    /// <summary>The nesting limit. A sequence costs three levels, so it allows over eighty nested sequences.</summary>
    private const int MaxDepth = 256;

    private static readonly JsonReaderOptions Options = new() { MaxDepth = MaxDepth };

    private static readonly Dataset Empty = new("{}"u8.ToArray(), [], []);

    private readonly List<Dataset.Attribute> _attributes = new(128);
    private readonly List<Dataset.Link> _links = [];
    private Tag _tag;
    private int _valueStart;
    private bool _linkFollows;
    private bool _isBulkData;
    private Tag _innerTag;
    private bool _hasDatasets;
    private bool _hasOthers;

    /// <summary>The current attribute has an invalid name or contains an invalid string.</summary>
    private bool _isInvalid;

    /// <summary>The number of invalid attributes in the current dataset.</summary>
    private int _leftOut;

    /// <summary>A string of the current dataset may need a change.</summary>
    private bool _mayNeedRepair;

    public JsonReaderState State { get; set; } = new(Options);

    public bool HasBegun { get; private set; }

    public bool IsWhole { get; private set; }

    /// <summary>The offset of the current dataset; -1 between datasets.</summary>
    public int DatasetStart { get; private set; } = -1;

    public void Shift(int by)
    {
        if (DatasetStart >= 0) DatasetStart -= by;
    }

    /// <summary>Reads the only dataset of an array that the proxy wrote.</summary>
    public static Dataset ReadOne(byte[] array, Tag? rowsWithout)
    {
        var reader = new Utf8JsonReader(array, Options);
        return new DicomJsonScan(rowsWithout, isTrusted: true).Read(ref reader, array, 0)!;
    }

    /// <summary>The next dataset that ends in the buffer; null when more bytes must be read first, or at the end.</summary>
    public Dataset? Read(ref Utf8JsonReader reader, byte[] buffer, int origin)
    {
        while (reader.Read())
        {
            var depth = reader.CurrentDepth;
            var type = reader.TokenType;
            if (depth > 2)
            {
                if (type == JsonTokenType.PropertyName) OnInnerName(ref reader);
                else if (type == JsonTokenType.String) OnString(ref reader, origin);
            }
            else if (depth == 2)
            {
                if (type == JsonTokenType.PropertyName) OnTag(ref reader);
                else if (type == JsonTokenType.StartObject) _valueStart = origin + (int)reader.TokenStartIndex - DatasetStart;
                else if (type == JsonTokenType.EndObject && !_isInvalid) OnAttributeEnd(origin + (int)reader.BytesConsumed);
                else if (type != JsonTokenType.StartArray) _leftOut++;
            }
            else if (depth == 1 && type == JsonTokenType.StartObject)
            {
                DatasetStart = origin + (int)reader.TokenStartIndex;
                _hasDatasets = true;
                _attributes.Clear();
                _links.Clear();
                _leftOut = 0;
                _mayNeedRepair = false;
            }
            else if (depth == 1 && type == JsonTokenType.EndObject)
            {
                return EndDataset(buffer, buffer.AsSpan(DatasetStart..(origin + (int)reader.BytesConsumed)));
            }
            else if (depth == 0 && type == JsonTokenType.StartArray)
            {
                HasBegun = true;
            }
            else if (depth == 0 && type == JsonTokenType.EndArray && (_hasDatasets || !_hasOthers))
            {
                IsWhole = true;
            }
            else if (depth == 1 && type == JsonTokenType.StartArray)
            {
                // A nested array is skipped like an invalid attribute.
                _isInvalid = true;
            }
            else if (depth == 1)
            {
                _hasOthers = true;
                return Empty;
            }
            else
            {
                throw new MalformedAnswerException("The answer is not an array of datasets.");
            }
        }
        return null;
    }

    private void OnAttributeEnd(int end) => _attributes.Add(new(_tag, _valueStart, end - DatasetStart));

    /// <summary>Handles <c>"00080018": {…}</c>, a member of the dataset itself.</summary>
    private void OnTag(ref Utf8JsonReader reader)
    {
        _linkFollows = false;
        _isInvalid = !Tag.TryParse(reader.ValueSpan, out _tag) && !(reader.ValueIsEscaped && Tag.TryParse(FindText(ref reader), out _tag));
        _innerTag = _tag;
    }

    /// <summary>Handles <c>"vr"</c>, <c>"Value"</c>, <c>"BulkDataURI"</c> or, inside a sequence, another tag.</summary>
    private void OnInnerName(ref Utf8JsonReader reader)
    {
        _linkFollows = false;
        var name = reader.ValueSpan;
        if (reader.ValueIsEscaped)
        {
            var text = FindText(ref reader);
            _isInvalid |= text is null;
            name = Encoding.UTF8.GetBytes(text ?? "");
        }
        if (name.Length == 8 && Tag.TryParse(name, out var inner))
        {
            _innerTag = inner;
            return;
        }
        _isBulkData = name.SequenceEqual("BulkDataURI"u8);
        _linkFollows = _isBulkData || _innerTag == Tag.RetrieveUrl && name.SequenceEqual("Value"u8);
    }

    private void OnString(ref Utf8JsonReader reader, int origin)
    {
        var text = reader.ValueSpan;
        if (reader.ValueIsEscaped) OnEscapedString(ref reader);
        else if (text.Length > 0 && text[^1] == (byte)' ' && DicomJsonRepair.IsUid(_innerTag)) _mayNeedRepair = true;
        if (!_linkFollows || DatasetStart < 0) return;
        var start = origin + (int)reader.TokenStartIndex + 1 - DatasetStart;
        _links.Add(new(start, start + text.Length, _isBulkData));
    }

    private void OnEscapedString(ref Utf8JsonReader reader)
    {
        if (FindText(ref reader) is not { } text) _isInvalid = true;
        else if (DicomJsonRepair.MayNeedRepair(text, DicomJsonRepair.IsUid(_innerTag))) _mayNeedRepair = true;
    }

    /// <summary>The text of an escaped string; null when an escape is half of a surrogate pair, which is not valid text.</summary>
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

    private Dataset EndDataset(byte[] buffer, ReadOnlySpan<byte> json)
    {
        var text = buffer.AsMemory(DatasetStart, json.Length);
        DatasetStart = -1;
        if (!isTrusted && !Utf8.IsValid(json)) throw new MalformedAnswerException("The answer is not UTF-8 (PS3.18 F.2).");
        // U+FFFF is a noncharacter, and marks the root in stored datasets.
        var isClean = isTrusted
            || _leftOut == 0 && !_mayNeedRepair && json.IndexOf(DicomJsonWriter.RootMark) < 0 && !HasRepeatedTag();
        if (!isClean && Repair(json) is { } repaired) return repaired;
        return rowsWithout is null ? new(text.ToArray(), [.. _attributes], [.. _links]) : EndRow(text, rowsWithout.Value);
    }

    /// <summary>The rewritten dataset; null when it needs no repair.</summary>
    private Dataset? Repair(ReadOnlySpan<byte> json)
    {
        var text = DicomJsonRepair.Write(json, _attributes, _leftOut > 0, out var leftOut);
        if (text is null) return null;
        var dataset = ReadOne(text, rowsWithout);
        return new(dataset.Json, dataset.Attributes, dataset.Links) { LeftOut = _leftOut + leftOut };
    }

    private Dataset EndRow(ReadOnlyMemory<byte> text, Tag without)
    {
        var at = _attributes.FindIndex(a => a.Tag == without);
        if (at < 0) return new(text, [.. _attributes], [.. _links]);
        var (start, end) = (_attributes[at].Start, _attributes[at].End);
        _attributes.RemoveAt(at);
        _links.RemoveAll(l => l.Start >= start && l.End <= end);
        return new(text, [.. _attributes], [.. _links]);
    }

    private bool HasRepeatedTag()
    {
        var isAscending = true;
        for (var i = 1; i < _attributes.Count && isAscending; i++) isAscending = _attributes[i - 1].Tag < _attributes[i].Tag;
        return !isAscending && _attributes.DistinctBy(a => a.Tag).Count() < _attributes.Count;
    }
}
