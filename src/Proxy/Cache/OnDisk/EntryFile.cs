using System.Buffers.Binary;
using System.IO.Hashing;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Proxy.Dicom;
using Proxy.Disk;

namespace Proxy.Cache.OnDisk;

/// <summary>The file format of an entry on disk. A file describes itself and carries the hashes to verify it.</summary>
/// <remarks>
/// <code>
///   0   8  "DWPENTRY"
///   8   4  version of this format: 3 with parameters, otherwise 2; 1 is read as well, any other is a miss
///  12   4  length of the head, which is the offset of the body
///  16   8  length of the body
///  24  16  XXH128 of the body
///  40   8  time of the last byte: ms since 1970
///  48   8  XXH3 of the head with zeros in this field
///  56   4  flags: 1 when prefetched (absent in version 1, whose strings begin here)
///  60      six strings, each with its length before it in 2 bytes (FFFF: null): backend, path, requested media type and transfer
///          syntax, received media type and transfer syntax; in version 3 a seventh: the parameters of the representation
///       …  the body
/// </code>
/// Numbers are little endian. The file name is a hash of the key, so no input from the network is ever part of a path. In an encrypted
/// folder, head and body are encrypted in a format of its own (<see cref="FileSeal"/>), and a file that is not is damaged.
/// </remarks>
internal static class EntryFile
{
    public const int Version = 2;

    /// <summary>The version of an entry whose representation has parameters. Others keep a version that older proxies read.</summary>
    public const int VersionWithParameters = 3;

    /// <summary>The maximum offset of the body; the strings of a head are URLs and names.</summary>
    public const int MaxHeadBytes = 64 * 1024;

    private const int OldVersion = 1;
    private const int OldFixedBytes = 56;
    private const int FixedBytes = 60;
    private const int HashOffset = 48;
    private const int FlagsOffset = 56;
    private const int PrefetchedFlag = 1;
    private const ushort None = 0xFFFF;

    private static ReadOnlySpan<byte> Magic => "DWPENTRY"u8;

    /// <summary>A valid head; the body is not verified yet.</summary>
    public sealed record Found(
        EntryKey Key, EntryHead Head, int Start, long Length, UInt128 Hash, DateTimeOffset Stored, bool IsPrefetched)
    {
        /// <summary>The encryption of the file; null for one that is not encrypted.</summary>
        public FileSeal? Seal { get; init; }

        /// <summary>The length that the whole file must have, in bytes.</summary>
        public long FileBytes => Start + (Seal is null ? Length : FileSeal.GetSealedLength(Length));

        /// <summary>Reads a part of the body.</summary>
        /// <returns>The number of bytes; 0 at the end, or when an encrypted body is damaged.</returns>
        public int Read(SafeFileHandle file, long offset, Span<byte> buffer) =>
            Seal is null ? RandomAccess.Read(file, buffer, Start + offset) : Seal.Read(file, Length, offset, buffer);
    }

    /// <summary>Writes a head; null when the strings are too long.</summary>
    public static byte[]? WriteHead(
        EntryKey key, EntryHead head, long length, UInt128 hash, DateTimeOffset stored, bool isPrefetched = false)
    {
        var (format, parameters) = (key.Representation.Format, key.Representation.Parameters);
        string?[] texts = [key.Backend, key.Path, format?.MediaType, format?.TransferSyntax, head.MediaType, head.TransferSyntax];
        if (parameters.Length > 0) texts = [.. texts, parameters];
        var size = FixedBytes + texts.Sum(text => 2 + (text is null ? 0 : Encoding.UTF8.GetByteCount(text)));
        if (size > MaxHeadBytes - FileSeal.FixedBytes - FileSeal.TagBytes) return null;
        var bytes = new byte[size];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), parameters.Length > 0 ? VersionWithParameters : Version);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), size);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), length);
        BinaryPrimitives.WriteUInt128LittleEndian(bytes.AsSpan(24), hash);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(40), stored.ToUnixTimeMilliseconds());
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(FlagsOffset), isPrefetched ? PrefetchedFlag : 0);
        var rest = bytes.AsSpan(FixedBytes);
        foreach (var text in texts)
        {
            var count = text is null ? 0 : Encoding.UTF8.GetBytes(text, rest[2..]);
            BinaryPrimitives.WriteUInt16LittleEndian(rest, text is null ? None : (ushort)count);
            rest = rest[(2 + count)..];
        }
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(HashOffset), XxHash3.HashToUInt64(bytes));
        return bytes;
    }

    /// <summary>Reads a head; null when it is invalid, damaged, or of another version.</summary>
    /// <param name="bytes">The first bytes of the file.</param>
    /// <param name="keys">The keys of the folder; null for one that is not encrypted.</param>
    public static Found? ReadHead(ReadOnlySpan<byte> bytes, KeyRing? keys = null)
    {
        if (keys is null) return ReadPlainHead(bytes);
        return FileSeal.TryRead(bytes, keys) is { } seal && seal.OpenHead(bytes) is { } head && ReadPlainHead(head) is { } found
            && found.Start == head.Length
                ? found with { Start = seal.Start, Seal = seal }
                : null;
    }

    private static Found? ReadPlainHead(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < FixedBytes || !bytes.StartsWith(Magic)) return null;
        var version = BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]);
        if (version is not (OldVersion or Version or VersionWithParameters)) return null;
        var fixedBytes = version == OldVersion ? OldFixedBytes : FixedBytes;
        var size = BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]);
        if (size < fixedBytes || size > bytes.Length || size > MaxHeadBytes) return null;
        var head = bytes[..size].ToArray();
        head.AsSpan(HashOffset, 8).Clear();
        if (XxHash3.HashToUInt64(head) != BinaryPrimitives.ReadUInt64LittleEndian(bytes[HashOffset..])) return null;

        var texts = new string?[version == VersionWithParameters ? 7 : 6];
        var rest = bytes[fixedBytes..size];
        for (var i = 0; i < texts.Length; i++)
        {
            if (rest.Length < 2) return null;
            var count = BinaryPrimitives.ReadUInt16LittleEndian(rest);
            rest = rest[2..];
            if (count == None) continue;
            if (rest.Length < count) return null;
            texts[i] = Encoding.UTF8.GetString(rest[..count]);
            rest = rest[count..];
        }
        if (texts is not [{ } backend, { } path, var requestedType, var requestedSyntax, { } type, var syntax, .. var further]) return null;
        var representation = new Representation(requestedType is null ? null : new BodyFormat(requestedType, requestedSyntax ?? ""))
        {
            Parameters = further is [{ } parameters] ? parameters : "",
        };
        var length = BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]);
        return new(
            new(backend, path, representation), new(type, syntax, length), size, length,
            BinaryPrimitives.ReadUInt128LittleEndian(bytes[24..]),
            DateTimeOffset.FromUnixTimeMilliseconds(BinaryPrimitives.ReadInt64LittleEndian(bytes[40..])),
            version != OldVersion && (BinaryPrimitives.ReadInt32LittleEndian(bytes[FlagsOffset..]) & PrefetchedFlag) != 0);
    }

    /// <summary>Reads the head of a file; null when it is invalid or the file does not exist.</summary>
    /// <param name="path">The file.</param>
    /// <param name="keys">The keys of the folder; null for one that is not encrypted.</param>
    public static Found? FindHead(string path, KeyRing? keys)
    {
        try
        {
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var bytes = new byte[MaxHeadBytes];
            return ReadHead(bytes.AsSpan(0, RandomAccess.Read(file, bytes, 0)), keys);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>The folder of a study, shared by all backends: <c>ab/abcdef…</c>.</summary>
    public static string GetStudyFolder(ReadOnlySpan<char> study)
    {
        var name = HashName(study, 24);
        return Path.Join(name.AsSpan(0, 2), name);
    }

    /// <summary>The folder of one backend's series: its entries are evicted together.</summary>
    public static string GetSeriesFolder(string backend, ReadOnlySpan<char> study, ReadOnlySpan<char> series) =>
        Path.Join(GetStudyFolder(study), HashName($"{backend}\n{series}", 24));

    public static string GetFolder(EntryKey key) => GetSeriesFolder(key.Backend, key.Study, key.Series);

    public static string GetPath(EntryKey key)
    {
        var (format, parameters) = (key.Representation.Format, key.Representation.Parameters);
        var name = $"{key.Path}\n{format?.MediaType}\n{format?.TransferSyntax}\n{format is null}";
        return Path.Join(GetFolder(key), HashName(parameters.Length == 0 ? name : $"{name}\n{parameters}", 40));
    }

    private static string HashName(ReadOnlySpan<char> text, int length) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())).AsSpan(0, length / 2));
}
