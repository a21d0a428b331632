using System.Buffers;
using Proxy.Backends.Transport;
using Proxy.Dicom;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Storing;

/// <summary>The body of a request that stores instances: it passes to the backend as it arrives, and its parts are identified.</summary>
/// <remarks>
/// The bytes are written to the backend before the next ones are read, so that the client is as slow as the backend. A piece is read here
/// before it is written, so that an instance can be looked up in the backend before its end arrives there. Memory: a few buffers, for a
/// body of any size, and the captures.
/// </remarks>
/// <param name="source">The body as the client sends it.</param>
/// <param name="form">Its media type.</param>
/// <param name="captures">Captures the instances.</param>
/// <param name="mayStore">Whether the client may store into a study; null where the rights of clients do not differ.</param>
internal sealed class StowBody(Stream source, MediaType form, StowCaptures captures, Func<Uid, ValueTask<bool>>? mayStore)
{
    private const int PieceBytes = 256 * 1024;

    /// <summary>The first attributes of a file, up to its study and series. Private blocks in front of them can be long.</summary>
    private const int MaxHeadBytes = 256 * 1024;

    private static readonly int[] HeadSteps = [4 * 1024, 16 * 1024, 64 * 1024, MaxHeadBytes];

    /// <summary>Why an instance is refused: the same for a study that the client may not see, and for one that no backend has.</summary>
    public const string MayNotStore = "You may store only into studies that you may see, as application/dicom files.";

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
        var held = ArrayPool<byte>.Shared.Rent(PieceBytes);
        var piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
        // A declared length could hide a delimiter, and so an instance, from the check of each part.
        using var parts = new MultipartReader(new Tee(source, output, captures, held), form.Find("boundary"), PieceBytes)
        {
            IgnoresLengths = mayStore is not null,
        };
        try
        {
            var count = 0;
            while (await parts.ReadPartAsync(cancellation) is { } part)
            {
                count++;
                var type = part.ContentType ?? MediaType.Parse(form.Find("type"));
                if (type?.Is(BodyFormat.Dicom) == true) Contents.Add(await CheckAsync(await ReadFileAsync(parts, cancellation)));
                else if (count == 1 || mayStore is not null) Contents.Add(await CheckAsync(null));
                for (int read; (read = await parts.ReadBodyAsync(piece, cancellation)) > 0;) captures.Append(piece.AsSpan(0, read));
                captures.End();
            }
            if (count == 0) throw new MalformedAnswerException("The body has no part.");
            Volatile.Write(ref _isWhole, true);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
            ArrayPool<byte>.Shared.Return(held);
        }
    }

    /// <summary>Ends the request at an instance that the client may not store. A part that names no study cannot be judged.</summary>
    /// <exception cref="BadHttpRequestException">403.</exception>
    private async ValueTask<InstancePath?> CheckAsync(InstancePath? instance)
    {
        if (mayStore is null || (instance is { } path && await mayStore(path.Study))) return instance;
        throw new BadHttpRequestException(MayNotStore, StatusCodes.Status403Forbidden);
    }

    /// <summary>Reads the beginning of a file; null when it does not name its instance there. The backend decides about the file.</summary>
    private async Task<InstancePath?> ReadFileAsync(MultipartReader parts, CancellationToken cancellation)
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
                if (Read(head.AsMemory(0, filled), isAll) is var (file, path))
                {
                    if (file.MediaStorageSopInstanceUid == $"{path.Instance}") captures.Begin(path, file.TransferSyntaxUid);
                    captures.Append(head.AsSpan(0, filled));
                    return path;
                }
                if (isAll) break;
            }
            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(head);
        }
    }

    private static (Part10Identity File, InstancePath Path)? Read(ReadOnlyMemory<byte> start, bool isAll)
    {
        try
        {
            return Part10Identity.Read(start, Tag.SeriesInstanceUid, isAll) is { } file
                && Uid.TryParse(file.StudyInstanceUid, out var study) && Uid.TryParse(file.SeriesInstanceUid, out var series)
                && Uid.TryParse(file.SopInstanceUid, out var instance)
                ? (file, new(study, series, instance))
                : null;
        }
        catch (MalformedAnswerException)
        {
            return null;
        }
    }

    /// <summary>Reads from the client, and writes the bytes of the read before to the backend first.</summary>
    private sealed class Tee(Stream source, Stream output, StowCaptures captures, byte[] held) : ReadOnlyStream
    {
        private int _count;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_count > 0)
            {
                await captures.WaitAsync(cancellationToken);
                await output.WriteAsync(held.AsMemory(0, _count), cancellationToken);
            }
            _count = await source.ReadAsync(buffer[..Math.Min(buffer.Length, held.Length)], cancellationToken);
            buffer.Span[.._count].CopyTo(held);
            return _count;
        }
    }
}
