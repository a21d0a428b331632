using Proxy.Cache;

namespace Proxy.Cluster.Changes;

/// <summary>A change that one node tells the others.</summary>
/// <param name="Removal">What it selects; nothing when <see cref="Patient"/> is set.</param>
internal sealed record Change(Removal Removal)
{
    private static readonly Removal Nothing = new() { KeepsBodies = true };

    /// <summary>The patient whose studies are purged: each node purges those that it knows. Null for any other change.</summary>
    public PatientMark? Patient { get; init; }

    /// <summary>True when it selects bodies. A change of an unknown study selects none: pixels do not change under their UID.</summary>
    public bool SelectsBodies => !Removal.KeepsBodies && Removal.Study != default(Dicom.Uid);

    /// <summary>The purge of a patient.</summary>
    public static Change Of(PatientMark patient) => new(Nothing) { Patient = patient };
}
