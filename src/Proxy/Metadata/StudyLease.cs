using Proxy.Dicom;

namespace Proxy.Metadata;

/// <summary>Keeps a study in memory until it is disposed, once. The default value keeps none.</summary>
public readonly struct StudyLease : IDisposable
{
    private readonly StudyLeases? _leases;
    private readonly Uid _study;

    internal StudyLease(StudyLeases leases, Uid study) => (_leases, _study) = (leases, study);

    /// <inheritdoc/>
    public void Dispose() => _leases?.Release(_study);
}
