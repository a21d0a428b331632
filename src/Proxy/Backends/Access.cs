using Proxy.Identity;
using Proxy.Metadata;

namespace Proxy.Backends;

/// <summary>The backends that one request may use and see: those behind its DICOMweb root, all of them or one.</summary>
/// <param name="Name">The backend's name; empty for all backends.</param>
/// <param name="Backends">The backends in order of preference.</param>
public sealed record Access(string Name, IReadOnlyList<BackendOptions> Backends)
{
    /// <summary>Who sends the request.</summary>
    public Caller Caller { get; init; } = Caller.Anonymous;

    /// <summary>True when the caller may not see the studies of some backends behind the root.</summary>
    public bool IsNarrowed { get; init; }

    /// <summary>True when the rights of callers differ between studies.</summary>
    public bool IsLimited { get; init; }

    /// <summary>Identifies what is behind the access: the root, and the backends if the caller may not see all of them.</summary>
    public string Scope => IsNarrowed ? $"{Name}|{string.Join(',', Backends.Select(b => b.Name))}" : Name;

    /// <summary>True for the root of all backends.</summary>
    public bool IsAll => Name.Length == 0;

    /// <summary>Whether the access includes the backend.</summary>
    public bool Has(string backend)
    {
        for (var i = 0; i < Backends.Count; i++)
        {
            if (Backends[i].Name == backend) return true;
        }
        return false;
    }

    /// <summary>Whether the request may see what concerns this backend; null or empty for what concerns all backends.</summary>
    /// <remarks>With access to all backends, this includes a backend that the settings have added or removed since.</remarks>
    public bool Sees(string? backend) =>
        string.IsNullOrEmpty(backend) ? IsAll : (IsAll && !IsNarrowed) || Has(backend);

    /// <summary>The study with the series lists that the request may see.</summary>
    public Study Restrict(Study study) =>
        IsAll && !IsNarrowed
            ? study
            : study with { SeriesLists = study.SeriesLists.RemoveRange(study.SeriesLists.Keys.Where(name => !Has(name))) };

    /// <summary>The path of the root, such as <c>/backends/east/dicomweb</c>.</summary>
    public string Path => IsAll ? "/dicomweb" : $"/backends/{Name}/dicomweb";
}
