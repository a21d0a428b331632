using Proxy.Metadata;

namespace Proxy.Backends;

/// <summary>The backends that one request may use and see: those behind its DICOMweb root, all of them or one.</summary>
/// <param name="Name">The backend's name; empty for all backends.</param>
/// <param name="Backends">The backends in order of preference.</param>
public sealed record Access(string Name, IReadOnlyList<BackendOptions> Backends)
{
    /// <summary>True for the root of all backends.</summary>
    public bool IsAll => Name.Length == 0;

    /// <summary>Whether the access includes the backend.</summary>
    public bool Has(string backend) => Backends.Any(b => b.Name == backend);

    /// <summary>Whether the request may see what concerns this backend; null or empty for what concerns all backends.</summary>
    /// <remarks>With access to all backends, this includes a backend that the settings have added or removed since.</remarks>
    public bool Sees(string? backend) => IsAll || (!string.IsNullOrEmpty(backend) && Has(backend));

    /// <summary>The study with the series lists that the request may see.</summary>
    public Study Restrict(Study study) =>
        IsAll ? study : study with { SeriesLists = study.SeriesLists.RemoveRange(study.SeriesLists.Keys.Where(name => !Has(name))) };

    /// <summary>The path of the root, such as <c>/backends/east/dicomweb</c>.</summary>
    public string Path => IsAll ? "/dicomweb" : $"/backends/{Name}/dicomweb";
}
