using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Disk;

namespace Proxy.Tests.Disk;

/// <summary>Keys for tests: each number stands for one key.</summary>
internal static class Keys
{
    /// <summary>A ring of these keys, the writing one first.</summary>
    public static KeyRing Ring(params int[] numbers) => new(KeyRing.TryRead(Text(numbers))!.Value, null, NullLogger.Instance);

    /// <summary>The text of these keys, one a line.</summary>
    public static string Text(params int[] numbers) =>
        string.Join('\n', numbers.Select(number => Convert.ToBase64String([.. Enumerable.Repeat((byte)number, RestKey.Length)])));

    /// <summary>The content of a file; nothing when it was deleted meanwhile.</summary>
    private static byte[] Read(string file)
    {
        try
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var bytes = new byte[stream.Length];
            return bytes[..stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)];
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return [];
        }
    }

    /// <summary>The files below a folder that contain one of these contents; the lock is empty and cannot be read.</summary>
    public static IEnumerable<string> FindFiles(string folder, params IEnumerable<byte[]> contents)
    {
        foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            if (Path.GetFileName(file) == "lock") continue;
            var bytes = Read(file);
            foreach (var content in contents)
            {
                if (bytes.AsSpan().IndexOf(content) < 0) continue;
                yield return $"{Path.GetRelativePath(folder, file)}: {Convert.ToHexString(content)}";
            }
        }
    }
}
