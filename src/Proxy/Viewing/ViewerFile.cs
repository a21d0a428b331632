using System.Text.RegularExpressions;

namespace Proxy.Viewing;

/// <summary>One file of the viewer that clients may get.</summary>
/// <param name="Path">The absolute path on disk.</param>
/// <param name="Name">The path below the folder, with slashes, as clients request it.</param>
/// <param name="Type">The type, by the extension of the name.</param>
internal sealed partial record ViewerFile(string Path, string Name, ViewerFileType Type)
{
    /// <summary>Whether the name contains a hash of the content, so that the content under this name never changes.</summary>
    public bool IsHashed { get; } = HashedName().IsMatch(Name);

    /// <summary>The number of folders that contain the file.</summary>
    public int Depth { get; } = Name.Count(c => c == '/');

    /// <summary>Bundlers write 16 or 20 hexadecimal digits: <c>app.bundle.0f6159c501addfe9.js</c>, <c>0ddf166f7a343eda.wasm</c>.</summary>
    [GeneratedRegex(@"(?:^|[/.\-_])[0-9a-f]{16,64}\.[^/]+$")]
    private static partial Regex HashedName();
}
