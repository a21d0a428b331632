using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Dicom;
using Proxy.Wire.Part10;

namespace Proxy.Retrieve;

/// <summary>Gives a frame out of an instance that is kept whole: its pixels are kept once, whichever way they came.</summary>
public sealed class FrameCutter(MemoryTier memory)
{
    /// <summary>Where the frames of a kept instance stand.</summary>
    private sealed record PlacesKey(EntryKey Instance, DateTimeOffset? Stored);

    /// <param name="Frames">Null when none can be cut out of it.</param>
    private sealed record Places(Part10Frames? Frames);

    /// <summary>The instances that a frame may be cut out of, as far as they may answer one of these forms.</summary>
    public static IEnumerable<Candidate> WholesOf(string backend, InstancePath path, IReadOnlyList<BodyFormat> formats)
    {
        List<string> syntaxes = [BodyFormat.Any];
        foreach (var format in formats)
        {
            if (!syntaxes.Contains(format.TransferSyntax)) syntaxes.Add(format.TransferSyntax);
        }
        return syntaxes.Select(syntax => new Candidate(new(backend, path.ToString(), new(BodyFormat.Dicom, syntax)), IsPartWanted: true));
    }

    /// <summary>The frame; null when it cannot be cut, is not there, or is in no form that is wanted.</summary>
    /// <param name="key">Under which the instance is kept.</param>
    /// <param name="whole">The instance, which the frame takes the place of.</param>
    /// <param name="path">The frame.</param>
    /// <param name="formats">What the client takes.</param>
    /// <param name="cancellation">The client leaves.</param>
    public async ValueTask<IKeptBody?> TryCutAsync(EntryKey key, IKeptBody whole, FramePath path, IReadOnlyList<BodyFormat> formats, CancellationToken cancellation)
    {
        if (await FindPlacesAsync(key, whole, cancellation) is not { } frames || frames.SopInstanceUid != path.Instance.Instance || frames.FindFrame(path.Frame) is not { } frame) return null;
        // Frames have no form of their own for what is only how a dataset is written (PS3.18 §8.7.3.3).
        var syntax = frames.TransferSyntaxUid.ToString() is TransferSyntax.ImplicitLittleEndian ? BodyFormat.ExplicitLittleEndian : frames.TransferSyntaxUid.ToString();
        var isAsStored = key.Format!.TransferSyntax == BodyFormat.Any;
        if (!formats.Any(f => (isAsStored || f.TransferSyntax != BodyFormat.Any) && f.IsMetBy(frames.MediaType, syntax))) return null;
        return whole.Cut(new(frames.MediaType, syntax, frame.Length), [.. frame.Ranges.ToArray().Select(r => (r.Offset, r.Length))]);
    }

    /// <summary>Null, and nothing is remembered, when the disk failed.</summary>
    private async ValueTask<Part10Frames?> FindPlacesAsync(EntryKey key, IKeptBody whole, CancellationToken cancellation)
    {
        var place = new PlacesKey(key, whole.Stored);
        if (memory.TryFind<Places>(place, out var known)) return known.Frames;
        if (await whole.LookAsync(readAt => new Places(Part10Reader.FindFrames(whole.Length, readAt, out _)), cancellation) is not { } places) return null;
        memory.Add(place, places, 64 + 16L * (places.Frames?.Count ?? 0));
        return places.Frames;
    }
}
