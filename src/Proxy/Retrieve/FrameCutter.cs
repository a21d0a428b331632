using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Dicom;
using Proxy.Wire.Part10;

namespace Proxy.Retrieve;

/// <summary>Cuts frames out of cached whole instances, so that pixels are cached once, as frames or as instances.</summary>
public sealed class FrameCutter(MemoryTier memory)
{
    /// <summary>The key of the frame offsets of one cached instance.</summary>
    private sealed record FrameOffsetsKey(EntryKey Instance, DateTimeOffset? Stored);

    /// <param name="Frames">Null when no frame can be cut out of the instance.</param>
    private sealed record FrameOffsets(Part10Frames? Frames);

    /// <summary>The cached instances that a frame may be cut out of in one of these forms.</summary>
    public static IEnumerable<AcceptableEntry> GetContainers(string backend, InstancePath path, IReadOnlyList<BodyFormat> formats)
    {
        List<string> syntaxes = [BodyFormat.Any];
        foreach (var format in formats)
        {
            if (!syntaxes.Contains(format.TransferSyntax)) syntaxes.Add(format.TransferSyntax);
        }
        return syntaxes.Select(
            syntax => new AcceptableEntry(new(backend, path.ToString(), new(BodyFormat.Dicom, syntax)), IsContainer: true));
    }

    /// <summary>The frame; null when it cannot be cut, does not exist, or has none of the forms.</summary>
    /// <param name="key">The cache key of the instance.</param>
    /// <param name="whole">The instance; a returned frame owns it.</param>
    /// <param name="path">The frame.</param>
    /// <param name="formats">The forms that the client accepts.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public async ValueTask<ICachedBody?> TryCutAsync(
        EntryKey key, ICachedBody whole, FramePath path, IReadOnlyList<BodyFormat> formats, CancellationToken cancellation)
    {
        if (await FindFramesAsync(key, whole, cancellation) is not { } frames || frames.SopInstanceUid != path.Instance.Instance
            || frames.FindFrame(path.Frame) is not { } frame)
            return null;
        // Implicit VR concerns only the encoding of a dataset, so it is no form of a frame (PS3.18 §8.7.3.3).
        var syntax = frames.TransferSyntaxUid.ToString() is TransferSyntax.ImplicitLittleEndian
            ? BodyFormat.ExplicitLittleEndian
            : frames.TransferSyntaxUid.ToString();
        var isAsStored = key.Format!.TransferSyntax == BodyFormat.Any;
        if (!formats.Any(f => (isAsStored || f.TransferSyntax != BodyFormat.Any) && f.IsMetBy(frames.MediaType, syntax))) return null;
        return whole.Cut(new(frames.MediaType, syntax, frame.Length), [.. frame.Ranges.ToArray().Select(r => (r.Offset, r.Length))]);
    }

    /// <summary>The frames of an instance; null, and not remembered, when the disk failed.</summary>
    private async ValueTask<Part10Frames?> FindFramesAsync(EntryKey key, ICachedBody whole, CancellationToken cancellation)
    {
        var offsetsKey = new FrameOffsetsKey(key, whole.Stored);
        if (memory.TryFind<FrameOffsets>(offsetsKey, out var known)) return known.Frames;
        if (await whole.InspectAsync(
            readAt => new FrameOffsets(Part10Reader.FindFrames(whole.Length, readAt, out _)), cancellation) is not { } offsets)
            return null;
        memory.Add(offsetsKey, offsets, 64 + 16L * (offsets.Frames?.Count ?? 0));
        return offsets.Frames;
    }
}
