using System.Text.RegularExpressions;
using Proxy.Tests.Pacs;
using Proxy.Tests.Rules;
using Xunit;

namespace Proxy.Tests.Tracing;

/// <summary>The walks of the architecture are true and short: a request executes the types that a walk names, in its order.</summary>
public sealed partial class ReadmeWalkTests
{
    private const string Study = "/dicomweb/studies/1.2.1";
    private const string Metadata = Study + "/series/1.2.1.1/metadata";
    private const string Frame = Study + "/series/1.2.1.1/instances/1.2.1.1.1/frames/1";

    /// <summary>
    /// The numbers of files may fall, not rise. The second one is without vocabulary, settings and what every request passes.
    /// </summary>
    [Theory]
    [InlineData("Search", 102, 73, "/dicomweb/studies")]
    [InlineData("Metadata hit", 49, 28, Metadata, Metadata)]
    [InlineData("Frame miss", 121, 93, Metadata, Frame)]
    public async Task ARequestExecutesWhatItsWalkNames(string walk, int maxFiles, int maxFeatureFiles, params string[] paths)
    {
        using var east = StartPacs();
        await using var host = Start(east);
        Trace? trace = null;
        foreach (var path in paths) trace = await host.GetAsync(path);

        var methods = Read(trace!).Where(method => !IsBesideWalks(method.File)).ToList();
        AssertNames(walk, methods);
        var files = methods.Select(method => method.File).Distinct().ToList();
        var ofFeatures = files.Where(IsOfFeature).ToList();
        Assert.True(
            files.Count <= maxFiles && ofFeatures.Count <= maxFeatureFiles,
            $"{files.Count} files, {ofFeatures.Count} of features:\n{string.Join('\n', files)}");
    }

    [Fact]
    public async Task APrefetchExecutesWhatItsWalkNames()
    {
        using var east = StartPacs();
        await using var host = Start(east);
        await host.GetAsync("/dicomweb/studies");
        var trace = Trace.StartForAll();
        try
        {
            await host.PostAsync("/prefetch", """{"studies":["1.2.1"]}""");
            await Until.TrueAsync(() => east.Count("/frames/2") == 3);
        }
        finally
        {
            Trace.StopForAll();
        }
        AssertNames("Prefetch", Read(trace));
    }

    private static void AssertNames(string walk, IReadOnlyList<TracedMethod> methods)
    {
        var visited = methods.Select(method => method.Type).Distinct().ToList();
        var named = ReadWalk(walk);
        Assert.NotEmpty(named);
        Assert.Empty(named.Except(visited));
        Assert.Equal(visited.Intersect(named), named);
    }

    private static List<TracedMethod> Read(Trace trace) => [.. trace.Methods.Select(number => TracedProduct.Instance.Methods[number])];

    /// <summary>False for vocabulary, settings, and what stands in the way of every request.</summary>
    private static bool IsOfFeature(string file) =>
        Path.GetRelativePath(SourceTree.GetPath("src/Proxy"), file) is var path
        && !path.StartsWith("Dicom/", StringComparison.Ordinal) && !path.StartsWith("Operations/", StringComparison.Ordinal)
        && !path.StartsWith("Security/", StringComparison.Ordinal) && !path.EndsWith("Options.cs", StringComparison.Ordinal);

    /// <summary>
    /// True for what takes part in no walk: telemetry observes it, identity and rights decide whether it begins, and the output belongs to
    /// its connection.
    /// </summary>
    private static bool IsBesideWalks(string file) =>
        Path.GetRelativePath(SourceTree.GetPath("src/Proxy"), file) is var path
        && (path.StartsWith("Operations/Telemetry/", StringComparison.Ordinal)
            || path.StartsWith("Operations/Output/", StringComparison.Ordinal) || path.StartsWith("Identity/", StringComparison.Ordinal)
            || path.StartsWith("Rights/", StringComparison.Ordinal));

    private static WireMockPacs StartPacs() => new(new HeldStudy("1.2.1").With(new HeldSeries("1.2.1.1", "US", 3) { Frames = 2 }));

    private static ITracedHost Start(WireMockPacs east)
    {
        var settings = new Dictionary<string, string>
        {
            ["hostBuilder:reloadConfigOnChange"] = "false",
            ["Backends:east:Address"] = east.Address,
            ["Prefetch:NextStudies"] = "0",
            ["Prefetch:Priors"] = "0",
            ["Prefetch:SeriesReadAhead"] = "false",
        };
        var program = TracedProduct.Instance.Assembly.GetType(nameof(Program))!;
        return (ITracedHost)Activator.CreateInstance(typeof(TracedHost<>).MakeGenericType(program), settings)!;
    }

    /// <summary>The types of a walk in the document: <c>- **Search:** `A → B → C`</c>.</summary>
    private static List<string> ReadWalk(string name)
    {
        var document = File.ReadAllText(SourceTree.GetPath("docs/architecture.md"));
        var start = document.IndexOf($"- **{name}:**", StringComparison.Ordinal);
        var text = document[start..document.IndexOf("\n\n", start, StringComparison.Ordinal)];
        var end = text.IndexOf("\n- ", 3, StringComparison.Ordinal);
        return [.. TypeName().Matches(end < 0 ? text : text[..end]).Select(match => match.Value)];
    }

    [GeneratedRegex(@"(?<=[`→]\s*)[A-Z][A-Za-z0-9]+(?=\s*[`→])")]
    private static partial Regex TypeName();
}
