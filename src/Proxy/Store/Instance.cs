using Proxy.Dicom;

namespace Proxy.Store;

/// <summary>One instance, found: whose it is and its dataset as kept (URLs under <see cref="Wire.DicomJsonWriter.RootMark"/>).</summary>
/// <param name="Backend">Whose series list it stands in.</param>
/// <param name="Path">Study, series and instance.</param>
/// <param name="Json">One DICOM JSON object: the whole metadata, or a search's row when no more is known.</param>
public sealed record Instance(string Backend, InstancePath Path, ReadOnlyMemory<byte> Json);
