using Proxy.Dicom;

namespace Proxy.Cache;

/// <summary>The name of a kept body: everything that its bytes depend on.</summary>
/// <param name="Backend">Two backends may hold different pixels under one UID.</param>
/// <param name="Place">Its path below that backend's DICOMweb root.</param>
/// <param name="Format">What the backend was asked for; null for bulk data, which has one form.</param>
public sealed record EntryKey(string Backend, string Place, BodyFormat? Format);
