using System.IO.Hashing;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Retrieve;

namespace Proxy.Rendering.Making;

/// <summary>An instance with its owner.</summary>
/// <param name="Backend">The backend that owns the series.</param>
/// <param name="Path">The instance.</param>
/// <param name="What">What it can be rendered to.</param>
/// <param name="DatasetHash">A hash of the dataset: a PACS that corrects a window or a photometric interpretation changes it.</param>
internal sealed record RenderableInstance(string Backend, InstancePath Path, Renderable What, ulong DatasetHash);

/// <summary>An instance to render, or the failures because of which it is not known. Without both, no backend has it.</summary>
/// <param name="Instance">The instance, or null.</param>
/// <param name="Failures">The backends that failed.</param>
internal sealed record RenderableResult(RenderableInstance? Instance, IReadOnlyList<BackendFailure> Failures);

/// <summary>Finds the owner of an instance and its metadata: in the store at any age, else from the backends.</summary>
/// <remarks>The pixels of an instance do not change under its UID, so a picture that is cached needs no fresh metadata.</remarks>
internal sealed class RenderableInstances(SeriesLocator locator, SeriesReader series, DicomMetadataStore store)
{
    /// <summary>The last descriptions, by hash: a viewer asks for the same instances again and again.</summary>
    private readonly Known?[] _known = new Known?[4096];

    private sealed record Known(UInt128 Metadata, Uid Instance, Renderable What, ulong DatasetHash);

    /// <summary>Finds an instance.</summary>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="path">The instance.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public async Task<RenderableResult> FindAsync(Access access, InstancePath path, CancellationToken cancellation)
    {
        var known = await locator.RevalidateAsync(access, path.Study, cancellation);
        if (locator.GetHolders(known, access, path.Series).FirstOrDefault() is { } owner && Find(owner.Backend, path) is { } stored)
            return new(stored, []);
        var result = await series.ReadAsync(access, path.SeriesPath, bypassCache: false, cancellation);
        return new(result.Metadata is null ? null : Find(result.Backend, path), result.Failures);
    }

    /// <summary>The instance with its stored metadata; null when the store does not have it.</summary>
    public RenderableInstance? Find(string backend, InstancePath path)
    {
        if (FindMetadata(backend, path) is not { } metadata) return null;
        ref var slot = ref _known[(uint)HashCode.Combine(metadata.Hash, path.Instance) % (uint)_known.Length];
        if (Volatile.Read(ref slot) is { } known && known.Metadata == metadata.Hash && known.Instance == path.Instance)
            return new(backend, path, known.What, known.DatasetHash);
        if (metadata.FindJson(path.Instance) is not { } json) return null;
        known = new(metadata.Hash, path.Instance, Renderable.Read(json.Span), XxHash3.HashToUInt64(json.Span));
        Volatile.Write(ref slot, known);
        return new(backend, path, known.What, known.DatasetHash);
    }

    /// <summary>The dataset of an instance; null when the store does not have it.</summary>
    public ReadOnlyMemory<byte>? FindJson(string backend, InstancePath path) => FindMetadata(backend, path)?.FindJson(path.Instance);

    private PackedInstances? FindMetadata(string backend, InstancePath path)
    {
        var known = store.GetStudy(path.Study)?.GetList(backend).FindSeries(path.Series);
        return known?.Metadata is { } metadata && metadata.Has(path.Instance)
            ? metadata
            : known?.FindFileMetadata(path.Instance)?.Instance;
    }
}
