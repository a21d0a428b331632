using Proxy.Dicom;

namespace Proxy.Cache;

/// <summary>The name of a kept body: everything that its bytes depend on.</summary>
/// <param name="Backend">Two backends may hold different pixels under one UID.</param>
/// <param name="Place">Its path below that backend's DICOMweb root.</param>
/// <param name="Format">What the backend was asked for; null for bulk data, which has one form.</param>
public sealed record EntryKey(string Backend, string Place, BodyFormat? Format)
{
    /// <summary>The study that the place is in; empty when it is in none.</summary>
    public ReadOnlySpan<char> Study => Segment("studies/", 0);

    /// <summary>The series that the place is in; empty when it is in none.</summary>
    public ReadOnlySpan<char> Series => Segment("series/", 2);

    /// <summary>The instance that the place is in; empty when it is in none.</summary>
    public ReadOnlySpan<char> Instance => Segment("instances/", 4);

    private ReadOnlySpan<char> Segment(string name, int before)
    {
        var rest = Place.AsSpan();
        for (; before > 0; before--)
        {
            var slash = rest.IndexOf('/');
            if (slash < 0) return default;
            rest = rest[(slash + 1)..];
        }
        if (!rest.StartsWith(name, StringComparison.Ordinal)) return default;
        rest = rest[name.Length..];
        var end = rest.IndexOf('/');
        return end < 0 ? rest : rest[..end];
    }
}

/// <summary>What may lie under a key that answers a request.</summary>
/// <param name="Key">Under which it lies.</param>
/// <param name="Form">The form that it has to be in; null when whatever lies there will do.</param>
/// <param name="IsPartWanted">It is more than what is wanted, which has to be cut out of it.</param>
public readonly record struct Candidate(EntryKey Key, BodyFormat? Form = null, bool IsPartWanted = false)
{
    public bool IsMetBy(EntryHead head) => Form is null || Form.IsMetBy(head.MediaType, head.TransferSyntax);
}

/// <summary>Which bodies are to go: those that agree in all that is not null. <c>new()</c> is all of them.</summary>
public sealed record Removal(string? Backend = null, Uid? Study = null, Uid? Series = null, Uid? Instance = null)
{
    public Removal(string backend, SeriesPath path) : this(backend, path.Study, path.Series)
    {
    }

    public Removal(string backend, InstancePath path) : this(backend, path.Study, path.Series, path.Instance)
    {
    }

    public bool Has(EntryKey key) =>
        (Backend is null || key.Backend == Backend) && IsIn(Study, key.Study) && IsIn(Series, key.Series) && IsIn(Instance, key.Instance);

    private static bool IsIn(Uid? wanted, ReadOnlySpan<char> found) => wanted is not { } uid || found.SequenceEqual(uid.ToString());
}
