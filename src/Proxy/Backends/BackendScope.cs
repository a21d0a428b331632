namespace Proxy.Backends;

/// <summary>The backends that a DICOMweb root stands for: all of them, or one.</summary>
/// <param name="Name">The one backend's name; empty for all.</param>
/// <param name="Backends">The preferred first.</param>
public sealed record BackendScope(string Name, IReadOnlyList<BackendOptions> Backends)
{
    public bool IsAll => Name.Length == 0;

    public bool Has(string backend) => Backends.Any(b => b.Name == backend);

    /// <summary>The path of the root, such as <c>/backends/east/dicomweb</c>.</summary>
    public string Path => IsAll ? "/dicomweb" : $"/backends/{Name}/dicomweb";
}
