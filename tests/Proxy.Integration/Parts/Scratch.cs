namespace Proxy.Integration;

/// <summary>A temporary folder for one part of the laboratory, deleted with it.</summary>
public sealed class Scratch : IDisposable
{
    private static readonly HashSet<string> Folders = [];
    private static bool _isOver;

    public Scratch(string what)
    {
        lock (Folders)
        {
            ObjectDisposedException.ThrowIf(_isOver, this);
            Folder = Directory.CreateTempSubdirectory($"proxy-integration-{what}-").FullName;
            Folders.Add(Folder);
        }
    }

    public string Folder { get; }

    /// <summary>Deletes all folders at the end of the test host; no new ones can be created afterwards.</summary>
    public static void DeleteAll()
    {
        lock (Folders)
        {
            _isOver = true;
            foreach (var folder in Folders.ToArray())
                Delete(folder);
        }
    }

    public void Dispose() => Delete(Folder);

    private static void Delete(string folder)
    {
        lock (Folders)
        {
            if (Folders.Remove(folder))
                Directory.Delete(folder, recursive: true);
        }
    }
}
