namespace Proxy.Backends;

/// <summary>The backends behind a DICOMweb root: all of them, or one.</summary>
/// <param name="Name">The backend's name; empty for all backends.</param>
/// <param name="Backends">The backends in order of preference.</param>
public sealed record Access(string Name, IReadOnlyList<BackendOptions> Backends)
{
    /// <summary>True for the root of all backends.</summary>
    public bool IsAll => Name.Length == 0;

    /// <summary>Whether the access includes the backend.</summary>
    public bool Has(string backend) => Backends.Any(b => b.Name == backend);

    /// <summary>The path of the root, such as <c>/backends/east/dicomweb</c>.</summary>
    public string Path => IsAll ? "/dicomweb" : $"/backends/{Name}/dicomweb";
}
