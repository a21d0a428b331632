using Proxy.Dicom;

namespace Proxy.Cache;

/// <summary>The name of a kept body: everything that its bytes depend on.</summary>
/// <param name="Backend">Two backends may hold different pixels under one UID.</param>
/// <param name="Path">Its path below that backend's DICOMweb root.</param>
/// <param name="Format">What the backend was asked for; null for bulk data, which has one form.</param>
public sealed record EntryKey(string Backend, string Path, BodyFormat? Format)
{
    /// <summary>The study that the place is in; empty when it is in none.</summary>
    public ReadOnlySpan<char> Study => Segment("studies/", 0);

    /// <summary>The series that the place is in; empty when it is in none.</summary>
    public ReadOnlySpan<char> Series => Segment("series/", 2);

    /// <summary>The instance that the place is in; empty when it is in none.</summary>
    public ReadOnlySpan<char> Instance => Segment("instances/", 4);

    private ReadOnlySpan<char> Segment(string name, int before)
    {
        var rest = Path.AsSpan();
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
