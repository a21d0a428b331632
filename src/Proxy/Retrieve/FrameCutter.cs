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
    public IKeptBody? TryCut(EntryKey key, IKeptBody whole, FramePath path, IReadOnlyList<BodyFormat> formats)
    {
        if (FindPlaces(key, whole) is not { } frames || frames.SopInstanceUid != path.Instance.Instance || frames.FindFrame(path.Frame) is not { } frame) return null;
        // Frames have no form of their own for what is only how a dataset is written (PS3.18 §8.7.3.3).
        var syntax = frames.TransferSyntaxUid.ToString() is TransferSyntax.ImplicitLittleEndian ? BodyFormat.ExplicitLittleEndian : frames.TransferSyntaxUid.ToString();
        var isAsStored = key.Format!.TransferSyntax == BodyFormat.Any;
        if (!formats.Any(f => (isAsStored || f.TransferSyntax != BodyFormat.Any) && f.IsMetBy(frames.MediaType, syntax))) return null;
        return whole.Cut(new(frames.MediaType, syntax, frame.Length), [.. frame.Ranges.ToArray().Select(r => (r.Offset, r.Length))]);
    }

    private Part10Frames? FindPlaces(EntryKey key, IKeptBody whole)
    {
        var place = new PlacesKey(key, whole.Stored);
        if (memory.TryFind<Places>(place, out var known)) return known.Frames;
        var frames = Part10Reader.FindFrames(whole.Length, whole.ReadAt, out _);
        memory.Add(place, new Places(frames), 64 + 16L * (frames?.Count ?? 0));
        return frames;
    }
}
