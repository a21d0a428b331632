using System.Buffers.Binary;
using System.IO.Hashing;
using System.Security.Cryptography;
using System.Text;
using Proxy.Dicom;

namespace Proxy.Cache.OnDisk;

/// <summary>The form of a kept body on disk. A file says itself what it is, and proves that it is whole.</summary>
/// <remarks>
/// <code>
///   0   8  "DWPENTRY"
///   8   4  version of this form: 2; 1 is read too, any other is a miss
///  12   4  length of the head: where the body begins
///  16   8  length of the body
///  24  16  XXH128 of the body
///  40   8  when the last byte came: ms since 1970
///  48   8  XXH3 of the head with zeros here
///  56   4  what else is known of it: 1 when it came before anybody asked for it (not in version 1, whose texts begin here)
///  60      six texts, each with its length before it in 2 bytes (FFFF: none): backend, place, media type and transfer
///          syntax that were asked for, media type and transfer syntax that came
///       …  the body
/// </code>
/// Numbers are little endian. The name is made of a hash of the key, so nothing that anybody sent is ever a path.
/// </remarks>
internal static class EntryFile
{
    public const int Version = 2;

    /// <summary>No head is longer: its texts are URLs and names.</summary>
    public const int MaxHeadBytes = 64 * 1024;

    private const int FirstVersion = 1;
    private const int FirstFixedBytes = 56;
    private const int FixedBytes = 60;
    private const int CheckAt = 48;
    private const int MarksAt = 56;
    private const int Prefetched = 1;
    private const ushort None = 0xFFFF;

    private static ReadOnlySpan<byte> Magic => "DWPENTRY"u8;

    /// <summary>A head that was read, of a file whose body is still to be proved.</summary>
    public sealed record Found(
        EntryKey Key, EntryHead Head, int Start, long Length, UInt128 Hash, DateTimeOffset Stored, bool IsPrefetched);

    /// <summary>The head; null when the texts are too long for one.</summary>
    public static byte[]? WriteHead(
        EntryKey key, EntryHead head, long length, UInt128 hash, DateTimeOffset stored, bool isPrefetched = false)
    {
        string?[] texts = [key.Backend, key.Path, key.Format?.MediaType, key.Format?.TransferSyntax, head.MediaType, head.TransferSyntax];
        var size = FixedBytes + texts.Sum(text => 2 + (text is null ? 0 : Encoding.UTF8.GetByteCount(text)));
        if (size > MaxHeadBytes) return null;
        var bytes = new byte[size];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), Version);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), size);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), length);
        BinaryPrimitives.WriteUInt128LittleEndian(bytes.AsSpan(24), hash);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(40), stored.ToUnixTimeMilliseconds());
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(MarksAt), isPrefetched ? Prefetched : 0);
        var rest = bytes.AsSpan(FixedBytes);
        foreach (var text in texts)
        {
            var count = text is null ? 0 : Encoding.UTF8.GetBytes(text, rest[2..]);
            BinaryPrimitives.WriteUInt16LittleEndian(rest, text is null ? None : (ushort)count);
            rest = rest[(2 + count)..];
        }
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(CheckAt), XxHash3.HashToUInt64(bytes));
        return bytes;
    }

    /// <summary>Reads a head; null when it is none, of another version, or damaged.</summary>
    public static Found? ReadHead(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < FixedBytes || !bytes.StartsWith(Magic)) return null;
        var version = BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]);
        if (version is not (Version or FirstVersion)) return null;
        var fixedBytes = version == FirstVersion ? FirstFixedBytes : FixedBytes;
        var size = BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]);
        if (size < fixedBytes || size > bytes.Length || size > MaxHeadBytes) return null;
        var head = bytes[..size].ToArray();
        head.AsSpan(CheckAt, 8).Clear();
        if (XxHash3.HashToUInt64(head) != BinaryPrimitives.ReadUInt64LittleEndian(bytes[CheckAt..])) return null;

        var texts = new string?[6];
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
        if (texts is not [{ } backend, { } place, var askedType, var askedSyntax, { } type, var syntax]) return null;
        var format = askedType is null ? null : new BodyFormat(askedType, askedSyntax ?? "");
        var length = BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]);
        return new(
            new(backend, place, format), new(type, syntax, length), size, length,
            BinaryPrimitives.ReadUInt128LittleEndian(bytes[24..]),
            DateTimeOffset.FromUnixTimeMilliseconds(BinaryPrimitives.ReadInt64LittleEndian(bytes[40..])),
            version != FirstVersion && (BinaryPrimitives.ReadInt32LittleEndian(bytes[MarksAt..]) & Prefetched) != 0);
    }

    /// <summary>The head of a file; null when it is none, or has just gone.</summary>
    public static Found? FindHead(string path)
    {
        try
        {
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var bytes = new byte[MaxHeadBytes];
            return ReadHead(bytes.AsSpan(0, RandomAccess.Read(file, bytes, 0)));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Where all of a study lies, whoever gave it: <c>ab/abcdef…</c>.</summary>
    public static string FolderOfStudy(ReadOnlySpan<char> study)
    {
        var name = Name(study, 24);
        return Path.Join(name.AsSpan(0, 2), name);
    }

    /// <summary>Where all lies that one backend gave of a series: what leaves, leaves together.</summary>
    public static string FolderOfSeries(string backend, ReadOnlySpan<char> study, ReadOnlySpan<char> series) =>
        Path.Join(FolderOfStudy(study), Name($"{backend}\n{series}", 24));

    public static string GetFolder(EntryKey key) => FolderOfSeries(key.Backend, key.Study, key.Series);

    public static string GetPath(EntryKey key) =>
        Path.Join(GetFolder(key), Name($"{key.Path}\n{key.Format?.MediaType}\n{key.Format?.TransferSyntax}\n{key.Format is null}", 40));

    private static string Name(ReadOnlySpan<char> text, int length) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())).AsSpan(0, length / 2));
}
