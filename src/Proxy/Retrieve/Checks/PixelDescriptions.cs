using Proxy.Dicom;
using Proxy.Metadata;

namespace Proxy.Retrieve.Checks;

/// <summary>Finds the pixel description of an instance in the stored metadata. No backend is asked.</summary>
public sealed class PixelDescriptions(DicomMetadataStore store)
{
    /// <summary>The last descriptions, by hash: reading the description of a large multi-frame instance takes milliseconds.</summary>
    private readonly Known?[] _known = new Known?[1024];

    private sealed record Known(UInt128 Metadata, Uid Instance, PixelDescription Pixels);

    /// <summary>The description; null when this backend's metadata of the instance is not in the store.</summary>
    public PixelDescription? Find(string backend, InstancePath path)
    {
        if (store.GetStudy(path.Study)?.GetList(backend).FindSeries(path.Series)?.Metadata is not { } metadata) return null;
        ref var slot = ref _known[(uint)HashCode.Combine(metadata.Hash, path.Instance) % (uint)_known.Length];
        if (Volatile.Read(ref slot) is { } known && known.Metadata == metadata.Hash && known.Instance == path.Instance)
            return known.Pixels;
        if (metadata.FindJson(path.Instance) is not { } json) return null;
        var pixels = PixelDescription.Read(json.Span);
        Volatile.Write(ref slot, new(metadata.Hash, path.Instance, pixels));
        return pixels;
    }
}
