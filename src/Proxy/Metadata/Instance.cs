using Proxy.Dicom;

namespace Proxy.Metadata;

/// <summary>One instance, found: whose it is and its dataset as kept (URLs under <see cref="Wire.DicomJsonWriter.RootMark"/>).</summary>
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

    /// <summary>Whose series list it stands in.</summary>
    public string Backend { get; }

    public InstancePath Path { get; }

    /// <summary>
    /// One DICOM JSON object: the whole metadata, or a search's row when no more is known. Unpacked each time that it is read.
    /// </summary>
    public ReadOnlyMemory<byte> Json => _packed.JsonAt(_ordinal);

    internal static Instance? Find(string backend, InstancePath path, PackedInstances? packed) =>
        packed is not null && packed.Find(path.Instance) is >= 0 and var ordinal ? new(backend, path, packed, ordinal) : null;
}
