using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Proxy.Operations;

namespace Proxy.Disk;

/// <summary>The keys that encrypt the cache folder. The first one writes; all of them read what they wrote.</summary>
/// <remarks>
/// The text of the keys is one key a line, or separated by commas: 32 random bytes in Base64, as <c>openssl rand -base64 32</c> prints
/// them. A line that begins with <c>#</c> is a comment. To rotate, put a new key before the others; remove an old one once nothing that
/// it wrote is needed.
/// </remarks>
public sealed class KeyRing
{
    /// <summary>The greatest number of keys.</summary>
    public const int MaxKeys = 16;

    /// <summary>The rule for the text, for the operator.</summary>
    public const string Rule = "keys of 32 bytes in Base64, one a line or separated by commas, 16 at most (openssl rand -base64 32)";

    private const int MaxFileBytes = 16 * 1024;

    private readonly string? _file;
    private readonly ILogger _log;
    private readonly ConcurrentDictionary<ulong, bool> _missing = new();
    private ImmutableArray<RestKey> _keys;
    private DateTime _readAt;

    /// <summary>Creates the ring.</summary>
    /// <param name="keys">The keys, the writing one first; at least one.</param>
    /// <param name="file">The file to read them from again when it changes; null for none.</param>
    /// <param name="log">Logs changes and missing keys.</param>
    public KeyRing(ImmutableArray<RestKey> keys, string? file, ILogger log)
    {
        (_keys, _file, _log) = (keys, file, log);
        if (file is not null) _readAt = File.GetLastWriteTimeUtc(file);
    }

    /// <summary>The key that writes.</summary>
    public RestKey Current => Keys[0];

    private ImmutableArray<RestKey> Keys
    {
        get
        {
            lock (_missing) return _keys;
        }
    }

    /// <summary>Reads the text of keys; null when it breaks <see cref="Rule"/>.</summary>
    public static ImmutableArray<RestKey>? TryRead(string text)
    {
        var keys = ImmutableArray.CreateBuilder<RestKey>();
        Span<byte> bytes = stackalloc byte[RestKey.Length + 3];
        foreach (var line in text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith('#')) continue;
            foreach (var word in line.Split([',', ' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
            {
                if (!Convert.TryFromBase64String(word, bytes, out var count) || count != RestKey.Length) return null;
                keys.Add(new([.. bytes[..count]]));
            }
        }
        return keys.Count is > 0 and <= MaxKeys && keys.DistinctBy(key => key.Id).Count() == keys.Count ? keys.ToImmutable() : null;
    }

    /// <summary>Reads a file of keys; null when it cannot be read, or breaks <see cref="Rule"/>.</summary>
    public static ImmutableArray<RestKey>? TryReadFile(string path)
    {
        try
        {
            return new FileInfo(path) is { Exists: true, Length: <= MaxFileBytes } ? TryRead(File.ReadAllText(path)) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Finds a key. A key that is not known is logged once.</summary>
    public RestKey? Find(ulong id)
    {
        foreach (var key in Keys)
        {
            if (key.Id == id) return key;
        }
        if (_missing.Count < MaxKeys && _missing.TryAdd(id, true)) _log.RestKeyMissing($"{id:x16}");
        return null;
    }

    /// <summary>Reads the file again if it has changed. An invalid file changes nothing.</summary>
    /// <returns>True when there are other keys now.</returns>
    public bool Refresh()
    {
        if (_file is null) return false;
        var written = File.GetLastWriteTimeUtc(_file);
        if (written == _readAt) return false;
        _readAt = written;
        if (TryReadFile(_file) is not { } keys)
        {
            _log.RestKeysInvalid();
            return false;
        }
        if (keys.Select(key => key.Id).SequenceEqual(Keys.Select(key => key.Id))) return false;
        lock (_missing) _keys = keys;
        _missing.Clear();
        _log.RestKeysChanged($"{keys[0].Id:x16}", keys.Length);
        return true;
    }
}

/// <summary>A key of the cache folder.</summary>
public sealed class RestKey
{
    /// <summary>The length of a key, in bytes.</summary>
    public const int Length = 32;

    private readonly byte[] _bytes;

    /// <summary>Creates a key from 32 bytes.</summary>
    public RestKey(byte[] bytes)
    {
        _bytes = bytes;
        Id = BitConverter.ToUInt64(Derive([], "id", sizeof(ulong)));
    }

    /// <summary>Names the key in files and in the log. It is derived from the key, and does not reveal it.</summary>
    public ulong Id { get; }

    /// <summary>Derives a key for one purpose (HKDF with SHA-256, RFC 5869).</summary>
    /// <param name="salt">Makes it unique, such as random bytes of a file.</param>
    /// <param name="purpose">The purpose.</param>
    /// <param name="length">The length of the derived key, in bytes.</param>
    public byte[] Derive(ReadOnlySpan<byte> salt, string purpose, int length)
    {
        var derived = new byte[length];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, _bytes, derived, salt, Encoding.ASCII.GetBytes("dicomweb-proxy " + purpose));
        return derived;
    }

    /// <summary>Names the type only: a key never appears in a text.</summary>
    public override string ToString() => nameof(RestKey);
}
