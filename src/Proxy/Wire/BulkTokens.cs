using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Proxy.Wire;

/// <summary>Signs the bulk data links that leave in metadata, and reads them again when a client comes with one.</summary>
/// <remarks>
/// A client can only ask for what some metadata named: the token holds the backend's own place and a code over the whole link.
/// <code>
/// kept      /studies/S/series/E/instances/I/bulkdata/{backend}/{rest}
/// written   {root}/studies/S/series/E/instances/I/bulkdata/{backend}/{token}
/// token     base64url( rest · first 16 bytes of HMAC-SHA256(key, kept link) )       RFC 4648 §5, RFC 2104 §5
/// </code>
/// The code binds the place to its backend, study, series and instance. The base64 keeps <c>%2F</c> and the like from
/// being decoded by anything between the client and this process.
/// </remarks>
public sealed class BulkTokens
{
    /// <summary>Length of a key, in bytes.</summary>
    public const int KeyBytes = 32;

    private const int MacBytes = 16;

    /// <summary>How many keys are accepted; a key is only replaced when the cache folder is.</summary>
    private const int MaxKeys = 4;

    /// <summary>The newest first: it signs.</summary>
    private byte[][] _keys;
    private UInt128 _keyId;

    /// <summary>Signs with a random key until <see cref="Use"/> gives one that outlives the process.</summary>
    public BulkTokens()
    {
        Key = RandomNumberGenerator.GetBytes(KeyBytes);
        _keys = [Key];
        _keyId = GetId(Key);
    }

    /// <summary>The key that signs.</summary>
    public byte[] Key { get; private set; }

    /// <summary>Differs between keys: an answer with signed links is another one under another key.</summary>
    public UInt128 KeyId => _keyId;

    /// <summary>Signs with this key from now on. Tokens under earlier keys of this process stay good.</summary>
    public void Use(byte[] key)
    {
        if (key.AsSpan().SequenceEqual(Key)) return;
        Volatile.Write(ref _keys, [key, .. _keys.Take(MaxKeys - 1)]);
        (Key, _keyId) = (key, GetId(key));
    }

    /// <summary>Writes the token of a kept link.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="link">The link without the mark of the root.</param>
    /// <param name="rest">Where its rest begins.</param>
    public void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> link, int rest)
    {
        Span<byte> mac = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(Volatile.Read(ref _keys)[0], link, mac);
        var length = link.Length - rest + MacBytes;
        Span<byte> plain = length <= 512 ? stackalloc byte[length] : new byte[length];
        link[rest..].CopyTo(plain);
        mac[..MacBytes].CopyTo(plain[^MacBytes..]);
        output.Advance(Base64Url.EncodeToUtf8(plain, output.GetSpan(Base64Url.GetEncodedLength(length))));
    }

    /// <summary>The place that a token names.</summary>
    /// <param name="backend">As it stands in the URL.</param>
    /// <param name="resource">The study, series or instance of the URL.</param>
    /// <param name="token">What the client came with.</param>
    /// <returns>Null when no metadata of this proxy named it so.</returns>
    public BulkDataPath? Read(string backend, string resource, string token)
    {
        if (token.Length > Base64Url.GetEncodedLength(BulkDataPath.MaxRestLength + 1 + MacBytes)) return null;
        var plain = new byte[Base64Url.GetMaxDecodedLength(token.Length)];
        if (Base64Url.DecodeFromChars(token, plain, out var read, out var length) != OperationStatus.Done || read < token.Length)
            return null;
        if (length <= MacBytes) return null;
        var place = new BulkDataPath(backend, resource, Encoding.UTF8.GetString(plain, 0, length - MacBytes));
        var link = Encoding.UTF8.GetBytes(place.Link);
        Span<byte> mac = stackalloc byte[HMACSHA256.HashSizeInBytes];
        foreach (var key in Volatile.Read(ref _keys))
        {
            HMACSHA256.HashData(key, link, mac);
            if (CryptographicOperations.FixedTimeEquals(mac[..MacBytes], plain.AsSpan(length - MacBytes, MacBytes))) return place;
        }
        return null;
    }

    private static UInt128 GetId(byte[] key) => BinaryPrimitives.ReadUInt128LittleEndian(HMACSHA256.HashData(key, "id"u8));
}
