using System.Collections.Immutable;
using Proxy.Operations;

namespace Proxy.Disk;

/// <summary>The keys of the cache folder, from a file or from a setting.</summary>
/// <remarks>
/// An environment variable holds keys as <c>Cache__Encryption__Key</c>. A changed file is read again while the proxy runs.
/// </remarks>
public sealed class EncryptionOptions
{
    private readonly ImmutableArray<RestKey> _keys;

    private EncryptionOptions(ImmutableArray<RestKey> keys, string? file) => (_keys, File) = (keys, file);

    /// <summary>No encryption.</summary>
    public static EncryptionOptions None { get; } = new([], null);

    /// <summary>The file of the keys; null for none.</summary>
    public string? File { get; }

    /// <summary>
    /// Reads <c>Cache:Encryption</c>. A key that is configured and cannot be read is an error: nothing is written unencrypted.
    /// </summary>
    public static EncryptionOptions Read(SettingsReader settings)
    {
        settings.ReportUnknown("Cache:Encryption", "KeyFile", "Key");
        var (file, text) = (settings.FindText("Cache:Encryption:KeyFile"), settings.FindText("Cache:Encryption:Key"));
        if (file is not null && text is not null)
            settings.AddError("Cache:Encryption:KeyFile", file, "not together with Cache:Encryption:Key");
        var keys = file is not null ? KeyRing.TryReadFile(file) : text is not null ? KeyRing.TryRead(text) : [];
        if (keys is not null) return new(keys.Value, file);
        if (file is not null) settings.AddError("Cache:Encryption:KeyFile", file, "a readable file with " + KeyRing.Rule);
        else settings.AddError("Cache:Encryption:Key", "(hidden)", KeyRing.Rule);
        return None;
    }

    /// <summary>The keys; null for no encryption.</summary>
    public KeyRing? CreateRing(ILogger log) => _keys.IsEmpty ? null : new(_keys, File, log);
}
