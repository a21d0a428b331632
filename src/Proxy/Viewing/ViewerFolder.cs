using System.Collections.Frozen;

namespace Proxy.Viewing;

/// <summary>The files of one build of OHIF, listed once.</summary>
/// <remarks>
/// A request names an entry of this list and never a path on disk, so that no request reaches a file outside of the folder. Hidden
/// files, symbolic links and files of unknown types are not in the list. The folder itself may be a link.
/// </remarks>
internal sealed class ViewerFolder
{
    private const string Index = "index.html";

    private readonly FrozenDictionary<string, ViewerFile> _files;
    private readonly string _path;
    private readonly (DateTime Written, long Length) _version;
    private ViewerPage? _page;

    private ViewerFolder(string path, (DateTime Written, long Length) version, string html, IEnumerable<ViewerFile> files)
    {
        (_path, _version) = (path, version);
        _files = files.ToFrozenDictionary(file => file.Name, StringComparer.Ordinal);
        Html = html;
        BasePath = ViewerPage.FindBasePath(html);
        Forms = new(BasePath);
    }

    /// <summary>The path that the build was made for: <c>/</c>, unless OHIF was built with another <c>PUBLIC_URL</c>.</summary>
    public string BasePath { get; }

    /// <summary>The compressed forms of the files.</summary>
    public ViewerForms Forms { get; }

    private string Html { get; }

    /// <summary>Whether a path is a folder with an <c>index.html</c>.</summary>
    public static bool HasIndex(string path) => File.Exists(Path.Join(path, Index));

    /// <summary>Lists a folder.</summary>
    /// <exception cref="IOException">The folder, or its <c>index.html</c>, does not exist or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The proxy may not read the folder.</exception>
    public static ViewerFolder Read(string path)
    {
        var index = Path.Join(path, Index);
        var version = GetVersion(index);
        var options = new EnumerationOptions
        {
            RecurseSubdirectories = true,
            // Also Hidden: names that begin with a dot.
            AttributesToSkip = FileAttributes.Hidden | FileAttributes.System | FileAttributes.ReparsePoint,
        };
        var files =
            from file in Directory.EnumerateFiles(path, "*", options)
            let type = ViewerFileType.Find(file)
            where type is not null
            select new ViewerFile(file, Path.GetRelativePath(path, file).Replace(Path.DirectorySeparatorChar, '/'), type);
        return new(path, version, File.ReadAllText(index), files);
    }

    /// <summary>Whether the folder still has the build that was listed.</summary>
    public bool IsCurrent => GetVersion(Path.Join(_path, Index)) == _version;

    /// <summary>Finds a file by its path below the folder; null for every other path and for the page itself.</summary>
    public ViewerFile? Find(string name) => name == Index ? null : _files.GetValueOrDefault(name);

    /// <summary>The page of the viewer below a path.</summary>
    /// <param name="basePath">The path that the client uses, with a slash at its end.</param>
    public ViewerPage GetPage(string basePath)
    {
        // Clients of one proxy use one path, rarely two: the last page is enough.
        if (Volatile.Read(ref _page) is { } page && page.BasePath == basePath) return page;
        page = ViewerPage.Make(Html, BasePath, basePath);
        Volatile.Write(ref _page, page);
        return page;
    }

    private static (DateTime Written, long Length) GetVersion(string path)
    {
        var file = new FileInfo(path);
        return file.Exists ? (file.LastWriteTimeUtc, file.Length) : default;
    }
}
