using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Proxy.Dicom;

namespace Proxy.Wire;

/// <summary>Reads an array of DICOM JSON datasets (PS3.18 §F.2) from a stream, one at a time, as the bytes arrive.</summary>
/// <remarks>
/// <para>
/// Every token is checked, but no value is decoded: a dataset is its own bytes with an index of its attributes. The array is
/// complete only when its <c>]</c> was read and only white space follows. Anything else throws a
/// <see cref="MalformedAnswerException"/>, after the datasets before the error were returned.
/// </para>
/// <para>
/// Well-formed JSON that is not DICOM JSON does not fail the answer: an invalid attribute is removed and counted
/// (<see cref="Dataset.LeftOut"/>), and an element of the array that is not an object becomes an empty dataset. An array with
/// elements but without any object is malformed: it is the answer of another service.
/// </para>
/// <para>Memory: one dataset at a time, of at most <see cref="MaxDatasetBytes"/>.</para>
/// </remarks>
public static class DicomJsonReader
{
    /// <summary>The largest accepted dataset, in bytes of JSON: enhanced multi-frame objects reach tens of megabytes.</summary>
    public const int MaxDatasetBytes = 128 * 1024 * 1024;

    /// <summary>The longest accepted answer in bytes, including white space.</summary>
    public const long MaxAnswerBytes = 1L << 30;

    private const int FirstBufferBytes = 128 * 1024;

    /// <summary>Reads all datasets. Each owns its bytes and stays valid.</summary>
    /// <exception cref="MalformedAnswerException">The answer is not a complete array of datasets, or exceeds a limit.</exception>
    public static IAsyncEnumerable<Dataset> ReadAsync(Stream stream, CancellationToken cancellation = default) =>
        ReadAsync(stream, rowsWithout: null, cancellation);

    /// <summary>
    /// Reads datasets without copying them: the attributes of each are valid only until the next dataset is read. Do not use its
    /// whole text, which still has the excluded attribute.
    /// </summary>
    /// <param name="stream">The answer.</param>
    /// <param name="without">An attribute to exclude from every row.</param>
    /// <param name="cancellation">Cancels the reading.</param>
    /// <exception cref="MalformedAnswerException">The answer is not a complete array of datasets, or exceeds a limit.</exception>
    public static IAsyncEnumerable<Dataset> ReadRowsAsync(Stream stream, Tag without, CancellationToken cancellation = default) =>
        ReadAsync(stream, without, cancellation);

    /// <summary>Reads one stored dataset. It was validated before, and its URLs are under <see cref="DicomJsonWriter.RootMark"/>.</summary>
    public static Dataset ReadStored(ReadOnlySpan<byte> json) => DicomJsonScan.ReadOne([.. "["u8, .. json, .. "]"u8], rowsWithout: null);

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

                // Move unread bytes to the front. A token that does not fit doubles the buffer, so that a long string is
                // scanned a bounded number of times.
                var unreadStart = scan.DatasetStart >= 0 ? scan.DatasetStart : offset;
                if (unreadStart == 0 && filled == buffer.Length || offset == start && filled > buffer.Length / 2)
                    buffer = Grow(buffer, filled);
                if (unreadStart > 0)
                {
                    buffer.AsSpan(unreadStart, filled - unreadStart).CopyTo(buffer);
                    scan.Shift(unreadStart);
                    offset -= unreadStart;
                    filled -= unreadStart;
                }
                do
                {
                    var count = await stream.ReadAsync(buffer.AsMemory(filled), cancellation).ConfigureAwait(false);
                    isLast = count == 0;
                    filled += count;
                    if ((total += count) > MaxAnswerBytes) throw new MalformedAnswerException("The answer is longer than the limit.");
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
        if (buffer.Length >= MaxDatasetBytes) throw new MalformedAnswerException("A dataset is larger than the limit.");
        var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
        buffer.AsSpan(0, filled).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(buffer);
        return larger;
    }

    /// <summary>The next dataset that ends within the filled bytes; null when more bytes must be read first.</summary>
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
