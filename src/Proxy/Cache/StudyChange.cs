using Proxy.Dicom;

namespace Proxy.Cache;

/// <summary>What a request of a client changed, or may have changed, in one study of a backend.</summary>
/// <param name="Backend">The backend.</param>
/// <param name="Study">The study; null when it is not known.</param>
public sealed record StudyChange(string Backend, Uid? Study)
{
    /// <summary>The series whose instances changed; null when they are not known, or for the whole study.</summary>
    public IReadOnlySet<Uid>? Series { get; init; }

    /// <summary>The bodies that may have changed. Others stay: pixels do not change under their UID.</summary>
    public IReadOnlyList<Removal> Bodies { get; init; } = [];

    /// <summary>The change by a request for one resource, such as DELETE: all that it names changed.</summary>
    public static StudyChange Of(string backend, Uid study, Uid? series, Uid? instance) => new(backend, study)
    {
        Series = series is { } uid ? new HashSet<Uid> { uid } : null,
        Bodies = [new(backend, study, series, instance)],
    };
}
