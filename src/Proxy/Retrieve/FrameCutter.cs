using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Dicom;
using Proxy.Wire.Part10;

namespace Proxy.Retrieve;

/// <summary>Gives a frame out of an instance that is kept whole: its pixels are kept once, whichever way they came.</summary>
public sealed class FrameCutter(MemoryTier memory)
{
    /// <summary>Where the frames of a kept instance stand.</summary>
    private sealed record FrameOffsetsKey(EntryKey Instance, DateTimeOffset? Stored);

    /// <param name="Frames">Null when none can be cut out of it.</param>
    private sealed record FrameOffsets(Part10Frames? Frames);

    /// <summary>The instances that a frame may be cut out of, as far as they may answer one of these forms.</summary>
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

    /// <summary>The frame; null when it cannot be cut, is not there, or is in no form that is wanted.</summary>
    /// <param name="key">Under which the instance is kept.</param>
    /// <param name="whole">The instance, which the frame takes the place of.</param>
    /// <param name="path">The frame.</param>
    /// <param name="formats">What the client takes.</param>
    /// <param name="cancellation">The client leaves.</param>
    public async ValueTask<ICachedBody?> TryCutAsync(
        EntryKey key, ICachedBody whole, FramePath path, IReadOnlyList<BodyFormat> formats, CancellationToken cancellation)
    {
        if (await FindFramesAsync(key, whole, cancellation) is not { } frames || frames.SopInstanceUid != path.Instance.Instance
            || frames.FindFrame(path.Frame) is not { } frame)
            return null;
        // Frames have no form of their own for what is only how a dataset is written (PS3.18 §8.7.3.3).
        var syntax = frames.TransferSyntaxUid.ToString() is TransferSyntax.ImplicitLittleEndian
            ? BodyFormat.ExplicitLittleEndian
            : frames.TransferSyntaxUid.ToString();
        var isAsStored = key.Format!.TransferSyntax == BodyFormat.Any;
        if (!formats.Any(f => (isAsStored || f.TransferSyntax != BodyFormat.Any) && f.IsMetBy(frames.MediaType, syntax))) return null;
        return whole.Cut(new(frames.MediaType, syntax, frame.Length), [.. frame.Ranges.ToArray().Select(r => (r.Offset, r.Length))]);
    }

    /// <summary>Null, and nothing is remembered, when the disk failed.</summary>
    private async ValueTask<Part10Frames?> FindFramesAsync(EntryKey key, ICachedBody whole, CancellationToken cancellation)
    {
        var place = new FrameOffsetsKey(key, whole.Stored);
        if (memory.TryFind<FrameOffsets>(place, out var known)) return known.Frames;
        if (await whole.InspectAsync(
            readAt => new FrameOffsets(Part10Reader.FindFrames(whole.Length, readAt, out _)), cancellation) is not { } places)
            return null;
        memory.Add(place, places, 64 + 16L * (places.Frames?.Count ?? 0));
        return places.Frames;
    }
}
