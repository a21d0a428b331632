using Proxy.Dicom;

namespace Proxy.Cache;

/// <summary>Selects bodies to remove: those that match every part that is not null. <c>new()</c> selects all.</summary>
/// <param name="Backend">The backend that answered; in the disk tier its identity.</param>
/// <param name="Study">The study instance UID.</param>
/// <param name="Series">The series instance UID.</param>
/// <param name="Instance">The SOP instance UID.</param>
/// <param name="Representation">The representation of the body.</param>
public sealed record Removal(
    string? Backend = null, Uid? Study = null, Uid? Series = null, Uid? Instance = null, Representation? Representation = null)
{
    /// <summary>Selects a series of one backend.</summary>
    public Removal(string backend, SeriesPath path) : this(backend, path.Study, path.Series)
    {
    }

    /// <summary>Selects an instance of one backend.</summary>
    public Removal(string backend, InstancePath path) : this(backend, path.Study, path.Series, path.Instance)
    {
    }

    /// <summary>The one body of this path; null for every body.</summary>
    public string? Path { get; init; }

    /// <summary>The SOP instance UIDs of several instances; null for every instance.</summary>
    public IReadOnlySet<string>? Instances { get; init; }

    /// <summary>True for a change that concerns metadata and search results alone: it selects no body.</summary>
    public bool KeepsBodies { get; init; }

    /// <summary>True for a removal that concerns this process alone: the settings of the others are their own.</summary>
    public bool IsLocal { get; init; }

    /// <summary>True when the removal selects this key.</summary>
    public bool Matches(EntryKey key) =>
        !KeepsBodies && (Backend is null || key.Backend == Backend) && (Representation is null || key.Representation == Representation)
            && (Path is null || key.Path == Path) && IsIn(Study, key.Study) && IsIn(Series, key.Series) && IsIn(Instance, key.Instance)
            && (Instances is null || Instances.Contains(key.Instance.ToString()));

    private static bool IsIn(Uid? wanted, ReadOnlySpan<char> found) => wanted is not { } uid || found.SequenceEqual(uid.ToString());
}
