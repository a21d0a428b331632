using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Proxy.Tests.Rules;
using Xunit;

namespace Proxy.Tests.Packaging;

/// <summary>The files of packages agree with the program: there is no container engine in the tests.</summary>
public sealed partial class PackageTests
{
    private static readonly string Dockerfile = Read("Dockerfile");

    [Fact]
    public void TheImageCopiesFilesThatExist()
    {
        var sources = Copy().Matches(Dockerfile).SelectMany(m => m.Groups[1].Value.Split(' ')[..^1]).ToList();

        Assert.True(sources.Count > 5);
        Assert.All(sources, file => Assert.True(Path.Exists(SourceTree.GetPath(file)), file));
    }

    [Fact]
    public void TheImageRunsWithoutRoot_AndChecksItsHealthItself()
    {
        Assert.Contains("\nUSER $APP_UID\n", Dockerfile);
        Assert.Matches(@"HEALTHCHECK [^\n]* CMD \[""dotnet"", ""Proxy.dll"", ""health""\]", Dockerfile);
        Assert.DoesNotContain("curl", Dockerfile);
        Assert.Contains("VOLUME /app/config /var/cache/proxy", Dockerfile);
    }

    [Fact]
    public void TheImageContainsTheViewerThatTheProgramInstalls() =>
        Assert.Contains($"ARG OHIF_VERSION={Proxy.Viewing.ViewerPackage.DefaultVersion}\n", Dockerfile);

    /// <summary>The native libraries of the decoder, of pictures and of the store, for both platforms of the image.</summary>
    [Theory]
    [InlineData("linux-x64")]
    [InlineData("linux-arm64")]
    public void EveryNativeLibraryExists_ForThePlatformsOfTheImage(string platform)
    {
        var libraries = JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Proxy.deps.json")))!["targets"]!.AsObject()
            .SelectMany(target => target.Value!.AsObject()).SelectMany(package => package.Value!["runtimeTargets"]?.AsObject() ?? [])
            .Select(file => file.Key).ToHashSet();

        foreach (var name in (string[])["libwasmtime", "libSkiaSharp", "libe_sqlite3"])
            Assert.Contains($"runtimes/{platform}/native/{name}.so", libraries);
    }

    [Fact]
    public void TheComposeFileConfiguresTheProxy()
    {
        var services = ChartTemplate.ReadYaml(ExpandMerges(Read("deploy/compose/compose.yaml")))[0]!["services"]!;
        var proxy = services["proxy"]!;
        var environment = proxy["environment"]!.AsObject()
            .ToDictionary(e => e.Key.Replace("__", ":", StringComparison.Ordinal), e => (string?)e.Value!.ToString());
        environment["urls"] = "http://0.0.0.0:8080";

        var settings = Settings.Read(new ConfigurationBuilder().AddInMemoryCollection(environment).Build(), out var errors);

        Assert.Empty(errors);
        Assert.Equal(["east", "west"], settings.Backends.Select(b => b.Name));
        Assert.All(settings.Backends, b => Assert.NotNull(services[b.Address.Host]));
        Assert.True((bool)proxy["read_only"]!);
        // Without authentication, only this machine may connect.
        Assert.All(proxy["ports"]!.AsArray(), port => Assert.StartsWith("127.0.0.1:", (string)port!));
    }

    [Fact]
    public async Task TheUnitIsValid()
    {
        Assert.SkipUnless(
            File.Exists("/usr/bin/systemd-analyze") || Environment.GetEnvironmentVariable("REQUIRE_REAL") == "1",
            "systemd-analyze is not installed");
        var folder = Directory.CreateTempSubdirectory("proxy-unit-");
        var file = Path.Combine(folder.FullName, "dicomweb-proxy.service");
        // The program and its document need not exist on this machine.
        await File.WriteAllTextAsync(
            file, Read("deploy/systemd/dicomweb-proxy.service").Replace("/usr/bin/dotnet ", "/bin/true ", StringComparison.Ordinal),
            TestContext.Current.CancellationToken);
        var start = new ProcessStartInfo("systemd-analyze", ["verify", file]) { RedirectStandardError = true, UseShellExecute = false };
        using var process = Process.Start(start)!;

        var errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        folder.Delete(recursive: true);

        Assert.DoesNotContain("dicomweb-proxy.service:", errors);
        Assert.Equal(0, process.ExitCode);
    }

    [Fact]
    public void TheReleaseIsTestedSignedAndHasAnSbom()
    {
        var workflow = ChartTemplate.ReadYaml(Read(".github/workflows/release.yml"))[0]!;
        var jobs = workflow["jobs"]!.AsObject();
        var text = workflow.ToJsonString();

        Assert.Equal("""{"contents":"read"}""", workflow["permissions"]!.ToJsonString());
        Assert.All(jobs.Where(j => j.Key != "test"), job => Assert.Equal("test", (string)job.Value!["needs"]!));
        foreach (var step in (string[])["cosign sign ", "cosign sign-blob", "sbom-action", "attest-build-provenance", "linux/arm64"])
            Assert.Contains(step, text);
        foreach (var path in (string[])["src/Proxy", "deploy/helm/dicomweb-proxy", ".ci/run", "global.json"])
            Assert.True(Path.Exists(SourceTree.GetPath(path)), path);
    }

    /// <summary>YAML 1.1's merge keys, which Compose supports, are not needed for what this test reads.</summary>
    private static string ExpandMerges(string yaml) => Merge().Replace(yaml, "").Replace("&orthanc-settings", "", StringComparison.Ordinal)
        .Replace("&orthanc", "", StringComparison.Ordinal);

    private static string Read(string file) => File.ReadAllText(SourceTree.GetPath(file));

    [GeneratedRegex(@"^COPY (?!--from)([^\n]+)$", RegexOptions.Multiline)]
    private static partial Regex Copy();

    [GeneratedRegex(@"^\s*<<: \*\S+\n", RegexOptions.Multiline)]
    private static partial Regex Merge();
}
