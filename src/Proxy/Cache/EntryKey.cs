using Proxy.Dicom;

namespace Proxy.Cache;

/// <summary>The name of a kept frame: everything that its bytes depend on.</summary>
/// <param name="Backend">Two backends may hold different pixels under one UID.</param>
/// <param name="Path">The instance and the frame.</param>
/// <param name="Format">What the backend was asked for.</param>
public sealed record FrameKey(string Backend, FramePath Path, FrameFormat Format);

/// <summary>The name of kept bulk data.</summary>
/// <param name="Backend">Whose it is.</param>
/// <param name="Place">Its path below that backend's DICOMweb root.</param>
public sealed record BulkDataKey(string Backend, string Place);
