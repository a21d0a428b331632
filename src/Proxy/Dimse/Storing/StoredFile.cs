using Proxy.Dicom;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Dimse.Storing;

/// <summary>A file that a client stores: what its beginning says, and its dataset.</summary>
internal sealed class StoredFile
{
    /// <summary>The first attributes of a file, up to its study and series. Private blocks in front of them can be long.</summary>
    private const int MaxHeadBytes = 256 * 1024;

    private readonly MultipartReader _part;
    private ReadOnlyMemory<byte> _start;

    private StoredFile(MultipartReader part, ReadOnlyMemory<byte> start, InstancePath path, Part10Identity identity)
    {
        (_part, _start, Path) = (part, start[identity.DatasetAt..], path);
        SopClass = identity.MediaStorageSopClassUid!;
        TransferSyntax = identity.TransferSyntaxUid.ToString();
    }

    /// <summary>The UIDs in its dataset.</summary>
    public InstancePath Path { get; }

    /// <summary>Media Storage SOP Class UID (0002,0002).</summary>
    public string SopClass { get; }

    /// <summary>The transfer syntax of its dataset.</summary>
    public string TransferSyntax { get; }

    /// <summary>True when a part of its dataset was read.</summary>
    public bool IsSent { get; private set; }

    /// <summary>Reads the beginning of the current part; null when it is not a file that names its instance there.</summary>
    public static async Task<StoredFile?> ReadAsync(MultipartReader part, CancellationToken cancellation)
    {
        var head = new byte[MaxHeadBytes];
        var filled = 0;
        for (var step = 4096; ; step = Math.Min(4 * step, head.Length))
        {
            var isEnd = false;
            while (filled < step && !isEnd)
            {
                var count = await part.ReadBodyAsync(head.AsMemory(filled, step - filled), cancellation);
                (isEnd, filled) = (count == 0, filled + count);
            }
            try
            {
                var isAll = isEnd || step == head.Length;
                if (Part10Identity.Read(head.AsMemory(0, filled), Tag.SeriesInstanceUid, isAll) is { } identity)
                    return FindPath(identity) is { } path ? new(part, head.AsMemory(0, filled), path, identity) : null;
            }
            catch (MalformedAnswerException)
            {
                return null;
            }
        }
    }

    /// <summary>Reads bytes of the dataset; 0 at its end.</summary>
    /// <exception cref="ClientException">The client failed.</exception>
    public async ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellation)
    {
        IsSent = true;
        if (!_start.IsEmpty)
        {
            var count = Math.Min(_start.Length, destination.Length);
            _start[..count].CopyTo(destination);
            _start = _start[count..];
            return count;
        }
        try
        {
            return await _part.ReadBodyAsync(destination, cancellation);
        }
        catch (MalformedAnswerException e)
        {
            throw new ClientException(e);
        }
    }

    /// <summary>The instance in the dataset; null when a UID is missing, or the file meta group names another instance.</summary>
    private static InstancePath? FindPath(Part10Identity file) =>
        Uid.TryParse(file.StudyInstanceUid, out var study) && Uid.TryParse(file.SeriesInstanceUid, out var series)
            && Uid.TryParse(file.SopInstanceUid, out var instance) && file.MediaStorageSopInstanceUid == file.SopInstanceUid
            && Uid.TryParse(file.MediaStorageSopClassUid, out _)
            ? new(study, series, instance)
            : null;
}
