using Proxy.Dicom;

namespace Proxy.Metadata;

/// <summary>One instance of one backend, with its stored dataset (URLs under <see cref="Wire.DicomJsonWriter.RootMark"/>).</summary>
public sealed class Instance
{
    private readonly PackedInstances _packed;
    private readonly int _ordinal;

    private Instance(string backend, InstancePath path, PackedInstances packed, int ordinal)
    {
        Backend = backend;
        Path = path;
        _packed = packed;
        _ordinal = ordinal;
    }

    /// <summary>The backend whose series list names it.</summary>
    public string Backend { get; }

    /// <summary>The UIDs of study, series and instance.</summary>
    public InstancePath Path { get; }

    /// <summary>
    /// One DICOM JSON object: the complete metadata, or the row of a search when only that is known. Unpacked on each call.
    /// </summary>
    public ReadOnlyMemory<byte> Json => _packed.JsonAt(_ordinal);

    internal static Instance? Find(string backend, InstancePath path, PackedInstances? packed) =>
        packed is not null && packed.Find(path.Instance) is >= 0 and var ordinal ? new(backend, path, packed, ordinal) : null;
}
