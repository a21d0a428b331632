using Proxy.Dicom;

namespace Proxy.Cache;

/// <summary>The key of a cached body: everything that its bytes depend on.</summary>
/// <param name="Backend">The backend; two backends may hold different pixels under one UID.</param>
/// <param name="Path">The path below the backend's DICOMweb root.</param>
/// <param name="Representation">The format that the backend was asked for, and the parameters of a rendering.</param>
public sealed record EntryKey(string Backend, string Path, Representation Representation)
{
    /// <summary>The study UID in the path, or empty.</summary>
    public ReadOnlySpan<char> Study => Segment("studies/", 0);

    /// <summary>The series UID in the path, or empty.</summary>
    public ReadOnlySpan<char> Series => Segment("series/", 2);

    /// <summary>The SOP instance UID in the path, or empty.</summary>
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

/// <summary>What a cached body is a representation of its resource in: everything that its bytes depend on besides the resource.</summary>
/// <param name="Format">Media type and transfer syntax that the backend was asked for; null for bulk data in the backend's choice.</param>
public readonly record struct Representation(BodyFormat? Format)
{
    /// <summary>
    /// The parameters of the rendering, as canonical text: equal parameters have equal text. Empty for a body that is not rendered.
    /// </summary>
    public string Parameters
    {
        get => field ?? "";
        // Null in place of empty: a default value equals a created one.
        init => field = value.Length == 0 ? null : value;
    }

    /// <summary>The representation in a format, without parameters.</summary>
    public static implicit operator Representation(BodyFormat? format) => new(format);
}
