using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Proxy.Wire;

/// <summary>Signs the bulk data links in metadata for clients, and verifies them when a client requests one.</summary>
/// <remarks>
/// A client can request only links that some metadata contained: the token holds the backend's own path and a code over the whole link.
/// <code>
/// stored    /studies/S/series/E/instances/I/bulkdata/{backend}/{rest}
/// written   {root}/studies/S/series/E/instances/I/bulkdata/{backend}/{token}
/// token     base64url( rest · first 10 bytes of HMAC-SHA256(key, stored link) )     RFC 4648 §5, RFC 2104 §5
/// </code>
/// The code binds the path to its backend, study, series and instance. The base64 keeps intermediaries between the client and
/// this process from decoding <c>%2F</c> and similar escapes.
/// <para>
/// Metadata names many links, and codes do not compress, so a code has 80 bits, the least that RFC 2104 §5 recommends. Only this
/// process can tell whether a code is right: at 100,000 requests per second, a forgery takes over 10 billion years on average.
/// </para>
/// </remarks>
public sealed class BulkTokens
{
    /// <summary>The length of a key, in bytes.</summary>
    public const int KeyBytes = 32;

    private const int MacBytes = 10;

    /// <summary>The number of accepted keys; a key changes only when the cache folder changes.</summary>
    private const int MaxKeys = 4;

    /// <summary>Newest first; the first signs.</summary>
    private byte[][] _keys;
    private UInt128 _keyId;

    /// <summary>Signs with a random key until <see cref="Use"/> sets a key that outlives the process.</summary>
    public BulkTokens()
    {
        Key = RandomNumberGenerator.GetBytes(KeyBytes);
        _keys = [Key];
        _keyId = GetId(Key);
    }

    /// <summary>The key that signs.</summary>
    public byte[] Key { get; private set; }

    /// <summary>Differs between keys and lengths of the code, because an answer with signed links changes with both.</summary>
    public UInt128 KeyId => _keyId;

    /// <summary>Signs with this key from now on. Tokens signed with earlier keys of this process stay valid.</summary>
    public void Use(byte[] key)
    {
        if (key.AsSpan().SequenceEqual(Key)) return;
        Volatile.Write(ref _keys, [key, .. _keys.Take(MaxKeys - 1)]);
        (Key, _keyId) = (key, GetId(key));
    }

    /// <summary>Writes the token of a stored link.</summary>
    /// <param name="output">Receives the token.</param>
    /// <param name="link">The link without the root mark.</param>
    /// <param name="rest">The offset of its rest.</param>
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

    /// <summary>Verifies a token and returns the bulk data item that it names.</summary>
    /// <param name="backend">The backend's name from the URL.</param>
    /// <param name="resource">The study, series or instance of the URL.</param>
    /// <param name="token">The token from the URL.</param>
    /// <returns>Null when the proxy did not sign this token for this URL.</returns>
    public BulkDataPath? Read(string backend, string resource, string token)
    {
        if (token.Length > Base64Url.GetEncodedLength(BulkDataPath.MaxRestLength + 1 + MacBytes)) return null;
        var plain = new byte[Base64Url.GetMaxDecodedLength(token.Length)];
        if (Base64Url.DecodeFromChars(token, plain, out var read, out var length) != OperationStatus.Done || read < token.Length)
            return null;
        if (length <= MacBytes) return null;
        var item = new BulkDataPath(backend, resource, Encoding.UTF8.GetString(plain, 0, length - MacBytes));
        var link = Encoding.UTF8.GetBytes(item.Link);
        Span<byte> mac = stackalloc byte[HMACSHA256.HashSizeInBytes];
        foreach (var key in Volatile.Read(ref _keys))
        {
            HMACSHA256.HashData(key, link, mac);
            if (CryptographicOperations.FixedTimeEquals(mac[..MacBytes], plain.AsSpan(length - MacBytes, MacBytes))) return item;
        }
        return null;
    }

    private static UInt128 GetId(byte[] key) =>
        BinaryPrimitives.ReadUInt128LittleEndian(HMACSHA256.HashData(key, (byte[])[.. "id"u8, MacBytes]));
}
