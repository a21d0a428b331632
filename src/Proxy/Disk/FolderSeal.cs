using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Proxy.Disk;

/// <summary>Encrypts texts and values in the databases and small files of a cache folder (AES-256-GCM).</summary>
/// <remarks>
/// <para>
/// Its key is random and stands in the folder, itself encrypted by the writing key of the <see cref="KeyRing"/>: after a rotation only
/// that file is written again.
/// </para>
/// <code>
/// folder.key   "DWPFOLDR" · version (4) · id of the key that encrypts the rest (8) · nonce (12) · key of the folder (32) · tag (16)
/// value        nonce (12) · encrypted · tag (16); authenticated with what it belongs to, so that no value takes the place of another
/// text         Base64 of nonce · encrypted · tag, where the nonce is a keyed hash of the text: equal texts have equal forms, so that
///              a database finds them
/// </code>
/// </remarks>
public sealed class FolderSeal
{
    /// <summary>The name of the file with the key of the folder.</summary>
    public const string FileName = "folder.key";

    private const int Version = 1;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private const int HeadBytes = 20;
    private const int FileBytes = HeadBytes + NonceBytes + RestKey.Length + TagBytes;

    private readonly byte[] _key = [];
    private readonly byte[] _hashKey = [];
    private readonly byte[] _folderKey = [];

    private FolderSeal()
    {
    }

    private FolderSeal(byte[] folderKey, ulong wrappedBy)
    {
        var derived = new RestKey(folderKey).Derive([], "folder", 2 * RestKey.Length);
        (_folderKey, _key, _hashKey, WrappedBy) = (folderKey, derived[..RestKey.Length], derived[RestKey.Length..], wrappedBy);
    }

    /// <summary>The seal of a folder that is not encrypted: it changes nothing.</summary>
    public static FolderSeal Plain { get; } = new();

    /// <summary>The id of the key that encrypts the key of the folder.</summary>
    public ulong WrappedBy { get; }

    /// <summary>True when the folder is encrypted.</summary>
    public bool IsActive => _key.Length > 0;

    private static ReadOnlySpan<byte> Magic => "DWPFOLDR"u8;

    /// <summary>A seal with a new random key.</summary>
    public static FolderSeal Create(KeyRing keys) => new(RandomNumberGenerator.GetBytes(RestKey.Length), keys.Current.Id);

    /// <summary>Reads the file; null when it is damaged, or when its key is missing.</summary>
    public static FolderSeal? TryRead(ReadOnlySpan<byte> file, KeyRing keys)
    {
        if (file.Length != FileBytes || !file.StartsWith(Magic)) return null;
        if (BinaryPrimitives.ReadInt32LittleEndian(file[8..]) != Version) return null;
        if (keys.Find(BinaryPrimitives.ReadUInt64LittleEndian(file[12..])) is not { } key) return null;
        var folderKey = new byte[RestKey.Length];
        using var cipher = new AesGcm(key.Derive([], "wrap", RestKey.Length), TagBytes);
        try
        {
            cipher.Decrypt(file.Slice(HeadBytes, NonceBytes), file[32..^TagBytes], file[^TagBytes..], folderKey, file[..HeadBytes]);
            return new(folderKey, key.Id);
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }

    /// <summary>The content of the file, encrypted by the writing key, and the seal that knows it.</summary>
    public (byte[] File, FolderSeal Seal) Wrap(KeyRing keys)
    {
        var key = keys.Current;
        var file = new byte[FileBytes];
        Magic.CopyTo(file);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(8), Version);
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(12), key.Id);
        RandomNumberGenerator.Fill(file.AsSpan(HeadBytes, NonceBytes));
        using var cipher = new AesGcm(key.Derive([], "wrap", RestKey.Length), TagBytes);
        cipher.Encrypt(
            file.AsSpan(HeadBytes, NonceBytes), _folderKey, file.AsSpan(32, RestKey.Length), file.AsSpan(FileBytes - TagBytes),
            file.AsSpan(0, HeadBytes));
        return (file, new(_folderKey, key.Id));
    }

    /// <summary>The stored form of a text; equal texts have equal forms.</summary>
    public string Seal(string text)
    {
        if (!IsActive) return text;
        var plain = Encoding.UTF8.GetBytes(text);
        Span<byte> hash = stackalloc byte[32];
        HMACSHA256.HashData(_hashKey, plain, hash);
        var form = new byte[NonceBytes + plain.Length + TagBytes];
        hash[..NonceBytes].CopyTo(form);
        Encrypt(form, plain, []);
        return Convert.ToBase64String(form);
    }

    /// <summary>The text of a stored form; null when it is damaged.</summary>
    public string? Open(string? form)
    {
        if (!IsActive || form is null) return form;
        var bytes = new byte[form.Length];
        return Convert.TryFromBase64String(form, bytes, out var count) && TryDecrypt(bytes.AsSpan(0, count), [], out var plain)
            ? Encoding.UTF8.GetString(plain)
            : null;
    }

    /// <summary>The stored form of a value.</summary>
    /// <param name="value">The value.</param>
    /// <param name="owner">What it belongs to.</param>
    public byte[] Seal(byte[] value, string owner)
    {
        if (!IsActive) return value;
        var form = new byte[NonceBytes + value.Length + TagBytes];
        RandomNumberGenerator.Fill(form.AsSpan(0, NonceBytes));
        Encrypt(form, value, Encoding.UTF8.GetBytes(owner));
        return form;
    }

    /// <summary>Decrypts a stored form in place.</summary>
    /// <param name="form">The form.</param>
    /// <param name="owner">What it belongs to.</param>
    /// <returns>The value; empty when the form is damaged.</returns>
    public Span<byte> Open(Span<byte> form, string owner) =>
        !IsActive ? form : TryDecrypt(form, Encoding.UTF8.GetBytes(owner), out var plain) ? plain : default;

    /// <summary>The stored form of a hash of a value: it does not tell whether the value is a guessed one.</summary>
    public byte[] SealHash(byte[] hash) => IsActive ? HMACSHA256.HashData(_hashKey, hash)[..16] : hash;

    private void Encrypt(Span<byte> form, ReadOnlySpan<byte> plain, ReadOnlySpan<byte> owner)
    {
        using var cipher = new AesGcm(_key, TagBytes);
        cipher.Encrypt(form[..NonceBytes], plain, form[NonceBytes..^TagBytes], form[^TagBytes..], owner);
    }

    private bool TryDecrypt(Span<byte> form, ReadOnlySpan<byte> owner, out Span<byte> plain)
    {
        plain = default;
        if (form.Length < NonceBytes + TagBytes) return false;
        using var cipher = new AesGcm(_key, TagBytes);
        try
        {
            plain = form[NonceBytes..^TagBytes];
            cipher.Decrypt(form[..NonceBytes], plain, form[^TagBytes..], plain, owner);
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
    }
}
