using Proxy.Dicom;
using Proxy.Metadata;

namespace Proxy.Retrieve.Checks;

/// <summary>What the metadata in the store says about the pixels of an instance. No backend is asked for it.</summary>
public sealed class PixelDescriptions(DicomMetadataStore store)
{
    /// <summary>Descriptions that were read last, by hash: of a large multi-frame instance each one takes milliseconds to read.</summary>
    private readonly Known?[] _known = new Known?[1024];

    private sealed record Known(UInt128 Metadata, Uid Instance, PixelDescription Pixels);

    /// <summary>Null when this backend's metadata of the instance is not in the store.</summary>
    public PixelDescription? Find(string backend, InstancePath path)
    {
        if (store.GetStudy(path.Study)?.GetList(backend).FindSeries(path.Series)?.Metadata is not { } metadata) return null;
        ref var place = ref _known[(uint)HashCode.Combine(metadata.Hash, path.Instance) % (uint)_known.Length];
        if (Volatile.Read(ref place) is { } known && known.Metadata == metadata.Hash && known.Instance == path.Instance)
            return known.Pixels;
        if (metadata.FindJson(path.Instance) is not { } json) return null;
        var pixels = PixelDescription.Read(json.Span);
        Volatile.Write(ref place, new(metadata.Hash, path.Instance, pixels));
        return pixels;
    }
}
