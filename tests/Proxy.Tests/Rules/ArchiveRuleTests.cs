using System.Text.RegularExpressions;
using Xunit;

namespace Proxy.Tests.Rules;

/// <summary>Only the folders that speak HTTP to a PACS know its requests, statuses and YARP; all others use IArchive.</summary>
public sealed partial class ArchiveRuleTests
{
    private static readonly string Source = Path.Combine("src", "Proxy");

    /// <summary>
    /// Folders and files that may. The last ones answer clients, show the state of YARP's destinations, or ask the decision point.
    /// </summary>
    private static readonly string[] SpeakHttp =
    [
        "Backends/DicomWeb/", "Backends/Transport/", "Backends/Credentials/", "Backends/PassThrough/", "Backends/Forwarding.cs",
        "Operations/", "Admin/", "Demo/", "Composition.cs", "Rights/DecisionPoint.cs",
    ];

    [Fact]
    public void OnlyTheFoldersThatSpeakHttpNameItsTypes() => Assert.Empty(
        from file in SourceTree.EnumerateFiles(Source)
        let path = Path.GetRelativePath(Source, file).Replace(Path.DirectorySeparatorChar, '/')
        where !SpeakHttp.Any(allowed => path.StartsWith(allowed, StringComparison.Ordinal))
        from name in FindNames(File.ReadAllText(SourceTree.GetPath(file))).Distinct()
        select $"{path} names {name}");

    [Theory]
    [InlineData("using Yarp.ReverseProxy;", "Yarp.")]
    [InlineData("public BackendFailure(HttpStatusCode status)", "HttpStatusCode")]
    [InlineData("var request = new BackendRequest(path);", "BackendRequest")]
    [InlineData("IForwarderErrorFeature? error", "IForwarderErrorFeature")]
    [InlineData("/// <see cref=\"BackendClient\"/>", null)]
    [InlineData("settings.Read(\"Logging:LogLevel:Yarp.x\")", null)]
    [InlineData("BackendOptions.YarpKeys", null)]
    public void ANameIsSeen_InCodeOnly(string line, string? name) => Assert.Equal(name is null ? [] : [name], FindNames(line));

    private static IEnumerable<string> FindNames(string code) => Names().Matches(NoCode().Replace(code, "")).Select(m => m.Value);

    [GeneratedRegex(@"\b(?:(?:BackendRequest|BackendResponse|BackendClient|BackendExchange|HttpStatusCode|IForwarder\w*)\b|Yarp\.)")]
    private static partial Regex Names();

    [GeneratedRegex(@"//[^\n]*|\$?""(?:\\.|[^""\\\n])*""")]
    private static partial Regex NoCode();
}
