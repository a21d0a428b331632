using System.IO.Hashing;
using Proxy.Disk;

namespace Proxy.Cache.OnDisk;

/// <summary>The result of reading every entry in a cache folder.</summary>
/// <param name="Files">The number of entries.</param>
/// <param name="Bytes">Their size.</param>
/// <param name="Damaged">The number of entries with a wrong head, length or checksum.</param>
internal sealed record EntryVerification(long Files, long Bytes, long Damaged)
{
    private const int PieceBytes = 64 * 1024;

    /// <summary>Reads all entries. It changes nothing, so a proxy may use the folder meanwhile.</summary>
    /// <param name="folder">The cache folder.</param>
    /// <param name="keys">Its keys; null when it is not encrypted.</param>
    /// <param name="cancellation">Stops the reading.</param>
    public static EntryVerification Run(string folder, KeyRing? keys, CancellationToken cancellation)
    {
        var root = Path.Combine(folder, "entries");
        var (files, bytes, damaged) = (0L, 0L, 0L);
        if (!Directory.Exists(root)) return new(0, 0, 0);
        foreach (var path in Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories))
        {
            cancellation.ThrowIfCancellationRequested();
            if (IsSound(path, keys) is not { } isSound) continue;
            files++;
            bytes += new FileInfo(path) is { Exists: true } file ? file.Length : 0;
            if (!isSound) damaged++;
        }
        return new(files, bytes, damaged);
    }

    /// <summary>Whether the file is a whole entry; null when it was deleted meanwhile.</summary>
    private static bool? IsSound(string path, KeyRing? keys)
    {
        try
        {
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var buffer = new byte[PieceBytes];
            if (EntryFile.ReadHead(buffer.AsSpan(0, RandomAccess.Read(file, buffer, 0)), keys) is not { } head) return false;
            using var seal = head.Seal;
            if (head.FileBytes != RandomAccess.GetLength(file)) return false;
            var hash = new XxHash128();
            for (long at = 0; ;)
            {
                var count = head.Read(file, at, buffer);
                if (count == 0) return hash.GetCurrentHashAsUInt128() == head.Hash;
                hash.Append(buffer.AsSpan(0, count));
                at += count;
            }
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
