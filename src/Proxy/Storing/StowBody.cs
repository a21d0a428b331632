using System.Buffers;
using Proxy.Backends.Transport;
using Proxy.Dicom;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Storing;

/// <summary>The body of a request that stores instances: it passes to the backend as it arrives, and its parts are identified.</summary>
/// <remarks>
/// The bytes are written to the backend before the next ones are read, so that the client is as slow as the backend. Memory: a few
/// buffers, for a body of any size.
/// </remarks>
/// <param name="source">The body as the client sends it.</param>
/// <param name="form">Its media type.</param>
internal sealed class StowBody(Stream source, MediaType form)
{
    private const int PieceBytes = 64 * 1024;

    /// <summary>The first attributes of a file, up to its study and series. Private blocks in front of them can be long.</summary>
    private const int MaxHeadBytes = 256 * 1024;

    private static readonly int[] HeadSteps = [4 * 1024, 16 * 1024, 64 * 1024, MaxHeadBytes];

    private bool _isWhole;

    /// <summary>The instances that arrived so far.</summary>
    public StowContents Contents { get; } = new();

    /// <summary>Cancels the sending; does nothing when the whole body was sent.</summary>
    public void EndUnlessWhole(CancellationTokenSource sending)
    {
        if (!Volatile.Read(ref _isWhole)) sending.Cancel();
    }

    /// <summary>Copies the whole body.</summary>
    /// <exception cref="MalformedAnswerException">It is not multipart, has no part, or ends before its closing delimiter.</exception>
    public async Task CopyAsync(Stream output, CancellationToken cancellation)
    {
        using var parts = new MultipartReader(new Tee(source, output), form.Find("boundary"));
        var piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            var count = 0;
            while (await parts.ReadPartAsync(cancellation) is { } part)
            {
                count++;
                var type = part.ContentType ?? MediaType.Parse(form.Find("type"));
                if (type?.Is(BodyFormat.Dicom) == true) Contents.Add(await ReadFileAsync(parts, cancellation));
                else if (count == 1) Contents.Add(null);
                while (await parts.ReadBodyAsync(piece, cancellation) > 0)
                {
                    // Only the beginning of a part is read.
                }
            }
            if (count == 0) throw new MalformedAnswerException("The body has no part.");
            Volatile.Write(ref _isWhole, true);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }

    /// <summary>Reads the beginning of a file; null when it does not name its instance there. The backend decides about the file.</summary>
    private static async Task<InstancePath?> ReadFileAsync(MultipartReader parts, CancellationToken cancellation)
    {
        var head = ArrayPool<byte>.Shared.Rent(MaxHeadBytes);
        try
        {
            var filled = 0;
            foreach (var step in HeadSteps)
            {
                var isEnd = false;
                while (filled < step && !isEnd)
                {
                    var count = await parts.ReadBodyAsync(head.AsMemory(filled, step - filled), cancellation);
                    isEnd = count == 0;
                    filled += count;
                }
                var isAll = isEnd || step == MaxHeadBytes;
                if (Read(head.AsMemory(0, filled), isAll) is { } path) return path;
                if (isAll) break;
            }
            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(head);
        }
    }

    private static InstancePath? Read(ReadOnlyMemory<byte> start, bool isAll)
    {
        try
        {
            return Part10Identity.Read(start, Tag.SeriesInstanceUid, isAll) is { } file
                && Uid.TryParse(file.StudyInstanceUid, out var study) && Uid.TryParse(file.SeriesInstanceUid, out var series)
                && Uid.TryParse(file.SopInstanceUid, out var instance)
                ? new(study, series, instance)
                : null;
        }
        catch (MalformedAnswerException)
        {
            return null;
        }
    }

    /// <summary>Reads from the client, and writes the same bytes to the backend first.</summary>
    private sealed class Tee(Stream source, Stream output) : ReadOnlyStream
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var count = await source.ReadAsync(buffer, cancellationToken);
            if (count > 0) await output.WriteAsync(buffer[..count], cancellationToken);
            return count;
        }
    }
}
