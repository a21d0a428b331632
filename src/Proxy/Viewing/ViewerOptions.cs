using Proxy.Operations;

namespace Proxy.Viewing;

/// <summary>The viewer that the proxy itself serves at <c>/viewer/</c>.</summary>
/// <param name="Path">The folder with a build of OHIF, as an absolute path; null for no viewer. No default.</param>
public sealed record ViewerOptions(string? Path)
{
    /// <summary>Reads the section <c>Viewer</c> of the settings.</summary>
    public static ViewerOptions Read(SettingsReader settings)
    {
        const string key = "Viewer:Path";
        settings.ReportUnknown("Viewer", "Path");
        if (settings.FindText(key) is not { } path) return new((string?)null);
        if (ViewerFolder.HasIndex(path)) return new(System.IO.Path.GetFullPath(path));
        settings.AddError(
            key, path,
            "a folder with index.html of a build of OHIF, readable for the proxy; \"viewer install --path <folder>\" downloads one");
        return new((string?)null);
    }
}
