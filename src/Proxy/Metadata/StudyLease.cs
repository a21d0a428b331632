using System.Collections.Concurrent;
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

/// <summary>The leases of several studies, released together.</summary>
/// <param name="store">The store of the studies.</param>
internal sealed class LeasedStudies(DicomMetadataStore store) : IDisposable
{
    private readonly List<StudyLease> _leases = [];

    /// <summary>Leases studies.</summary>
    public async ValueTask AddAsync(IEnumerable<Uid> studies, CancellationToken cancellation)
    {
        foreach (var study in studies.Distinct()) _leases.Add(await store.LeaseAsync(study, cancellation));
    }

    /// <inheritdoc/>
    public void Dispose() => _leases.ForEach(static lease => lease.Dispose());
}

/// <summary>The studies that running requests use: they are not evicted, so that no request reads them from disk half-way.</summary>
/// <remarks>They may exceed the memory budget together; the number of running requests bounds by how much.</remarks>
internal sealed class StudyLeases
{
    /// <summary>The number of leases of each study.</summary>
    private readonly ConcurrentDictionary<Uid, int> _counts = new();

    /// <summary>True while a study has a lease.</summary>
    public bool Has(Uid study) => _counts.ContainsKey(study);

    /// <summary>Adds a lease.</summary>
    public StudyLease Add(Uid study)
    {
        _counts.AddOrUpdate(study, 1, static (_, count) => count + 1);
        return new(this, study);
    }

    internal void Release(Uid study)
    {
        while (_counts.TryGetValue(study, out var count))
        {
            if (count == 1 ? _counts.TryRemove(new(study, count)) : _counts.TryUpdate(study, count - 1, count)) return;
        }
    }
}
