using System.Buffers.Binary;
using System.IO.Hashing;
using Proxy.Cache;
using Proxy.Cache.OnDisk;
using Proxy.Cluster.Changes;

namespace Proxy.Cluster;

/// <summary>The head of a body in the engine.</summary>
/// <remarks>
/// <code>
///   0   8  "DWPSHARE"
///   8  16  epoch of the change log
///  24   8  number of the last change that the writer had applied
///  32   8  XXH3 of the bytes before it
///  40   …  the head of an entry, as in its file: key, type, transfer syntax, length, time, XXH128 of the body, and its own XXH3
/// </code>
/// Numbers are little endian. The bytes of the body are in keys of their own, which are written before the head.
/// </remarks>
internal static class SharedHead
{
    private const int FixedBytes = 40;
    private const int HashOffset = 32;

    private static ReadOnlySpan<byte> Magic => "DWPSHARE"u8;

    /// <summary>Writes a head; null when its texts are too long.</summary>
    public static byte[]? Write(LogPosition position, EntryKey key, Entry entry, UInt128 hash)
    {
        if (EntryFile.WriteHead(key, entry.Head, entry.Length, hash, entry.Stored, entry.IsPrefetched) is not { } head) return null;
        var bytes = new byte[FixedBytes + head.Length];
        Magic.CopyTo(bytes);
        position.Epoch.TryWriteBytes(bytes.AsSpan(8));
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(24), position.Number);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(HashOffset), XxHash3.HashToUInt64(bytes.AsSpan(0, HashOffset)));
        head.CopyTo(bytes, FixedBytes);
        return bytes;
    }

    /// <summary>Reads a head; null when it is damaged.</summary>
    public static (LogPosition Position, EntryFile.Found Entry)? Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < FixedBytes || !bytes.StartsWith(Magic)) return null;
        if (XxHash3.HashToUInt64(bytes[..HashOffset]) != BinaryPrimitives.ReadUInt64LittleEndian(bytes[HashOffset..])) return null;
        if (EntryFile.ReadHead(bytes[FixedBytes..]) is not { } entry || entry.Length < 0) return null;
        return (new(new(bytes.Slice(8, 16)), BinaryPrimitives.ReadInt64LittleEndian(bytes[24..])), entry);
    }
}
