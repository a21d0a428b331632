using Proxy.Dicom;

namespace Proxy.Metadata;

/// <summary>The leases of several studies, released together.</summary>
/// <param name="store">The store of the studies.</param>
internal sealed class LeasedStudies(DicomMetadataStore store) : IDisposable
{
    private readonly List<StudyLease> _leases = [];

    /// <summary>Leases a study.</summary>
    public async ValueTask AddAsync(Uid study, CancellationToken cancellation) => _leases.Add(await store.LeaseAsync(study, cancellation));

    /// <inheritdoc/>
    public void Dispose() => _leases.ForEach(static lease => lease.Dispose());
}
