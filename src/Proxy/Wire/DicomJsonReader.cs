using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Proxy.Dicom;

namespace Proxy.Wire;

/// <summary>Reads an array of DICOM JSON datasets (PS3.18 §F.2) from a stream, one at a time, as the bytes arrive.</summary>
/// <remarks>
/// <para>
/// Every token is checked, nothing is decoded: a dataset leaves as its own bytes with an index of its attributes. The
/// array is whole only when its <c>]</c> was read and nothing but white space follows; anything else is a
/// <see cref="MalformedAnswerException"/>, after the datasets that came before it.
/// </para>
/// <para>
/// JSON that is well-formed and not DICOM JSON costs no more than itself: an attribute is left out and counted
/// (<see cref="Dataset.LeftOut"/>), an element of the array that is no object is an empty dataset. An array without any
/// object is malformed: it is another service's answer.
/// </para>
/// <para>Memory: one dataset at a time, of at most <see cref="MaxDatasetBytes"/>.</para>
/// </remarks>
public static class DicomJsonReader
{
    /// <summary>The largest dataset that is read, in bytes of JSON: enhanced multi-frame objects reach tens of megabytes.</summary>
    public const int MaxDatasetBytes = 128 * 1024 * 1024;

    /// <summary>The longest answer that is read, in bytes, white space and all.</summary>
    public const long MaxAnswerBytes = 1L << 30;

    private const int FirstBufferBytes = 128 * 1024;

    /// <summary>All datasets, each for as long as it is wanted.</summary>
    public static IAsyncEnumerable<Dataset> ReadAsync(Stream stream, CancellationToken cancellation = default) =>
        ReadAsync(stream, rowsWithout: null, cancellation);

    /// <summary>
    /// Datasets that are only looked at: the attributes of each are read where they came in, until the next is asked for.
    /// Its text as a whole is not to be used: it still has the attribute that is left out.
    /// </summary>
    /// <param name="stream">The answer.</param>
    /// <param name="without">An attribute that no row is to have, whatever the answer says.</param>
    /// <param name="cancellation">Ends the reading.</param>
    public static IAsyncEnumerable<Dataset> ReadRowsAsync(Stream stream, Tag without, CancellationToken cancellation = default) =>
        ReadAsync(stream, without, cancellation);

    /// <summary>One dataset as it is kept: it was read before, and its URLs are under <see cref="DicomJsonWriter.RootMark"/>.</summary>
    public static Dataset ReadKept(ReadOnlySpan<byte> json) => DicomJsonScan.ReadOne([.. "["u8, .. json, .. "]"u8], rowsWithout: null);

    private static async IAsyncEnumerable<Dataset> ReadAsync(
        Stream stream, Tag? rowsWithout, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var scan = new DicomJsonScan(rowsWithout);
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
    private static Dataset? Read(DicomJsonScan scan, byte[] buffer, ref int offset, int filled, bool isLast)
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
            throw new MalformedAnswerException(
                "The answer is not DICOM JSON.", new JsonException(null, null, e.LineNumber, e.BytePositionInLine));
        }
    }
}
