using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using Proxy.Disk;

namespace Proxy.Cache.OnDisk;

/// <summary>The encryption of the file of an entry (AES-256-GCM), in chunks, so that a part can be read by itself.</summary>
/// <remarks>
/// <code>
///   0   8  "DWPSEALD"
///   8   4  version of this format: 1, any other is a miss
///  12   4  length of the head with its tag
///  16   8  id of the key (KeyRing)
///  24  32  random: the two keys of the file are derived from the key and this
///  56  12  nonce of the head
///  68      the head (EntryFile), encrypted · tag (16)
///       …  chunks of the body: 65,520 bytes, encrypted · tag (16); the last one has fewer bytes
/// </code>
/// The nonce of a chunk is its number and whether it is the last one, and the first 56 bytes of the file are authenticated with every
/// part. So a part that was changed, moved, left out, repeated, or taken from another file has a wrong tag. Head and chunks have keys of
/// their own, and no chunk is written twice. Safe for concurrent use.
/// </remarks>
internal sealed class FileSeal : IDisposable
{
    /// <summary>The bytes of a body in one chunk; with its tag it is 64 KiB.</summary>
    public const int ChunkBytes = SealedChunkBytes - TagBytes;

    /// <summary>The length of a full chunk in the file.</summary>
    public const int SealedChunkBytes = 64 * 1024;

    /// <summary>The length of the file before the encrypted head.</summary>
    public const int FixedBytes = 68;

    /// <summary>The bytes that authenticate a part.</summary>
    public const int TagBytes = 16;

    private const int Version = 1;
    private const int PrefixBytes = 56;
    private const int NonceBytes = 12;

    private readonly Lock _lock = new();
    private readonly byte[] _prefix;
    private readonly byte[] _keys;
    private AesGcm? _chunks;
    private byte[]? _plain;
    private long _plainChunk = -1;
    private volatile bool _isDisposed;

    private FileSeal(byte[] prefix, RestKey key)
    {
        _prefix = prefix;
        _keys = key.Derive(prefix.AsSpan(24, 32), "entry", 2 * RestKey.Length);
    }

    private static ReadOnlySpan<byte> Magic => "DWPSEALD"u8;

    /// <summary>The offset of the first chunk.</summary>
    public int Start => FixedBytes + BinaryPrimitives.ReadInt32LittleEndian(_prefix.AsSpan(12));

    /// <summary>A seal for a new file.</summary>
    /// <param name="keys">The keys of the folder.</param>
    /// <param name="headBytes">The length of the head before encryption.</param>
    public static FileSeal Create(KeyRing keys, int headBytes)
    {
        var (prefix, key) = (new byte[PrefixBytes], keys.Current);
        Magic.CopyTo(prefix);
        BinaryPrimitives.WriteInt32LittleEndian(prefix.AsSpan(8), Version);
        BinaryPrimitives.WriteInt32LittleEndian(prefix.AsSpan(12), headBytes + TagBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(prefix.AsSpan(16), key.Id);
        RandomNumberGenerator.Fill(prefix.AsSpan(24));
        return new(prefix, key);
    }

    /// <summary>The seal of a file; null when it is of no known version, or its key is missing.</summary>
    public static FileSeal? TryRead(ReadOnlySpan<byte> file, KeyRing keys) =>
        file.Length >= FixedBytes && file.StartsWith(Magic) && BinaryPrimitives.ReadInt32LittleEndian(file[8..]) == Version
            && keys.Find(BinaryPrimitives.ReadUInt64LittleEndian(file[16..])) is { } key
                ? new(file[..PrefixBytes].ToArray(), key)
                : null;

    /// <summary>True when a file is encrypted by a key that is missing: it is no damaged file.</summary>
    public static bool IsLocked(ReadOnlySpan<byte> file, KeyRing? keys) =>
        keys is not null && file.Length >= FixedBytes && file.StartsWith(Magic)
            && keys.Find(BinaryPrimitives.ReadUInt64LittleEndian(file[16..])) is null;

    /// <summary>The length of an encrypted body in the file.</summary>
    public static long GetSealedLength(long length) => length + (length + ChunkBytes - 1) / ChunkBytes * TagBytes;

    /// <summary>The file up to its first chunk. May be called again with another head of the same length.</summary>
    public byte[] SealHead(ReadOnlySpan<byte> head)
    {
        var file = new byte[Start];
        _prefix.CopyTo(file, 0);
        RandomNumberGenerator.Fill(file.AsSpan(PrefixBytes, NonceBytes));
        using var cipher = new AesGcm(_keys.AsSpan(0, RestKey.Length), TagBytes);
        var form = file.AsSpan(FixedBytes);
        cipher.Encrypt(file.AsSpan(PrefixBytes, NonceBytes), head, form[..^TagBytes], form[^TagBytes..], _prefix);
        return file;
    }

    /// <summary>Decrypts the head of a file; null when it is damaged or incomplete.</summary>
    public byte[]? OpenHead(ReadOnlySpan<byte> file)
    {
        if (Start < FixedBytes + TagBytes || Start > file.Length) return null;
        var head = new byte[Start - FixedBytes - TagBytes];
        using var cipher = new AesGcm(_keys.AsSpan(0, RestKey.Length), TagBytes);
        try
        {
            var form = file[FixedBytes..Start];
            cipher.Decrypt(file.Slice(PrefixBytes, NonceBytes), form[..^TagBytes], form[^TagBytes..], head, file[..PrefixBytes]);
            return head;
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }

    /// <summary>Encrypts a chunk. Call it once for each number.</summary>
    /// <param name="number">The number of the chunk, from 0.</param>
    /// <param name="isLast">True for the last chunk of the body.</param>
    /// <param name="plain">The bytes.</param>
    /// <param name="form">Receives the encrypted bytes and their tag.</param>
    public void SealChunk(long number, bool isLast, ReadOnlySpan<byte> plain, Span<byte> form)
    {
        Span<byte> nonce = stackalloc byte[NonceBytes];
        WriteNonce(nonce, number, isLast);
        lock (_lock) GetCipher().Encrypt(nonce, plain, form[..plain.Length], form[plain.Length..(plain.Length + TagBytes)], _prefix);
    }

    /// <summary>Decrypts a chunk; false when it is damaged. May decrypt in place.</summary>
    public bool TryOpenChunk(long number, bool isLast, ReadOnlySpan<byte> form, Span<byte> plain)
    {
        if (form.Length < TagBytes) return false;
        Span<byte> nonce = stackalloc byte[NonceBytes];
        WriteNonce(nonce, number, isLast);
        try
        {
            lock (_lock) GetCipher().Decrypt(nonce, form[..^TagBytes], form[^TagBytes..], plain, _prefix);
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
    }

    /// <summary>Reads a part of a complete body.</summary>
    /// <param name="file">The file.</param>
    /// <param name="length">The length of the body.</param>
    /// <param name="offset">The offset in the body.</param>
    /// <param name="buffer">Receives the bytes.</param>
    /// <returns>The number of bytes, up to the end of a chunk; 0 at the end of the body or when it is damaged.</returns>
    public int Read(SafeFileHandle file, long length, long offset, Span<byte> buffer)
    {
        if (offset < 0 || offset >= length || buffer.IsEmpty) return 0;
        var number = offset / ChunkBytes;
        var chunkLength = (int)Math.Min(ChunkBytes, length - number * ChunkBytes);
        var within = (int)(offset - number * ChunkBytes);
        var count = Math.Min(buffer.Length, chunkLength - within);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (_plainChunk != number)
            {
                var isWhole = within == 0 && count == chunkLength;
                var form = ArrayPool<byte>.Shared.Rent(SealedChunkBytes);
                try
                {
                    var part = form.AsSpan(0, chunkLength + TagBytes);
                    if (!ReadFully(file, part, Start + number * SealedChunkBytes)) return 0;
                    // A chunk that is read whole is not needed again; one that is read in parts is kept.
                    var plain = isWhole ? buffer[..count] : (_plain ??= ArrayPool<byte>.Shared.Rent(ChunkBytes)).AsSpan(0, chunkLength);
                    _plainChunk = -1;
                    if (!TryOpenChunk(number, (number + 1) * ChunkBytes >= length, part, plain)) return 0;
                    if (isWhole) return count;
                    _plainChunk = number;
                }
                finally
                {
                    ArrayPool<byte>.Shared.Return(form);
                }
            }
            _plain.AsSpan(within, count).CopyTo(buffer);
            return count;
        }
    }

    /// <summary>Does not wait for a read that hangs on the disk; that read then leaves the rest to the garbage collector.</summary>
    public void Dispose()
    {
        _isDisposed = true;
        if (!_lock.TryEnter()) return;
        try
        {
            _chunks?.Dispose();
            if (_plain is not null) ArrayPool<byte>.Shared.Return(_plain);
            (_chunks, _plain, _plainChunk) = (null, null, -1);
        }
        finally
        {
            _lock.Exit();
        }
    }

    private AesGcm GetCipher() => _chunks ??= new(_keys.AsSpan(RestKey.Length), TagBytes);

    private static void WriteNonce(Span<byte> nonce, long number, bool isLast)
    {
        BinaryPrimitives.WriteInt64LittleEndian(nonce, number);
        BinaryPrimitives.WriteInt32LittleEndian(nonce[8..], isLast ? 1 : 0);
    }

    private static bool ReadFully(SafeFileHandle file, Span<byte> buffer, long offset)
    {
        while (!buffer.IsEmpty)
        {
            var count = RandomAccess.Read(file, buffer, offset);
            if (count == 0) return false;
            buffer = buffer[count..];
            offset += count;
        }
        return true;
    }
}
