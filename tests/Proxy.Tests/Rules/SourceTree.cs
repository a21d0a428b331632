using System.Runtime.CompilerServices;

namespace Proxy.Tests.Rules;

/// <summary>The files of the repository, by their path below its root.</summary>
internal static class SourceTree
{
    private static readonly string Root = FindRoot();

    /// <summary>The C# files below a folder, without build output.</summary>
    public static IEnumerable<string> EnumerateFiles(string folder) => Enumerate(folder, "*.cs");

    /// <summary>Documents for people.</summary>
    public static IEnumerable<string> EnumerateDocuments() =>
        Directory.EnumerateFiles(Root, "*.md").Select(f => Path.GetRelativePath(Root, f)).Concat(Enumerate("docs", "*.md"));

    public static string GetPath(string file) => Path.Combine(Root, file);

    private static IEnumerable<string> Enumerate(string folder, string pattern) =>
        from path in Directory.EnumerateFiles(GetPath(folder), pattern, SearchOption.AllDirectories)
        let file = Path.GetRelativePath(Root, path)
        where !file.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj")
        select file;

    private static string FindRoot([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", ".."));
}
