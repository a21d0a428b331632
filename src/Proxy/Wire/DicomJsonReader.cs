using System.Buffers;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Unicode;
using Proxy.Dicom;

namespace Proxy.Wire;

/// <summary>Reads an array of DICOM JSON datasets (PS3.18 §F.2) from a stream, one at a time, as the bytes arrive.</summary>
/// <remarks>
/// <para>
/// Every token is checked, nothing is decoded: a dataset leaves as its own bytes with an index of its attributes. The
/// array is whole only when its <c>]</c> was read and nothing but white space follows; anything else is a
/// <see cref="MalformedAnswerException"/>, after the datasets that came before it.
/// </para>
/// <para>Memory: one dataset at a time, of at most <see cref="MaxDatasetBytes"/>.</para>
/// </remarks>
public static class DicomJsonReader
{
    /// <summary>The largest dataset that is read, in bytes of JSON: enhanced multi-frame objects reach tens of megabytes.</summary>
    public const int MaxDatasetBytes = 128 * 1024 * 1024;

    /// <summary>The longest answer that is read, in bytes, white space and all.</summary>
    public const long MaxAnswerBytes = 1L << 30;

    /// <summary>Nesting that is followed. A sequence costs three levels, so this is over eighty sequences deep.</summary>
    private const int MaxDepth = 256;

    private const int FirstBufferBytes = 128 * 1024;

    /// <summary>All datasets, each for as long as it is wanted.</summary>
    public static IAsyncEnumerable<Dataset> ReadAsync(Stream stream, CancellationToken cancellation = default) => ReadAsync(stream, rowsWithout: null, cancellation);

    /// <summary>
    /// Datasets that are only looked at: the attributes of each are read where they came in, until the next is asked for.
    /// Its text as a whole is not to be used: it still has the attribute that is left out.
    /// </summary>
    /// <param name="stream">The answer.</param>
    /// <param name="without">An attribute that no row is to have, whatever the answer says.</param>
    /// <param name="cancellation">Ends the reading.</param>
    public static IAsyncEnumerable<Dataset> ReadRowsAsync(Stream stream, Tag without, CancellationToken cancellation = default) => ReadAsync(stream, without, cancellation);

    private static async IAsyncEnumerable<Dataset> ReadAsync(Stream stream, Tag? rowsWithout, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var scan = new Scan(rowsWithout);
        var buffer = ArrayPool<byte>.Shared.Rent(FirstBufferBytes);
        try
        {
            int filled = 0, offset = 0;
            var isLast = false;
            var total = 0L;
            while (true)
            {
                var start = offset;
                while (Read(scan, buffer, ref offset, filled, isLast) is { } dataset) yield return dataset;
                if (isLast) break;

                // What is not read yet moves to the front; a token that did not fit asks for a larger buffer, so that a
                // long string is looked at a bounded number of times.
                var keptFrom = scan.DatasetStart >= 0 ? scan.DatasetStart : offset;
                if (keptFrom == 0 && filled == buffer.Length || offset == start && filled > buffer.Length / 2)
                    buffer = Grow(buffer, filled);
                if (keptFrom > 0)
                {
                    buffer.AsSpan(keptFrom, filled - keptFrom).CopyTo(buffer);
                    scan.Shift(keptFrom);
                    offset -= keptFrom;
                    filled -= keptFrom;
                }
                do
                {
                    var count = await stream.ReadAsync(buffer.AsMemory(filled), cancellation).ConfigureAwait(false);
                    isLast = count == 0;
                    filled += count;
                    if ((total += count) > MaxAnswerBytes) throw new MalformedAnswerException("The answer is longer than is read.");
                }
                while (!isLast && filled < buffer.Length / 2);
            }
            if (!scan.IsWhole) throw new MalformedAnswerException("The JSON array ends before its closing bracket.");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static byte[] Grow(byte[] buffer, int filled)
    {
        if (buffer.Length >= MaxDatasetBytes) throw new MalformedAnswerException("A dataset is larger than is read.");
        var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
        buffer.AsSpan(0, filled).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(buffer);
        return larger;
    }

    /// <summary>The next dataset that ends within what is filled; null when more must be read first.</summary>
    private static Dataset? Read(Scan scan, byte[] buffer, ref int offset, int filled, bool isLast)
    {
        if (filled - offset < 3 && !isLast) return null;
        if (!scan.HasBegun && buffer.AsSpan(offset, filled - offset).StartsWith("\uFEFF"u8)) offset += 3;
        var reader = new Utf8JsonReader(buffer.AsSpan(offset, filled - offset), isLast, scan.State);
        try
        {
            var dataset = scan.Read(ref reader, buffer, offset);
            offset += (int)reader.BytesConsumed;
            scan.State = reader.CurrentState;
            return dataset;
        }
        catch (JsonException e)
        {
            throw new MalformedAnswerException("The answer is not DICOM JSON.", new JsonException(null, null, e.LineNumber, e.BytePositionInLine));
        }
    }

    /// <summary>Where the reading stands between two buffers.</summary>
    private sealed class Scan(Tag? rowsWithout)
    {
        private readonly List<Dataset.Attribute> _attributes = new(128);
        private readonly List<Dataset.Link> _links = [];
        private Tag _tag;
        private int _valueStart;
        private bool _linkFollows;
        private bool _isBulkData;
        private Tag _innerTag;

        public JsonReaderState State { get; set; } = new(new() { MaxDepth = MaxDepth });

        public bool HasBegun { get; private set; }

        public bool IsWhole { get; private set; }

        /// <summary>Where the dataset begins that is being read; -1 between datasets.</summary>
        public int DatasetStart { get; private set; } = -1;

        public void Shift(int by)
        {
            if (DatasetStart >= 0) DatasetStart -= by;
        }

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
                    else if (type == JsonTokenType.EndObject) _attributes.Add(new(_tag, _valueStart, origin + (int)reader.BytesConsumed - DatasetStart));
                    else throw new MalformedAnswerException("An attribute is not an object.");
                }
                else if (depth == 1 && type == JsonTokenType.StartObject)
                {
                    DatasetStart = origin + (int)reader.TokenStartIndex;
                    _attributes.Clear();
                    _links.Clear();
                }
                else if (depth == 1 && type == JsonTokenType.EndObject)
                {
                    return EndDataset(buffer, buffer.AsSpan(DatasetStart..(origin + (int)reader.BytesConsumed)));
                }
                else if (depth == 0 && type == JsonTokenType.StartArray)
                {
                    HasBegun = true;
                }
                else if (depth == 0 && type == JsonTokenType.EndArray)
                {
                    IsWhole = true;
                }
                else
                {
                    throw new MalformedAnswerException("The answer is not an array of datasets.");
                }
            }
            return null;
        }

        /// <summary><c>"00080018": {…}</c>, a member of the dataset itself.</summary>
        private void OnTag(ref Utf8JsonReader reader)
        {
            _linkFollows = false;
            if (reader.ValueIsEscaped || !Tag.TryParse(reader.ValueSpan, out _tag)) throw new MalformedAnswerException("A member of a dataset is not named by a tag.");
            _innerTag = _tag;
        }

        /// <summary><c>"vr"</c>, <c>"Value"</c>, <c>"BulkDataURI"</c> or, inside a sequence, a tag again.</summary>
        private void OnInnerName(ref Utf8JsonReader reader)
        {
            _linkFollows = false;
            if (reader.ValueIsEscaped) throw new MalformedAnswerException("A member's name is written with escapes.");
            var name = reader.ValueSpan;
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
            if (reader.ValueIsEscaped) CheckEscapes(ref reader);
            if (!_linkFollows) return;
            var start = origin + (int)reader.TokenStartIndex + 1 - DatasetStart;
            _links.Add(new(start, start + reader.ValueSpan.Length, _isBulkData));
        }

        /// <summary>An escape may name half of a character, which is no text.</summary>
        private static void CheckEscapes(ref Utf8JsonReader reader)
        {
            try
            {
                reader.GetString();
            }
            catch (InvalidOperationException e)
            {
                throw new MalformedAnswerException("A string holds half a surrogate pair.", e);
            }
        }

        private Dataset EndDataset(byte[] buffer, ReadOnlySpan<byte> json)
        {
            if (!Utf8.IsValid(json)) throw new MalformedAnswerException("The answer is not UTF-8 (PS3.18 F.2).");
            if (json.IndexOf(DicomJsonWriter.RootMark) >= 0) throw new MalformedAnswerException("A string holds U+FFFF, which is no character.");
            if (HasRepeatedTag()) throw new MalformedAnswerException("An attribute stands twice in a dataset.");
            var text = buffer.AsMemory(DatasetStart, json.Length);
            DatasetStart = -1;
            return rowsWithout is null ? new(text.ToArray(), [.. _attributes], [.. _links]) : EndRow(text, rowsWithout.Value);
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
}
