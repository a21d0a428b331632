namespace Proxy.Metadata;

/// <summary>What the store needs to know of the configured backends.</summary>
/// <param name="FindIdentity">The identity of a backend on disk; null when it is not configured.</param>
/// <param name="FindName">The inverse mapping.</param>
/// <param name="GetPreference">The preference among backends that hold the same object; the lowest is preferred.</param>
public sealed record StoredBackends(
    Func<string, string?> FindIdentity, Func<string, string?> FindName, Func<string, int> GetPreference);
