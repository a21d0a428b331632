using System.Collections.Concurrent;

namespace Proxy.Integration;

/// <summary>A temporary folder of one part, gone when the part is.</summary>
public sealed class Scratch : IDisposable
{
    private static readonly ConcurrentDictionary<string, byte> Folders = [];

    public Scratch(string what)
    {
        Folder = Directory.CreateTempSubdirectory($"proxy-integration-{what}-").FullName;
        Folders.TryAdd(Folder, 0);
    }

    public string Folder { get; }

    public static void DeleteAll()
    {
        foreach (var folder in Folders.Keys)
            Delete(folder);
    }

    public void Dispose() => Delete(Folder);

    private static void Delete(string folder)
    {
        if (Folders.TryRemove(folder, out _) && Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
    }
}
