using System.Collections.Immutable;
using System.IO.Hashing;
using System.Text;

namespace Proxy.Backends;

/// <summary>The configured backends: an immutable set, replaced as a whole when the settings reload.</summary>
public sealed class BackendSet(IReadOnlyList<BackendOptions> backends)
{
    private Configured _current = Index(backends);

    /// <summary>The lookups that every request needs, built once.</summary>
    private sealed record Configured(ImmutableDictionary<string, BackendOptions> ByName, Access AsOne);

    /// <summary>All backends in order of preference.</summary>
    public IReadOnlyList<BackendOptions> All => AsOne.Backends;

    /// <summary>All backends as one PACS.</summary>
    public Access AsOne => Volatile.Read(ref _current).AsOne;

    /// <summary>Finds a backend by its name, ignoring case; null when it is not configured.</summary>
    public BackendOptions? Find(string name) => Volatile.Read(ref _current).ByName.GetValueOrDefault(name);

    /// <summary>Whether the backend is still configured with the same address.</summary>
    public bool Has(BackendOptions backend) => Find(backend.Name)?.Address == backend.Address;

    /// <summary>The preference among backends that hold the same object; a removed backend comes last.</summary>
    public int GetPreference(string name) => Find(name)?.Preference ?? int.MaxValue;

    /// <summary>The key of a backend's entries on disk: its name and a hash of its address. Null when it is not configured.</summary>
    public string? FindIdentity(string name) =>
        Find(name) is { } backend
            ? $"{backend.Name}@{XxHash64.HashToUInt64(Encoding.UTF8.GetBytes(backend.Address.AbsoluteUri)):x16}"
            : null;

    /// <summary>Finds the current name of the backend with this identity, or null.</summary>
    public string? FindName(string identity) =>
        Find(identity.Split('@')[0]) is { } backend
            && string.Equals(FindIdentity(backend.Name), identity, StringComparison.OrdinalIgnoreCase) ? backend.Name : null;

    /// <summary>Replaces the backends.</summary>
    /// <returns>The names that were removed or have a new address.</returns>
    public IReadOnlyList<string> Set(IReadOnlyList<BackendOptions> backends)
    {
        var (before, after) = (_current, Index(backends));
        Volatile.Write(ref _current, after);
        return [.. before.ByName.Values.Where(b => after.ByName.GetValueOrDefault(b.Name)?.Address != b.Address).Select(b => b.Name)];
    }

    private static Configured Index(IReadOnlyList<BackendOptions> backends) => new(
        backends.ToImmutableDictionary(b => b.Name, StringComparer.OrdinalIgnoreCase),
        new("", [.. backends.OrderBy(b => b.Preference).ThenBy(b => b.Name, StringComparer.Ordinal)]));
}
