namespace Proxy.Audit.Delivery;

/// <summary>Files and folders that only the account of the proxy can read: records name patients.</summary>
internal static class PrivateFiles
{
    private const UnixFileMode FileMode0600 = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Creates a folder and those above it with mode 0700; one that exists keeps its mode.</summary>
    public static void CreateFolder(string path)
    {
        if (Directory.Exists(path)) return;
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } parent) CreateFolder(parent);
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(path);
        else Directory.CreateDirectory(path, FileMode0600 | UnixFileMode.UserExecute);
    }

    /// <summary>Opens a file for reading and writing, and creates it with mode 0600. Others may read and delete it meanwhile.</summary>
    public static FileStream OpenAppend(string path) => new(path, Create(FileMode.OpenOrCreate, FileAccess.ReadWrite));

    /// <summary>Creates or empties a file.</summary>
    public static FileStream OpenNew(string path) => new(path, Create(FileMode.Create, FileAccess.Write));

    /// <summary>Opens a file for reading while another stream appends to it.</summary>
    public static FileStream OpenRead(string path) =>
        new(path, new FileStreamOptions { Share = FileShare.ReadWrite | FileShare.Delete, BufferSize = 0 });

    /// <summary>Cuts off what follows the last line break: a process ended while it wrote.</summary>
    /// <returns>The length of the file.</returns>
    public static long CutTornLine(FileStream file)
    {
        var buffer = new byte[4096];
        var end = file.Length;
        while (end > 0)
        {
            var start = Math.Max(0, end - buffer.Length);
            file.Position = start;
            var block = buffer.AsSpan(0, (int)(end - start));
            file.ReadExactly(block);
            if (block.LastIndexOf((byte)'\n') is >= 0 and var at)
            {
                end = start + at + 1;
                break;
            }
            end = start;
        }
        if (end < file.Length) file.SetLength(end);
        file.Position = end;
        return end;
    }

    private static FileStreamOptions Create(FileMode mode, FileAccess access)
    {
        var options = new FileStreamOptions
        {
            Mode = mode,
            Access = access,
            Share = FileShare.ReadWrite | FileShare.Delete,
            BufferSize = 0,
        };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = FileMode0600;
        return options;
    }
}
