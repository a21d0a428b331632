using System.Collections.Immutable;
using System.IO.Hashing;
using System.Text;

namespace Proxy.Backends;

/// <summary>The configured backends, as they are now: one immutable set, swapped whole when the settings reload.</summary>
public sealed class BackendSet(IReadOnlyList<BackendOptions> backends)
{
    private Configured _now = Index(backends);

    /// <summary>What is looked up at every request, made once.</summary>
    private sealed record Configured(ImmutableDictionary<string, BackendOptions> ByName, BackendScope AsOne);

    /// <summary>All backends, the preferred first.</summary>
    public IReadOnlyList<BackendOptions> All => AsOne.Backends;

    /// <summary>All backends as one PACS.</summary>
    public BackendScope AsOne => Volatile.Read(ref _now).AsOne;

    public BackendOptions? Find(string name) => Volatile.Read(ref _now).ByName.GetValueOrDefault(name);

    /// <summary>Whether it is configured still, as the same PACS.</summary>
    public bool Has(BackendOptions backend) => Find(backend.Name)?.Address == backend.Address;

    /// <summary>The order of backends that hold the same thing; one that is configured no more comes last.</summary>
    public int GetPreference(string name) => Find(name)?.Preference ?? int.MaxValue;

    /// <summary>
    /// The name under which what a backend gave is kept on disk: another PACS under the same name has another. Null when it is not
    /// configured.
    /// </summary>
    public string? FindIdentity(string name) =>
        Find(name) is { } backend
            ? $"{backend.Name}@{XxHash64.HashToUInt64(Encoding.UTF8.GetBytes(backend.Address.AbsoluteUri)):x16}"
            : null;

    /// <summary>The name, as it is written now, of the backend that has this identity; null when none has.</summary>
    public string? FindName(string identity) =>
        Find(identity.Split('@')[0]) is { } backend
            && string.Equals(FindIdentity(backend.Name), identity, StringComparison.OrdinalIgnoreCase) ? backend.Name : null;

    /// <summary>Takes other backends.</summary>
    /// <returns>The names that are gone, or stand for another PACS now.</returns>
    public IReadOnlyList<string> Set(IReadOnlyList<BackendOptions> backends)
    {
        var (before, after) = (_now, Index(backends));
        Volatile.Write(ref _now, after);
        return [.. before.ByName.Values.Where(b => after.ByName.GetValueOrDefault(b.Name)?.Address != b.Address).Select(b => b.Name)];
    }

    private static Configured Index(IReadOnlyList<BackendOptions> backends) => new(
        backends.ToImmutableDictionary(b => b.Name, StringComparer.OrdinalIgnoreCase),
        new("", [.. backends.OrderBy(b => b.Preference).ThenBy(b => b.Name, StringComparer.Ordinal)]));
}
