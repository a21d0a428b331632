using System.Text.RegularExpressions;
using Xunit;

namespace Proxy.Tests.Rules;

/// <summary>Folders are layers: each may use those before it, so that a file can be read without what stands above it.</summary>
public partial class FolderOrderTests
{
    /// <summary>From what knows nothing to what knows all; folders of one rank do not know each other.</summary>
    private static readonly string[][] Order = [
        ["Dicom"], ["Wire"], ["Imaging"], ["Disk"], ["Metadata"], ["Backends"], ["Cache"], ["Dimse"], ["Cluster"], ["Rights"], ["Locating"],
        ["Search", "Retrieve", "Storing", "Capabilities"], ["Rendering"], ["Prefetch"], ["Viewing"], ["Admin", "Demo"],
        ["Cli"]];

    /// <summary>Everyone may use them; they know Dicom, Operations and Identity.</summary>
    private static readonly string[] Open = ["Operations", "Events", "Identity", "Security", "Audit"];

    public static TheoryData<string> Folders =>
        [.. Directory.EnumerateDirectories(Source()).Select(Path.GetFileName).OfType<string>()
            .Where(f => f is not ("bin" or "obj" or "Properties"))];

    [Theory]
    [MemberData(nameof(Folders))]
    public void EachFolderUsesThoseBeforeIt(string folder)
    {
        var allowed = Allowed(folder);
        var offences =
            from file in Directory.EnumerateFiles(Path.Combine(Source(), folder), "*.cs", SearchOption.AllDirectories)
            from used in Uses(File.ReadAllText(file)).Distinct()
            where used != folder && !allowed.Contains(used)
            select $"{folder}/{Path.GetFileName(file)} uses {used}";
        Assert.Empty(offences);
    }

    [Fact]
    public void EveryFolderHasAPlaceInTheOrder() =>
        Assert.Empty(Folders.Select(f => f.Data).Except(Order.SelectMany(rank => rank)).Except(Open));

    /// <summary>A namespace is the folder it lies in; else the rule above would look past it.</summary>
    [Fact]
    public void AFileSaysWhichFolderItIsIn()
    {
        var offences =
            from folder in Folders.Select(f => f.Data)
            from file in Directory.EnumerateFiles(Path.Combine(Source(), folder), "*.cs", SearchOption.AllDirectories)
            let expected = "Proxy." + Path.GetRelativePath(Source(), Path.GetDirectoryName(file)!).Replace(Path.DirectorySeparatorChar, '.')
            where !File.ReadAllLines(file).Contains($"namespace {expected};")
            select file;
        Assert.Empty(offences);
    }

    [Theory]
    [InlineData("using Proxy.Cache;", "Cache")]
    [InlineData("using static Proxy.Cache.Entry;", "Cache")]
    [InlineData("using E = Proxy.Cache.Entry;", "Cache")]
    [InlineData("var e = Cache.Entry.None;", "Cache")]
    [InlineData("var e = new Proxy.Cache.Entry();", "Cache")]
    [InlineData("/// <see cref=\"Wire.DicomJsonWriter\"/>", null)]
    [InlineData("// see Cache.Entry", null)]
    [InlineData("settings.Read(\"Cache.Entry\")", null)]
    [InlineData("options.Cache.Value", null)]
    public void AUseIsSeen_HoweverItIsWritten(string line, string? folder) => Assert.Equal(folder is null ? [] : [folder], Uses(line));

    private static HashSet<string> Allowed(string folder)
    {
        if (Open.Contains(folder)) return ["Dicom", "Operations", "Identity"];
        var rank = Array.FindIndex(Order, names => names.Contains(folder));
        return [.. Order.Take(Math.Max(rank, 0)).SelectMany(names => names), .. Open];
    }

    /// <summary>Folders that code names, in its using lines or before a type. Comments name what they like.</summary>
    private static IEnumerable<string> Uses(string code)
    {
        var folders = string.Join('|', Order.SelectMany(rank => rank).Concat(Open));
        var bare = NoCode().Replace(code, "");
        return Regex.Matches(bare, $@"(?<![\w.])(?:Proxy\.)?({folders})\.[A-Z]|\bProxy\.({folders})\b")
            .Select(m => m.Groups[1].Success ? m.Groups[1].Value : m.Groups[2].Value);
    }

    [GeneratedRegex("""//[^\n]*|\$?"(?:\\.|[^"\\\n])*"|^namespace [^\n]*""", RegexOptions.Multiline)]
    private static partial Regex NoCode();

    private static string Source() => SourceTree.GetPath(Path.Combine("src", "Proxy"));
}
