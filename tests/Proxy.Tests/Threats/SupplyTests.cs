using System.Text.Json;
using System.Xml.Linq;
using Proxy.Tests.Rules;
using Xunit;

namespace Proxy.Tests.Threats;

/// <summary>T12 and T28: what the code may use.</summary>
public sealed class SupplyTests
{
    [Fact]
    public void T28_EveryPackageIsLocked_ByVersionAndHash()
    {
        var projects = new[] { "src", "tests" }.SelectMany(
            folder => Directory.EnumerateFiles(SourceTree.GetPath(folder), "*.csproj", SearchOption.AllDirectories)).ToList();
        Assert.True(projects.Count >= 4);
        foreach (var project in projects)
        {
            // Central versions only, and no range or wildcard.
            Assert.All(
                XDocument.Load(project).Descendants("PackageReference"),
                reference => Assert.Null(reference.Attribute("Version") ?? reference.Attribute("VersionOverride")));
            using var locked = JsonDocument.Parse(File.ReadAllText(Path.Join(Path.GetDirectoryName(project), "packages.lock.json")));
            foreach (var framework in locked.RootElement.GetProperty("dependencies").EnumerateObject())
            {
                foreach (var package in framework.Value.EnumerateObject())
                {
                    if (package.Value.GetProperty("type").GetString() == "Project") continue;
                    Assert.NotEmpty(package.Value.GetProperty("contentHash").GetString()!);
                }
            }
        }
        Assert.All(
            XDocument.Load(SourceTree.GetPath("Directory.Packages.props")).Descendants("PackageVersion"),
            version => Assert.Matches(@"^\d+(\.\d+)+(-[\w.]+)?$", version.Attribute("Version")!.Value));
    }

    [Fact]
    public void T12_XmlIsRead_WithoutDtdAndResolver()
    {
        string[] readers = ["XmlReader.Create", "XDocument.", "XmlDocument", "XElement.", "XPathDocument", "XmlSerializer"];
        var files = SourceTree.EnumerateFiles("src").Where(
            file => readers.Any(reader => File.ReadAllText(SourceTree.GetPath(file)).Contains(reader, StringComparison.Ordinal))).ToList();

        Assert.NotEmpty(files);
        foreach (var text in files.Select(file => File.ReadAllText(SourceTree.GetPath(file))))
        {
            // The size is limited by the reader, or before it.
            Assert.Matches("MaxCharactersInDocument|MaxBytes", text);
            foreach (var rule in (string[])["XmlReader.Create", "DtdProcessing.Prohibit", "XmlResolver = null"])
                Assert.Contains(rule, text, StringComparison.Ordinal);
        }
    }
}
